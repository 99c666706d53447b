"""Models in memory: who shares one, who has to leave, who is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tiny_models
from waiting import WAIT_S, Pausing, until

from tokenscope_core import (
    LanguageModel,
    ModelChoice,
    ModelError,
    ModelTooLargeError,
    Request,
    Store,
)
from tokenscope_core.jobs import model_pool
from tokenscope_core.jobs.service import GenerationService, Limits
from tokenscope_core.models import loading as loading_module
from tokenscope_core.models.files.facts import facts_of
from tokenscope_core.models.files.load_progress import LoadProgress, Report
from tokenscope_core.models.files.machine import Memory
from tokenscope_core.models.files.memory_need import memory_need, tokens_of
from tokenscope_core.models.files.model_files import ModelFiles, locate
from tokenscope_core.models.loading import load


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("models")
    for name, seed in (("first", 1), ("second", 2)):
        tiny_models.saved(root / name, seed=seed)
    return [str(root / name) for name in ("first", "second")]


@pytest.fixture
def model(folders: list[str]) -> str:
    return folders[0]


Start = Callable[..., GenerationService]


@pytest.fixture
def start(store: Store) -> Iterator[Start]:
    services: list[GenerationService] = []

    def build(**options: object) -> GenerationService:
        services.append(GenerationService(store, **options))  # type: ignore[arg-type]
        return services[-1]

    yield build
    for service in services:
        service.close()


def request(prompt: str = "def add(") -> Request:
    return Request(prompt, max_new_tokens=4)


def names(service: GenerationService) -> list[str]:
    return [Path(model.choice.name).name for model in service.loaded_models()]


class Machine:
    """A machine whose memory only the service's models take up."""

    def __init__(self, total: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.total = total
        self.service: GenerationService | None = None
        for module in (model_pool, loading_module):
            monkeypatch.setattr(module, "memory_of", self.memory)

    def memory(self, _device: str) -> Memory:
        loaded = self.service.loaded_models() if self.service is not None else ()
        return Memory(self.total, self.total - sum(model.bytes for model in loaded))


class Held:
    """Loads a model when it is told to."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()

    def __call__(self, files: ModelFiles, choice: ModelChoice, report: Report) -> LanguageModel:
        self.entered.set()
        assert self.go_on.wait(WAIT_S)
        return load(files, choice, report)


def need_of(model: str) -> int:
    return memory_need(facts_of(locate(model)), tokens=tokens_of(request())).total


def test_equal_choices_share_a_model_however_they_are_written(start: Start, model: str) -> None:
    service = start()
    written = (model, ModelChoice(f" {model} "), ModelChoice(model, "float32", "cpu"))
    ids = {service.submit(choice, request(), "tab").job_id for choice in written}
    assert len(ids) == 1
    service.submit(model, request(), "tab").wait(WAIT_S)
    assert len(service.loaded_models()) == 1
    assert service.loaded_model(ModelChoice(model, device="cpu")) == service.loaded_models()[0]


def test_another_precision_is_another_model_with_traces_of_its_own(
    start: Start, model: str
) -> None:
    service = start()
    full, half = (
        service.submit(ModelChoice(model, dtype), request(), "tab").wait(WAIT_S).trace
        for dtype in (None, "bfloat16")
    )
    assert full is not None
    assert half is not None
    assert full.key != half.key
    assert half.model.fingerprint == locate(model).fingerprint_in("bfloat16")
    again = service.submit(ModelChoice(model, "bfloat16"), request(), "tab").view()
    assert again.from_store
    whole, small = (held.bytes for held in service.loaded_models())
    assert small == pytest.approx(whole / 2, rel=0.01)


def test_a_device_that_is_not_here_is_refused(start: Start, model: str) -> None:
    with pytest.raises(ModelError, match="cuda:9"):
        start().submit(ModelChoice(model, device="cuda:9"), request(), "tab")


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ModelError, match="float32, bfloat16 or float16"):
        ModelChoice("tiny", "int4")


def test_a_model_larger_than_the_machine_is_refused_at_once(
    start: Start, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Machine(need_of(model) - 1, monkeypatch)
    with pytest.raises(ModelTooLargeError, match="It needs at least"):
        start().submit(model, request(), "tab")


def test_the_operator_can_switch_the_check_off(
    start: Start, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Machine(1, monkeypatch)
    monkeypatch.setenv("TOKENSCOPE_MEMORY_CHECK", "off")
    service = start(limits=Limits.from_environment())
    assert service.submit(model, request(), "tab").wait(WAIT_S).phase == "done"


def test_a_stored_trace_is_shown_whatever_the_memory(
    start: Start, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start().submit(model, request(), "tab").wait(WAIT_S)
    Machine(1, monkeypatch)
    assert start().submit(model, request(), "tab").view().from_store


def test_an_idle_model_makes_room_for_another(
    start: Start, folders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(3 * need_of(folders[0]) // 2, monkeypatch)
    machine.service = service = start(limits=Limits(loaded_models=5))
    for folder in folders:
        assert service.submit(folder, request(), "tab").wait(WAIT_S).phase == "done"
    assert names(service) == ["second"]


def test_a_run_waits_for_a_busy_model_to_make_room(
    start: Start, folders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held()
    machine = Machine(3 * need_of(folders[0]) // 2, monkeypatch)
    machine.service = service = start(limits=Limits(loaded_models=5), load=held)
    first = service.submit(folders[0], request(), "tab")
    assert held.entered.wait(WAIT_S)
    second = service.submit(folders[1], request(), "tab")
    until(lambda: second.view().load == LoadProgress("waiting"), "the second run waits for room")
    held.go_on.set()
    assert first.wait(WAIT_S).phase == "done"
    assert second.wait(WAIT_S).phase == "done"
    assert names(service) == ["second"]


def test_a_model_that_is_never_idle_makes_way_for_one_that_waits_too_long(
    start: Start, folders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_pool, "PATIENCE_S", 0.0)
    held, loads = Held(), list[str]()

    def load_noted(files: ModelFiles, choice: ModelChoice, report: Report) -> LanguageModel:
        loads.append(Path(choice.name).name)
        return held(files, choice, report)

    service = start(limits=Limits(loaded_models=1), load=load_noted)
    busy = [service.submit(folders[0], request(p), "tab") for p in "abc"]
    assert held.entered.wait(WAIT_S)
    late = service.submit(folders[1], request(), "tab")
    until(lambda: late.view().load == LoadProgress("waiting"), "the late run waits for room")
    held.go_on.set()
    assert [ticket.wait(WAIT_S).phase for ticket in (*busy, late)] == ["done"] * 4
    assert loads == ["first", "second", "first"]


def test_a_model_whose_first_run_goes_on_counts_once(
    start: Start, folders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(5 * need_of(folders[0]) // 2, monkeypatch)
    paused = Pausing()
    machine.service = service = start(limits=Limits(loaded_models=5), load=paused)
    first = service.submit(folders[0], Request("def add(", max_new_tokens=400), "tab")
    until(lambda: first.view().new_tokens, "the first run writes a token")
    assert service.submit(folders[1], request(), "tab").wait(WAIT_S).phase == "done"
    assert not first.view().ended
    paused.go_on.set()
    first.stop()


def test_memory_that_others_took_refuses_a_model_by_name(
    start: Start, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty = 10 * need_of(model)
    monkeypatch.setattr(loading_module, "memory_of", lambda _device: Memory(plenty, plenty))
    monkeypatch.setattr(model_pool, "memory_of", lambda _device: Memory(plenty, 1000))
    view = start().submit(model, request(), "tab").wait(WAIT_S)
    assert isinstance(view.error, ModelTooLargeError)
    assert view.error.present == 1000


def test_unloading_frees_an_idle_model_and_leaves_a_busy_one(start: Start, model: str) -> None:
    paused = Pausing()
    service = start(load=paused)
    assert not service.unload(model)
    running = service.submit(model, Request("a", max_new_tokens=400), "tab")
    until(lambda: running.view().new_tokens, "the run writes a token")
    with pytest.raises(ModelError, match="It is running"):
        service.unload(model)
    running.stop()
    paused.go_on.set()
    until(lambda: all(held.idle for held in service.loaded_models()), "the model is idle")
    assert service.unload(model)
    assert service.loaded_models() == ()
    assert service.submit(model, request("c"), "tab").wait(WAIT_S).phase == "done"


def test_a_stop_while_the_model_loads_frees_the_subscriber_at_once(
    start: Start, model: str
) -> None:
    held = Held()
    service = start(load=held)
    ticket = service.submit(model, request(), "tab")
    assert held.entered.wait(WAIT_S)
    view = ticket.stop()
    assert view.phase == "stopped"
    assert view.trace is None
    held.go_on.set()
    assert service.submit(model, request(), "tab").wait(WAIT_S).phase == "done"


def test_loading_is_reported_in_bytes(model: str) -> None:
    told: list[LoadProgress] = []
    load(locate(model), ModelChoice(model), told.append)
    weights = memory_need(facts_of(locate(model))).weights
    assert told[:2] == [LoadProgress("starting"), LoadProgress("loading", 0, weights)]
    assert told[-1] == LoadProgress("loading", weights, weights)
    done = [progress.done for progress in told]
    assert done == sorted(done)
    assert len(set(done)) > 5


def test_models_loaded_at_once_report_each_its_own(folders: list[str]) -> None:
    told: dict[str, list[LoadProgress]] = {folder: [] for folder in folders}
    threads = [
        threading.Thread(target=load, args=(locate(f), ModelChoice(f), told[f].append))
        for f in folders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for progress in told.values():
        done = [step.done for step in progress]
        assert done == sorted(done)
        assert progress[-1].done == progress[-1].total
