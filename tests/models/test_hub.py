"""Models on the hub: asked about, refused, downloaded, stopped. The hub is one of our own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_models
from fake_hub import NAME, FakeHub
from waiting import WAIT_S, until

from tokenscope_core import (
    ModelFormatError,
    ModelNotFoundError,
    ModelTooLargeError,
    Request,
    Store,
)
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models import loading
from tokenscope_core.models.files import hub
from tokenscope_core.models.files.facts import facts_of, hub_facts
from tokenscope_core.models.files.load_progress import LoadProgress
from tokenscope_core.models.files.machine import Memory
from tokenscope_core.models.files.model_files import find, locate
from tokenscope_core.models.files.sources import source_of


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    tiny_models.model("llama").save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def online(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    fake = FakeHub(saved)
    fake.go_online(tmp_path / "hub", monkeypatch)
    yield fake
    fake.close()


@pytest.fixture
def service(store: Store) -> Iterator[GenerationService]:
    opened = GenerationService(store)
    yield opened
    opened.close()


def test_the_hub_is_asked_for_facts_without_downloading(online: FakeHub, saved: Path) -> None:
    said, here = hub_facts(hub.ask(NAME)), facts_of(locate(saved))
    assert online.served == ["config.json"]
    assert said.cache_bytes_per_token == here.cache_bytes_per_token
    assert (said.layers, said.vocabulary, said.context) == (
        here.layers, here.vocabulary, here.context,
    )  # fmt: skip
    assert said.weight_bytes == pytest.approx(here.weight_bytes, rel=0.05)
    assert said.download_bytes == sum(len(data) for data in online.files.values())
    assert source_of(NAME).kind == "hub"


def test_a_hub_model_is_downloaded_loaded_and_run(
    online: FakeHub, saved: Path, service: GenerationService
) -> None:
    online.files["pytorch_model.bin"] = b"not wanted"
    online.go_on.clear()
    ticket = service.submit(NAME, Request("x = ", max_new_tokens=3), "tab")

    def half_way() -> bool:
        load = ticket.view().load
        return load is not None and load.stage == "downloading" and load.done > 10_000

    until(half_way, "half of the weights are here")
    load = ticket.view().load
    assert load is not None
    assert load.total is not None
    assert load.done < load.total
    online.go_on.set()
    view = ticket.wait(WAIT_S)
    assert view.phase == "done", view.error
    assert "pytorch_model.bin" not in online.served
    files = find(NAME)
    assert files is not None
    assert files.fingerprint_in() == locate(saved).fingerprint_in()
    assert source_of(NAME).kind == "cache"


def test_a_stop_ends_a_download(online: FakeHub, service: GenerationService) -> None:
    online.go_on.clear()
    ticket = service.submit(NAME, Request("x = "), "tab")
    until(lambda: "model.safetensors" in online.served, "the weights are asked for")
    assert ticket.stop().phase == "stopped"
    online.go_on.set()
    until(lambda: all(q.phase is None for q in service.queues()), "the worker is idle")
    assert find(NAME) is None
    again = service.submit(NAME, Request("x = ", max_new_tokens=1), "tab").wait(WAIT_S)
    assert again.phase == "done", again.error


def test_what_would_not_fit_is_not_downloaded(
    online: FakeHub, service: GenerationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Memory(1000, 1000)
    monkeypatch.setattr(loading, "memory_of", lambda _device: small)
    view = service.submit(NAME, Request("x = "), "tab").wait(WAIT_S)
    assert isinstance(view.error, ModelTooLargeError)
    assert "model.safetensors" not in online.served


def test_what_the_disk_has_no_room_for_is_not_downloaded(
    online: FakeHub, service: GenerationService
) -> None:
    online.claimed["model.safetensors"] = 10**18
    view = service.submit(NAME, Request("x = "), "tab").wait(WAIT_S)
    assert isinstance(view.error, ModelTooLargeError)
    assert "disk" in view.error.found
    assert "model.safetensors" not in online.served


@pytest.mark.parametrize(
    ("instead", "found", "way_out"),
    [
        ("pytorch_model.bin", "only pickled ones", "loads from safetensors"),
        ("tiny.Q4_0.gguf", "1 GGUF file,", r"hf download org/tiny tiny\.Q4_0\.gguf"),
        ("adapter_config.json", "an adapter of another model", "hf download org/tiny --local-dir"),
    ],
)
def test_a_model_without_safetensors_is_refused_by_what_the_hub_has(
    instead: str, found: str, way_out: str, online: FakeHub
) -> None:
    online.files[instead] = online.files.pop("model.safetensors")
    with pytest.raises(ModelFormatError, match=f"safetensors.*{found}.*{way_out}"):
        locate(NAME, download=lambda name: Path(hub.ask(name).name))


@pytest.mark.parametrize("config", [b"[]", b"{", b"\xff"])
def test_a_config_that_is_none_is_refused(online: FakeHub, config: bytes) -> None:
    online.files["config.json"] = config
    with pytest.raises(ModelFormatError, match="not a JSON object"):
        hub.ask(NAME)


def test_a_model_that_the_hub_does_not_know_is_named(
    online: FakeHub, service: GenerationService
) -> None:
    view = service.submit("org/none", Request("x = "), "tab").wait(WAIT_S)
    assert isinstance(view.error, ModelNotFoundError)
    assert "org/none" in view.error.asked
    assert "404" in view.error.found


def test_a_hub_that_does_not_answer_is_said_to(
    online: FakeHub, service: GenerationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses, sleep = list[float](), time.sleep

    def note_pause(seconds: float) -> None:
        if threading.current_thread() is not threading.main_thread():
            pauses.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", note_pause)
    online.close()
    view = service.submit(NAME, Request("x = "), "tab").wait(WAIT_S)
    assert sum(pauses) < 15.0, "it is not asked again and again"
    assert isinstance(view.error, ModelNotFoundError)
    assert "could not be reached" in view.error.found


def test_progress_starts_before_the_first_byte(online: FakeHub) -> None:
    told: list[LoadProgress] = []
    hub.download(NAME, total=7, report=told.append)
    assert {progress.total for progress in told} == {7}
    assert told[-1].done > 0
