"""Following what runs in the background: begun, looked at again and again, stopped, taken over."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import streamlit as st

from tokenscope_core import ModelChoice, TokenScopeError
from tokenscope_core.jobs.analysis_jobs import AnalysisTicket, AnalysisView
from tokenscope_core.jobs.analysis_tasks import Analysis
from tokenscope_core.jobs.job import Hold
from tokenscope_ui.server.server import service, subscriber

AnyView = TypeVar("AnyView")
Arguments = ParamSpec("Arguments")


def look(ticket: Hold[Any, Any]) -> Any:
    """The view of a run, which learns that the visitor is still there."""
    ticket.touch()
    return ticket.view()


def polled(
    draw: Callable[Concatenate[AnyView, Arguments], None],
    follow: Callable[[], AnyView],
    goes_on: Callable[[], bool],
    every_s: float,
) -> Callable[Arguments, None]:
    """Draws a run in a fragment of its own, again and again for as long as it goes on.

    Where it began or ended in there, the controls, the polling and what it came to follow with a
    full rerun.

    Args:
        draw: is given the view, then what the function that is returned is given.
        follow: looks at the run, and takes over what it has come to once it has ended.
        goes_on: whether there is one, without looking at it.
        every_s: seconds between two drawings.
    """

    # A fragment is known by the name of its function.
    @functools.wraps(draw)
    def drawn(polling: bool, *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        view = follow()
        if polling != goes_on():
            st.rerun()
        with st.container():
            draw(view, *args, **kwargs)

    polling = goes_on()
    fragment = st.fragment(drawn, run_every=every_s if polling else None)
    return functools.partial(fragment, polling)


@dataclass
class _Waiting:
    """What a browser session waits for: `subject` says what the rest is about."""

    subject: Any = None
    ticket: AnalysisTicket | None = None
    problem: TokenScopeError | None = None
    stopped: bool = False


class Following:
    """The one analysis that a browser session waits for in one place of the page, a later one in
    the place of an earlier. After a reload nothing is waited for: what was computed is found in the
    store, and what still runs is joined by asking for it again."""

    def __init__(self, name: str, take: Callable[[Any, AnalysisView], object]) -> None:
        """
        Args:
            name: of the place.
            take: is given the subject and the last view of what has ended or was stopped.
        """
        self.name = name
        self._take = take

    def start(self, subject: Any, model: ModelChoice, analysis: Analysis) -> None:
        """Have it computed, in the place of what is being computed now."""
        self.stop()
        try:
            ticket = service().analyse(model, analysis, subscriber())
        except TokenScopeError as problem:
            self.refuse(subject, problem)
        else:
            st.session_state[self.name] = _Waiting(subject, ticket)

    def refuse(self, subject: Any, problem: TokenScopeError) -> None:
        """Say why it cannot be computed."""
        st.session_state[self.name] = _Waiting(subject, problem=problem)

    def follow(self, subject: Any) -> AnalysisView | None:
        """Look at what is being computed, which is of that subject where a view comes back; takes
        over what it came to once it has ended."""
        waiting = self._waiting()
        if waiting.ticket is None:
            return None
        view: AnalysisView = look(waiting.ticket)
        if not view.ended:
            return view if waiting.subject == subject else None
        waiting.ticket, waiting.problem = None, view.error
        self._take(waiting.subject, view)
        return None

    def stop(self) -> None:
        """Stop what is being computed, keeping what there is of it."""
        waiting = self._waiting()
        if waiting.ticket is not None:
            view = waiting.ticket.stop()
            # It may have failed since it was looked at.
            waiting.ticket, waiting.problem = None, view.error
            waiting.stopped = view.error is None
            self._take(waiting.subject, view)

    def clear(self) -> None:
        """Stop, and forget what was the matter."""
        self.stop()
        st.session_state.pop(self.name, None)

    @property
    def busy(self) -> bool:
        """Whether anything is being computed."""
        return self._waiting().ticket is not None

    def goes_on(self, subject: Any) -> bool:
        """Whether that subject is being computed."""
        return self.busy and bool(self._waiting().subject == subject)

    def problem(self, subject: Any) -> TokenScopeError | None:
        """Why that subject could not be computed."""
        waiting = self._waiting()
        return waiting.problem if waiting.subject == subject else None

    def stopped(self, subject: Any) -> bool:
        """Whether a person stopped that subject last."""
        waiting = self._waiting()
        return waiting.stopped and bool(waiting.subject == subject)

    def _waiting(self) -> _Waiting:
        return cast(_Waiting, st.session_state.setdefault(self.name, _Waiting()))
