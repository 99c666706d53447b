"""The generation service as its subscribers see it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import diskcache
import pytest
import tiny_models
from waiting import WAIT_S, Pausing, until

from tokenscope_core import (
    LanguageModel,
    ModelNotFoundError,
    RecordError,
    Request,
    RequestError,
    Sampling,
    Store,
    Trace,
)
from tokenscope_core.jobs.service import GenerationService, Limits
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.load_progress import Report
from tokenscope_core.models.files.model_files import ModelFiles


class Clock:
    """A clock that only a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Gate:
    """A loader that hands out a tiny model once it is opened."""

    def __init__(self, lm: LanguageModel) -> None:
        self.opened = threading.Event()
        self.loads: list[str] = []
        self._lm = lm

    def __call__(self, files: ModelFiles, choice: ModelChoice, report: Report) -> LanguageModel:
        self.loads.append(files.name)
        assert self.opened.wait(WAIT_S)
        return self._lm


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("models")
    for name, seed in (("first", 1), ("second", 2), ("third", 3)):
        tiny_models.saved(root / name, seed=seed)
    return [str(root / name) for name in ("first", "second", "third")]


@pytest.fixture
def model(folders: list[str]) -> str:
    return folders[0]


@pytest.fixture
def gate(lm: LanguageModel) -> Gate:
    return Gate(lm)


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


def request(tokens: int = 8, prompt: str = "def add(", **sampling: float) -> Request:
    return Request(prompt, max_new_tokens=tokens, sampling=Sampling(**sampling))  # type: ignore[arg-type]


def test_a_run_ends_with_its_trace_in_the_store(start: Start, store: Store, model: str) -> None:
    view = start().submit(model, request(), "tab").wait(WAIT_S)
    assert view.phase == "done"
    assert view.trace is not None
    assert view.new_tokens == 8
    kept = store.get(view.trace.key)
    assert kept is not None
    assert kept.token_ids.tolist() == view.trace.token_ids.tolist()


def test_asking_again_does_not_touch_the_model(start: Start, gate: Gate, model: str) -> None:
    start().submit(model, request(), "tab").wait(WAIT_S)
    view = start(load=gate).submit(model, request(), "tab").view()
    assert view.phase == "done"
    assert view.from_store
    assert gate.loads == []


def test_an_answer_from_the_store_imports_no_torch(
    start: Start, store: Store, model: str, tmp_path: Path
) -> None:
    start().submit(model, request(), "tab").wait(WAIT_S)
    script = f"""
import sys
from tokenscope_core import Request, Sampling, Store
from tokenscope_core.jobs.service import GenerationService
service = GenerationService(Store({str(tmp_path / "store")!r}))
view = service.submit({model!r}, Request("def add(", max_new_tokens=8), "tab").view()
assert view.from_store and view.trace.text.startswith("def add("), view
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=Path(__file__).resolve().parents[2]
    )


def test_equal_requests_share_one_run(start: Start, gate: Gate, model: str) -> None:
    service = start(load=gate)
    tickets = [service.submit(model, request(), tab) for tab in ("one", "two")]
    gate.opened.set()
    first, second = (ticket.wait(WAIT_S).trace for ticket in tickets)
    assert first is not None
    assert first is second


def test_a_queued_run_says_how_many_come_first(start: Start, gate: Gate, model: str) -> None:
    service = start(load=gate)
    tickets = [service.submit(model, request(prompt=f"x{i} ="), "tab") for i in range(3)]
    until(lambda: tickets[0].view().phase != "queued", "the first run is taken")
    places = [ticket.view().place for ticket in tickets]
    assert [place and place.position for place in places] == [None, 1, 2]
    gate.opened.set()
    assert [ticket.wait(WAIT_S).phase for ticket in tickets] == ["done"] * 3


def test_stop_keeps_what_was_decoded(start: Start, store: Store, model: str) -> None:
    paused = Pausing(after=8)
    ticket = start(load=paused).submit(model, request(400), "tab")
    until(lambda: ticket.view().new_tokens >= 5, "five tokens are written")
    view = ticket.stop()
    paused.go_on.set()
    assert view.phase == "stopped"
    assert view.trace is not None
    assert view.trace.finish_reason == "cancelled"
    assert 5 <= len(view.trace) - view.trace.prompt_length < 400
    assert store.get(view.trace.key) is not None


def test_stopping_a_queued_run_frees_its_place(start: Start, gate: Gate, model: str) -> None:
    service = start(load=gate)
    first = service.submit(model, request(prompt="a"), "tab")
    second = service.submit(model, request(prompt="b"), "tab")
    assert second.stop().phase == "stopped"
    gate.opened.set()
    assert first.wait(WAIT_S).phase == "done"
    assert second.view().trace is None


def test_one_who_stops_does_not_stop_the_other(start: Start, gate: Gate, model: str) -> None:
    service = start(load=gate)
    one, two = (service.submit(model, request(), tab) for tab in ("one", "two"))
    one.stop()
    gate.opened.set()
    assert two.wait(WAIT_S).phase == "done"
    assert one.view().phase == "stopped"


def test_two_places_of_one_visitor_want_the_same_run_each_for_itself(
    start: Start, gate: Gate, model: str
) -> None:
    clock = Clock()
    service = start(load=gate, clock=clock, limits=Limits(grace_s=60.0, jobs_per_visitor=2))
    here = service.submit(model, request(), "tab", purpose="here")
    there = service.submit(model, request(), "tab", purpose="there")
    left = [service.submit(model, request(prompt="b"), "tab", purpose=p) for p in ("x", "y")]
    here.stop()
    service.lose("tab")
    clock.now += 30.0
    there.touch()
    clock.now += 31.0
    gate.opened.set()
    assert there.wait(WAIT_S).phase == "done"
    assert here.view().phase == "stopped"
    assert [ticket.wait(WAIT_S).phase for ticket in left] == ["stopped", "stopped"]


def test_asking_or_taking_hold_again_in_one_place_is_stopped_with_it(
    start: Start, gate: Gate, model: str
) -> None:
    service = start(load=gate)
    before = service.submit(model, request(), "tab", purpose="here")
    service.submit(model, request(), "tab", purpose="here")
    again = service.attach(before.job_id, "tab", purpose="here")
    assert again is not None
    again.stop()
    gate.opened.set()
    assert before.wait(WAIT_S).phase == "stopped"


def test_a_run_survives_a_short_absence_and_ends_after_a_long_one(
    start: Start, gate: Gate, model: str
) -> None:
    clock = Clock()
    service = start(load=gate, clock=clock, limits=Limits(grace_s=60.0))
    back, gone = (service.submit(model, request(prompt=p), p) for p in ("back", "gone"))
    service.lose("back")
    service.lose("gone")
    clock.now += 30.0
    back.touch()
    clock.now += 31.0
    gate.opened.set()
    assert back.wait(WAIT_S).phase == "done"
    assert gone.wait(WAIT_S).phase == "stopped"


def test_a_reload_takes_hold_of_the_run_by_its_id(start: Start, gate: Gate, model: str) -> None:
    service = start(load=gate)
    before = service.submit(model, request(), "before")
    service.lose("before")
    after = service.attach(before.job_id, "after")
    assert after is not None
    gate.opened.set()
    assert after.wait(WAIT_S).phase == "done"
    assert service.attach("unknown", "after") is None


def test_a_prompt_beyond_the_context_fails_with_the_counts(start: Start, model: str) -> None:
    view = start().submit(model, request(prompt="x " * 2000), "tab").wait(WAIT_S)
    assert view.phase == "failed"
    assert "too many" in str(view.error)


def test_a_model_that_does_not_exist_is_named(start: Start) -> None:
    view = start().submit("/no/such/folder", request(), "tab").wait(WAIT_S)
    assert isinstance(view.error, ModelNotFoundError)
    assert "/no/such/folder" in str(view.error)


def test_the_service_goes_on_after_an_unexpected_failure(start: Start, model: str) -> None:
    lm, broken = tiny_models.language_model(), [True]

    def load(files: ModelFiles, choice: ModelChoice, report: Report) -> LanguageModel:
        if broken.pop():
            raise RuntimeError("the disk is on fire")
        return lm

    service = start(load=load)
    broken.insert(0, False)
    failed = service.submit(model, request(), "tab").wait(WAIT_S)
    assert "RuntimeError" in str(failed.error)
    assert "the disk is on fire" not in str(failed.error)
    assert service.submit(model, request(), "tab").wait(WAIT_S).phase == "done"


def test_models_beyond_the_limit_replace_the_idle_one_used_longest_ago(
    start: Start, folders: list[str]
) -> None:
    service = start(limits=Limits(loaded_models=2))
    for folder in folders:
        assert service.submit(folder, request(), "tab").wait(WAIT_S).phase == "done"
    assert [model.choice.name for model in service.loaded_models()] == folders[1:]


def test_a_damaged_record_is_computed_again(start: Start, store: Store, model: str) -> None:
    trace = start().submit(model, request(), "tab").wait(WAIT_S).trace
    assert trace is not None
    with diskcache.Cache(str(store.folders.caches / "traces")) as traces:
        traces[trace.key] = trace.to_bytes()[:200]
    view = start().submit(model, request(), "tab").wait(WAIT_S)
    assert view.phase == "done"
    assert not view.from_store


def test_an_operator_sets_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENSCOPE_GRACE_S", "1.5")
    monkeypatch.setenv("TOKENSCOPE_WAITING_PER_MODEL", "3")
    assert Limits.from_environment() == Limits(waiting_per_model=3, grace_s=1.5)


@pytest.mark.parametrize("text", ["", "many", "0", "-1"])
def test_a_limit_that_is_no_number_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TOKENSCOPE_LOADED_MODELS", text)
    with pytest.raises(RequestError, match="TOKENSCOPE_LOADED_MODELS"):
        Limits.from_environment()


def test_a_trace_that_cannot_be_stored_is_shown_all_the_same(
    start: Start, store: Store, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_trace: Trace) -> str:
        raise RecordError(asked="a", found="The disk is full.", action="b")

    monkeypatch.setattr(store, "put", full)
    view = start().submit(model, request(), "tab").wait(WAIT_S)
    assert view.phase == "done"
    assert view.trace is not None


def test_what_a_closed_tab_left_behind_is_kept(start: Start, store: Store, model: str) -> None:
    clock, paused = Clock(), Pausing()
    service = start(clock=clock, load=paused)
    ticket = service.submit(model, request(400, temperature=1.0), "tab")
    until(lambda: ticket.view().new_tokens, "a token is written")
    service.lose("tab")
    clock.now += 100.0
    paused.go_on.set()
    view = ticket.wait(WAIT_S)
    assert view.phase == "stopped"
    assert view.trace is not None
    assert store.get(view.trace.key) is not None
