"""An analysis that a browser session waits for: begun, replaced, taken over, stopped, refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import streamlit as st

from tokenscope_core import ModelChoice, TokenScopeError
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_ui.runs import following
from tokenscope_ui.runs.following import Following

MODEL = ModelChoice("some model")
REFUSED = TokenScopeError(asked="a", found="b", action="c")


class Ticket:
    """A hold on an analysis that is where the test puts it."""

    def __init__(self) -> None:
        self.now = AnalysisView("job", MODEL, "running", done=1, total=3)
        self.touched = 0

    def touch(self) -> None:
        self.touched += 1

    def view(self) -> AnalysisView:
        return self.now

    def stop(self) -> AnalysisView:
        if not self.now.ended:
            self.now = replace(self.now, phase="stopped", result="part")
        return self.now


class Service:
    """Has every analysis computed but those that it refuses."""

    def __init__(self) -> None:
        self.tickets: list[Ticket] = []

    def analyse(self, model: ModelChoice, analysis: Any, subscriber: str) -> Ticket:
        if analysis == "too large":
            raise REFUSED
        self.tickets.append(Ticket())
        return self.tickets[-1]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    made = Service()
    monkeypatch.setattr(following, "service", lambda: made)
    monkeypatch.setattr(following, "subscriber", lambda: "tab")
    yield made
    st.session_state.clear()


@pytest.fixture
def taken() -> list[tuple[Any, str, Any]]:
    return []


@pytest.fixture
def run(taken: list[tuple[Any, str, Any]]) -> Following:
    return Following(
        "waiting", lambda subject, view: taken.append((subject, view.phase, view.result))
    )


def test_what_goes_on_is_seen_by_its_subject_alone(service: Service, run: Following) -> None:
    assert run.follow("a") is None
    run.start("a", MODEL, "analysis")
    view = run.follow("a")
    assert view is not None
    assert (view.done, view.total) == (1, 3)
    assert run.follow("b") is None
    assert (run.busy, run.goes_on("a"), run.goes_on("b")) == (True, True, False)
    assert service.tickets[0].touched == 2


def test_what_has_ended_is_taken_over_once_whoever_looks(
    service: Service, run: Following, taken: list[tuple[Any, str, Any]]
) -> None:
    run.start("a", MODEL, "analysis")
    service.tickets[0].now = replace(service.tickets[0].now, phase="done", result="all")
    assert run.follow("b") is None
    assert run.follow("a") is None
    assert taken == [("a", "done", "all")]
    assert not run.busy


def test_a_stop_keeps_the_part_there_is(
    service: Service, run: Following, taken: list[tuple[Any, str, Any]]
) -> None:
    run.start("a", MODEL, "analysis")
    run.stop()
    run.stop()
    assert taken == [("a", "stopped", "part")]
    assert (run.stopped("a"), run.stopped("b"), run.busy) == (True, False, False)


def test_a_stop_that_comes_too_late_takes_over_all_of_it(
    service: Service, run: Following, taken: list[tuple[Any, str, Any]]
) -> None:
    run.start("a", MODEL, "analysis")
    service.tickets[0].now = replace(service.tickets[0].now, phase="done", result="all")
    run.stop()
    assert taken == [("a", "done", "all")]


def test_another_takes_the_place_of_the_one_before(
    service: Service, run: Following, taken: list[tuple[Any, str, Any]]
) -> None:
    run.start("a", MODEL, "analysis")
    run.start("b", MODEL, "analysis")
    assert taken == [("a", "stopped", "part")]
    assert (run.goes_on("b"), run.stopped("a")) == (True, False)


def test_what_was_refused_or_failed_says_why_until_something_else_is_asked_for(
    service: Service, run: Following
) -> None:
    run.start("a", MODEL, "too large")
    assert run.problem("a") is REFUSED
    assert run.problem("b") is None
    assert not run.busy
    run.start("b", MODEL, "analysis")
    service.tickets[0].now = replace(service.tickets[0].now, phase="failed", error=REFUSED)
    assert run.follow("b") is None
    assert (run.problem("a"), run.problem("b")) == (None, REFUSED)
    run.clear()
    assert run.problem("b") is None


def test_one_that_failed_just_before_the_stop_says_why(service: Service, run: Following) -> None:
    run.start("a", MODEL, "analysis")
    service.tickets[0].now = replace(service.tickets[0].now, phase="failed", error=REFUSED)
    run.stop()
    assert (run.problem("a"), run.stopped("a")) == (REFUSED, False)
