"""Many visitors and one model: whose turn it is, how long it takes, how much one may ask for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_models

from tokenscope_core import LanguageModel, QueueFullError, Request, Store
from tokenscope_core.jobs.generation_jobs import Job, Ticket
from tokenscope_core.jobs.generation_tasks import Prompted
from tokenscope_core.jobs.job import Holder
from tokenscope_core.jobs.model_preparation import ReadyModel
from tokenscope_core.jobs.queueing import FairQueue, Pace
from tokenscope_core.jobs.service import GenerationService
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.settings import Limits

WAIT_S = 60.0
Start = Callable[..., GenerationService]


@pytest.fixture
def gate() -> threading.Event:
    """Loading the model waits for it: until it opens, one run is being made ready and all others
    wait."""
    return threading.Event()


@pytest.fixture
def start(store: Store, gate: threading.Event, lm: LanguageModel) -> Iterator[Start]:
    services = []

    def load(*_: object) -> LanguageModel:
        assert gate.wait(WAIT_S)
        return lm

    def begin(limits: Limits, **options: Any) -> GenerationService:
        services.append(GenerationService(store, limits=limits, load=load, **options))
        return services[-1]

    yield begin
    gate.set()
    for service in services:
        service.close()


def asked(service: GenerationService, model: str, visitor: str, number: int) -> Ticket:
    prompt = f"{visitor}{number} ="
    ticket = service.submit(model, Request(prompt, max_new_tokens=4), visitor)
    deadline = time.monotonic() + WAIT_S
    while number < 0 and ticket.view().phase == "queued" and time.monotonic() < deadline:
        time.sleep(0.001)
    return ticket


def positions(*tickets: Ticket) -> list[int | None]:
    places = [ticket.view().place for ticket in tickets]
    return [None if place is None else place.position for place in places]


def test_visitors_take_turns_however_much_one_asks_for(
    start: Start, gate: threading.Event, tiny_folder: str
) -> None:
    service = start(Limits(jobs_per_visitor=10))
    asked(service, tiny_folder, "first", -1)
    greedy = [asked(service, tiny_folder, "greedy", n) for n in range(3)]
    modest = asked(service, tiny_folder, "modest", 0)
    assert positions(*greedy, modest) == [1, 3, 4, 2]
    gate.set()
    assert [t.wait(WAIT_S).phase for t in (*greedy, modest)] == ["done"] * 4


def test_a_run_that_two_wait_for_comes_when_the_first_of_them_is_due(
    start: Start, tiny_folder: str
) -> None:
    service = start(Limits())
    asked(service, tiny_folder, "first", -1)
    one = asked(service, tiny_folder, "greedy", 0)
    shared = asked(service, tiny_folder, "greedy", 1)
    other = service.submit(tiny_folder, Request("greedy1 =", max_new_tokens=4), "other")
    assert positions(one, shared, other) == [1, 2, 2]


def test_what_nobody_waits_for_any_more_is_not_counted(start: Start, tiny_folder: str) -> None:
    service = start(Limits(waiting_per_model=2))
    asked(service, tiny_folder, "first", -1)
    left, stays = asked(service, tiny_folder, "a", 0), asked(service, tiny_folder, "b", 0)
    left.stop()
    assert positions(stays) == [1]
    assert positions(asked(service, tiny_folder, "c", 0)) == [2]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(jobs_per_visitor=2), "of yours that wait or run are 2"),
        (Limits(waiting=1), "that wait on this server are 1"),
        (Limits(waiting_per_model=1), "are 1 already"),
    ],
)
def test_more_than_the_server_takes_on_is_refused_with_the_bound(
    start: Start, tiny_folder: str, limits: Limits, said: str
) -> None:
    service = start(limits)
    asked(service, tiny_folder, "visitor", -1)
    asked(service, tiny_folder, "visitor", 1)
    with pytest.raises(QueueFullError, match=said):
        asked(service, tiny_folder, "visitor", 2)


def test_what_has_been_stopped_makes_room_at_once_for_all(start: Start, tiny_folder: str) -> None:
    service = start(Limits(waiting=1))
    asked(service, tiny_folder, "first", -1)
    asked(service, tiny_folder, "second", 0).stop()
    assert positions(asked(service, tiny_folder, "third", 0)) == [1]


def test_whom_nobody_waits_for_any_more_takes_no_place_of_another_models_visitors(
    start: Start, tiny_folder: str, tmp_path: Path
) -> None:
    clock = [0.0]
    service = start(Limits(waiting=1, grace_s=60.0), clock=lambda: clock[0])
    asked(service, tiny_folder, "first", -1)
    asked(service, tiny_folder, "gone", 0)
    service.lose("gone")
    clock[0] += 61.0
    other = tiny_models.saved(tmp_path, seed=1)
    assert not service.submit(other, Request("x"), "visitor").view().ended


def test_newcomers_do_not_keep_back_for_ever_who_was_there_before() -> None:
    queue = FairQueue()

    def wants(visitor: str) -> Job:
        job = Job(visitor, ModelChoice("m"), Prompted(Request("x")), clock=time.monotonic)
        job.join(Holder(visitor))
        queue.append(job)
        return job

    wants("regular")
    queue.take()
    waiting = wants("regular")
    for number in range(20):
        wants(f"newcomer {number}")
        if queue.take() is waiting:
            break
    else:
        pytest.fail("twenty newcomers went first")


def test_a_visitor_at_the_limit_may_ask_again_after_a_stop(start: Start, tiny_folder: str) -> None:
    service = start(Limits(jobs_per_visitor=1))
    first = asked(service, tiny_folder, "visitor", 0)
    with pytest.raises(QueueFullError):
        asked(service, tiny_folder, "visitor", 1)
    first.stop()
    assert not asked(service, tiny_folder, "visitor", 1).view().ended


def test_the_wait_is_unknown_until_the_model_has_done_something(
    start: Start, gate: threading.Event, tiny_folder: str
) -> None:
    service = start(Limits())
    asked(service, tiny_folder, "first", -1)
    waiting = asked(service, tiny_folder, "second", 0).view().place
    assert waiting is not None
    assert waiting.seconds is None


def test_getting_a_model_ready_says_nothing_of_its_pace(
    start: Start, gate: threading.Event, tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.set()
    service = start(Limits())
    assert service.analyse(tiny_folder, ReadyModel(5_000), "first").wait(WAIT_S).phase == "done"
    go_on, work = threading.Event(), Job.work

    def held_up(job: Job, *arguments: Any) -> None:
        assert go_on.wait(WAIT_S)
        work(job, *arguments)

    monkeypatch.setattr(Job, "work", held_up)
    asked(service, tiny_folder, "first", -1)
    waiting = asked(service, tiny_folder, "second", 0).view().place
    go_on.set()
    assert waiting is not None
    assert waiting.seconds is None


def test_the_pace_is_seconds_by_token_and_leans_to_recent_jobs() -> None:
    pace = Pace()
    assert pace.seconds(100) is None
    pace.note(tokens=10, seconds=1.0)
    assert pace.seconds(100) == pytest.approx(10.0)
    for _ in range(50):
        pace.note(tokens=10, seconds=2.0)
    assert pace.seconds(100) == pytest.approx(20.0, rel=1e-3)
