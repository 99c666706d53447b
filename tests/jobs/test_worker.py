"""A worker's accidents: whoever waits learns of the end, and the worker goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from waiting import WAIT_S, until

import tokenscope_core as ts
from tokenscope_core.jobs import analysis_jobs
from tokenscope_core.jobs.analysis_tasks import InfluenceOf
from tokenscope_core.jobs.service import GenerationService


class Panic(BaseException):
    """What code written in Rust raises when it breaks: no `Exception`."""


class Gate:
    """Loads a tiny model once it is opened."""

    def __init__(self, lm: ts.LanguageModel) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()
        self._lm = lm

    def __call__(self, *_: object) -> ts.LanguageModel:
        self.entered.set()
        assert self.opened.wait(WAIT_S)
        return self._lm


@pytest.fixture
def gate(lm: ts.LanguageModel) -> Gate:
    return Gate(lm)


@pytest.fixture
def gated(store: ts.Store, gate: Gate) -> Iterator[GenerationService]:
    running = GenerationService(store, load=gate)
    yield running
    gate.opened.set()
    running.close()


def request(prompt: str = "def add(", tokens: int = 4) -> ts.Request:
    return ts.Request(prompt, max_new_tokens=tokens)


def test_a_panic_ends_the_run_and_not_the_worker(
    store: ts.Store, lm: ts.LanguageModel, tiny_folder: str
) -> None:
    accidents: list[BaseException] = [Panic("called `Option::unwrap()` on a `None` value")]

    def load(*_: object) -> ts.LanguageModel:
        if accidents:
            raise accidents.pop()
        return lm

    service = GenerationService(store, load=load)
    failed = service.submit(tiny_folder, request(), "tab").wait(WAIT_S)
    assert failed.phase == "failed"
    assert "Panic" in str(failed.error)
    assert "Option::unwrap" not in str(failed.error)
    assert service.submit(tiny_folder, request(), "tab").wait(WAIT_S).phase == "done"
    service.close()


def test_what_cannot_be_put_together_ends_the_run_with_the_cause(
    service: GenerationService, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> ts.Trace:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(ts.Trace, "from_rows", full)
        failed = service.submit(tiny_folder, request(), "tab").wait(WAIT_S)
    assert isinstance(failed.error, ts.OutOfMemoryError)
    assert service.submit(tiny_folder, request(), "tab").wait(WAIT_S).phase == "done"


def test_closing_ends_what_waits(gated: GenerationService, gate: Gate, tiny_folder: str) -> None:
    running, waiting = (gated.submit(tiny_folder, request(p), "tab") for p in "ab")
    assert gate.entered.wait(WAIT_S)
    closing = threading.Thread(target=gated.close)
    closing.start()
    gate.opened.set()
    closing.join()
    assert (running.view().phase, waiting.view().phase) == ("stopped", "stopped")


def test_names_of_models_that_are_not_there_leave_nothing_running(
    service: GenerationService,
) -> None:
    before = threading.active_count()
    for name in range(5):
        failed = service.submit(f"/no/such/folder/{name}", request(), "tab").wait(WAIT_S)
        assert failed.phase == "failed"
    until(lambda: threading.active_count() <= before, "no thread is left over")
    assert service.queues() == ()


def test_a_model_that_could_not_be_loaded_is_tried_again(
    store: ts.Store, lm: ts.LanguageModel, tiny_folder: str
) -> None:
    accidents = [RuntimeError("the disk is on fire")]

    def load(*_: object) -> ts.LanguageModel:
        if accidents:
            raise accidents.pop()
        return lm

    service = GenerationService(store, load=load)
    assert service.submit(tiny_folder, request(), "tab").wait(WAIT_S).phase == "failed"
    until(lambda: service.queues() == (), "the worker is gone")
    assert service.submit(tiny_folder, request(), "tab").wait(WAIT_S).phase == "done"
    service.close()


def test_what_is_stopped_while_it_waits_is_counted(
    gated: GenerationService, gate: Gate, tiny_folder: str
) -> None:
    gated.submit(tiny_folder, request("a"), "tab")
    assert gate.entered.wait(WAIT_S)
    gated.submit(tiny_folder, request("b"), "tab").stop()
    assert gated.activity.counts()["stopped"] == 1


def test_to_stop_an_analysis_that_waits_takes_no_time(
    gated: GenerationService,
    gate: Gate,
    lm: ts.LanguageModel,
    tiny_folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(analysis_jobs, "_PART_S", WAIT_S)
    trace = ts.score(lm, "x = 1\n")
    gated.submit(tiny_folder, request(), "tab")
    assert gate.entered.wait(WAIT_S)
    ticket = gated.analyse(tiny_folder, InfluenceOf(trace), "tab")
    began = time.monotonic()
    assert ticket.stop().phase == "stopped"
    assert time.monotonic() - began < WAIT_S / 2


def test_a_store_that_can_neither_be_read_nor_mended_stops_no_run(
    service: GenerationService, store: ts.Store, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unusable(*_: Any) -> Any:
        raise ts.RecordError(asked="a", found="The disk is gone.", action="b")

    for name in ("get", "put", "delete"):
        monkeypatch.setattr(store, name, unusable)
    view = service.submit(tiny_folder, request(), "tab").wait(WAIT_S)
    assert view.phase == "done"
    assert view.trace is not None


def test_a_thread_that_dies_between_runs_is_started_anew_with_its_queue(
    gated: GenerationService, gate: Gate, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, waiting = (gated.submit(tiny_folder, request(p), "tab") for p in "ab")
    assert gate.entered.wait(WAIT_S)
    accidents = [SystemExit("the thread is told to end")]
    note = gated.activity.note

    def dying_once(*about: Any) -> None:
        if accidents:
            raise accidents.pop()
        note(*about)

    monkeypatch.setattr(gated.activity, "note", dying_once)
    gate.opened.set()
    assert running.wait(WAIT_S).phase == "done"
    assert waiting.wait(WAIT_S).phase == "done"


def test_what_a_thread_had_in_hand_when_it_died_fails_with_a_sentence(
    service: GenerationService, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(*_: Any) -> None:
        raise SystemExit("in /srv/models")

    with monkeypatch.context() as patch:
        patch.setattr("tokenscope_core.jobs.worker.Worker._run", dying)
        patch.setattr("tokenscope_core.jobs.worker.Worker._fail", dying)
        failed = service.submit(tiny_folder, request(), "tab").wait(WAIT_S)
    assert failed.phase == "failed"
    assert "/srv" not in str(failed.error)
    assert service.submit(tiny_folder, request(), "tab").wait(WAIT_S).phase == "done"


def test_a_thread_that_can_take_no_job_fails_all_that_wait_and_leaves_nothing(
    service: GenerationService, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_way(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("tokenscope_core.jobs.model_pool.ModelPool.make_way", no_way)
        failed = service.submit(tiny_folder, request(), "tab").wait(WAIT_S)
        assert failed.phase == "failed"
    until(lambda: service.queues() == (), "the worker is gone")
    assert service.submit(tiny_folder, request(), "tab").wait(WAIT_S).phase == "done"


def test_a_thread_that_is_gone_without_a_word_is_missed_by_those_who_wait(
    gated: GenerationService, gate: Gate, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = gated.submit(tiny_folder, request(), "tab")
    assert gate.entered.wait(WAIT_S)
    (worker,) = gated._scheduler.pool.workers()
    gone = threading.Thread(target=int)
    gone.start()
    gone.join()
    monkeypatch.setattr(worker, "thread", gone)
    assert ticket.view().phase == "failed"
    gate.opened.set()


def test_a_machine_without_room_for_a_thread_says_so(
    service: GenerationService, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with (
        monkeypatch.context() as patch,
        pytest.raises(ts.OutOfMemoryError, match="one more thread"),
    ):
        patch.setattr(threading.Thread, "start", no_room)
        service.submit(tiny_folder, request(), "tab")
    assert service.submit(tiny_folder, request(), "tab").wait(WAIT_S).phase == "done"
