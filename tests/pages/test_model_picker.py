"""Choosing a model on the page: what is offered, what is known beforehand, what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from faults import Broken, raising

from tokenscope_core import ModelNotFoundError
from tokenscope_core.models.files import hub
from tokenscope_core.models.files.hub import HubModel
from tokenscope_core.models.files.machine import Memory
from tokenscope_ui.server.server import service

CARD = "tokenscope_ui.request.model_card"

App = Any


def picker(app: App) -> Any:
    return app.test.selectbox(key="model")


def tables(app: App) -> dict[str, str]:
    return {
        str(name): str(value)
        for table in app.test.table
        for name, value in zip(table.value.index, table.value.iloc[:, 0], strict=True)
    }


def test_the_list_tells_where_each_model_comes_from(app: App) -> None:
    app.open()
    assert picker(app).options == ["tokenscope-py · shipped", "tiny · folder"]


def test_the_operator_decides_what_is_offered_and_run(
    app: App, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_ALLOWED_MODELS", "tokenscope-py")
    app.open()
    assert "tiny · folder" in picker(app).options, "what an address chose is named"
    app.press("Generate")
    assert "operator allows tokenscope-py" in app.texts
    assert app.state.trace is None


def test_memory_is_estimated_before_anything_is_loaded(app: App) -> None:
    app.open()
    known = tables(app)
    assert known["parameters"] == "37,152"
    assert known["weights"].startswith("148.6 kB")
    assert any(name.startswith("cache, about") for name in known)
    assert known["cache, whole context"].endswith("B")
    assert " of " in known["free on cpu"]
    assert "No model: the first run loads one." in app.texts


def test_the_hub_is_asked_about_a_typed_id_before_anything_is_downloaded(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ask(name: str, _timeout_s: float) -> HubModel:
        asked.append(name)
        config = {"architectures": ["LlamaForCausalLM"], "dtype": "bfloat16"}
        return HubModel(name, config, None, 2_000_000_000_000, 2_100_000_000_000)

    monkeypatch.setattr(hub, "is_offline", lambda: False)
    monkeypatch.setattr(hub, "ask", ask)
    app.test.session_state["model"] = "org/huge"
    app.open().run()
    known = tables(app)
    assert known["download"] == "2,100.0 GB"
    assert known["parameters"] == "about 1,000,000,000,000"
    assert "Too large" in app.texts
    assert asked == ["org/huge"], "once"


def test_a_hub_that_does_not_know_the_id_leaves_its_size_unknown(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(_name: str, _timeout_s: float) -> HubModel:
        raise ModelNotFoundError(asked="a", found="The hub answered 404.", action="b")

    monkeypatch.setattr(hub, "is_offline", lambda: False)
    monkeypatch.setattr(hub, "ask", ask)
    app.test.session_state["model"] = "org/gone"
    app.open()
    assert "The hub answered 404. Its size is unknown." in app.texts


def test_a_model_that_does_not_fit_is_refused_with_a_way_out(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Less than its weights in float32, more than in bfloat16.
    small = Memory(total=100_000, available=100_000)
    for module in ("tokenscope_core.models.loading", "tokenscope_core.jobs.model_pool", CARD):
        monkeypatch.setattr(f"{module}.memory_of", lambda _device: small)
    app.open()
    assert "Too large" in app.texts
    app.press("Generate")
    assert "It needs at least" in app.texts
    app.press("Run in bfloat16").until_ended()
    assert app.state.problem is None
    assert app.state.trace is not None
    assert app.test.selectbox(key="dtype").value == "bfloat16"


def test_a_loaded_model_is_shown_and_unloaded(app: App) -> None:
    app.open().generate()
    assert "on cpu" in app.texts
    assert tables(app)["cache use"] == "read on from any token"
    assert "nats on average" in tables(app)["figures repeat to"]
    app.press("Unload")
    assert service().loaded_models() == ()
    assert "No model: the first run loads one." in app.texts


def test_a_run_that_breaks_off_is_shown_with_what_happened(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.open()
    broken = Broken(raising(torch.cuda.OutOfMemoryError("CUDA out of memory.")), after=5)
    monkeypatch.setattr(service()._scheduler, "_load", lambda *_: broken.lm)
    app.generate()
    assert "The run ended early" in app.texts
    assert "The memory is used up" in app.texts
    trace = app.state.trace
    assert trace is not None
    assert trace.finish_reason == "cancelled"
    assert len(trace) > trace.prompt_length
    assert app.test.query_params["run"] == trace.key
    assert "Most surprising tokens" in app.texts


@pytest.fixture
def copied(app: App, tiny_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the model, listed beside nothing else and chosen."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "models" / "copied"))
    monkeypatch.setenv("TOKENSCOPE_MODELS", str(folder.parent))
    app.test.session_state["model"] = str(folder)
    return folder


def test_a_model_replaced_while_it_is_loaded_is_said_and_loaded_anew_on_a_word(
    app: App, copied: Path
) -> None:
    app.open().generate()
    assert app.state.trace is not None
    before = app.state.trace.model
    assert "Its files have changed" not in app.texts
    with (copied / "model.safetensors").open("r+b") as file:
        file.seek(-1000, 2)
        file.write(b"\0" * 1000)
    app.run()
    assert "Its files have changed" in app.texts
    assert "Since this model was loaded: model.safetensors." in app.texts
    app.press("Load it anew")
    assert service().loaded_models() == ()
    assert "Its files have changed" not in app.texts
    app.generate()
    assert app.state.trace is not None
    assert app.state.trace.model.name == before.name
    assert app.state.trace.model.fingerprint != before.fingerprint


def test_what_cannot_be_opened_is_marked_in_the_list_and_said_beside_it(
    app: App, copied: Path
) -> None:
    (copied / "tokenizer.json").unlink()
    app.open()
    assert picker(app).options == ["tokenscope-py · shipped", "copied · folder · cannot be opened"]
    assert "Cannot be opened" in app.texts
    assert "It has no tokenizer.json" in app.texts


def test_the_address_of_a_page_of_the_hub_is_shown_as_the_model(app: App) -> None:
    app.test.session_state["model"] = "https://huggingface.co/org/name/tree/main"
    app.open()
    assert picker(app).value == "org/name"
    assert "org/name · hub" in picker(app).options
    app.press("Generate").until_ended()
    assert "The model “org/name” was asked for." in app.texts


def test_a_typed_short_name_is_the_listed_model(app: App, tiny_folder: str) -> None:
    app.test.session_state["model"] = "tiny"
    app.open()
    assert picker(app).value == tiny_folder
    assert picker(app).options == ["tokenscope-py · shipped", "tiny · folder"]


def test_a_typed_folder_that_is_not_listed_stays_as_it_was_typed(
    app: App, tmp_path: Path, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "elsewhere" / "own")
    monkeypatch.chdir(tmp_path)
    app.test.session_state["model"] = "elsewhere/own"
    app.open().generate()
    assert picker(app).value == "elsewhere/own"
    assert "own · folder" in picker(app).options
    assert str(tmp_path) not in app.texts
