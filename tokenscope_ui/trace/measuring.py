"""What is measured about a trace on request: begun, stopped, remembered, found in the store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, cast

import streamlit as st

from tokenscope_core import TokenScopeError, Trace
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_core.jobs.analysis_tasks import Analysis, StoredAnalysis
from tokenscope_core.models.files.choice import HALF_PRECISIONS
from tokenscope_core.models.files.model_files import find
from tokenscope_ui.runs import runs
from tokenscope_ui.runs.following import Following, polled
from tokenscope_ui.server.server import service

Result = TypeVar("Result")
_POLL_S = 0.3
_REMEMBERED = 16


class Task(Analysis, StoredAnalysis, Protocol):
    """What measures a trace, and keeps what it found."""


@dataclass
class _State(Generic[Result]):
    """What was measured, by the key of its trace; `partial` names the traces of which it was
    stopped before the last token."""

    found: dict[str, Result] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)


class Measuring(Generic[Result]):
    """One kind of measuring, for the traces of a browser session."""

    def __init__(self, name: str, kind: type[Result], task: Callable[[Trace], Task]) -> None:
        """
        Args:
            name: of what is measured, in the browser session's state.
            kind: what a result is.
            task: measures a trace.
        """
        self._name, self._kind, self._task = name, kind, task
        self._run = Following(f"{name} measuring", self._take)

    def known(self, trace: Trace) -> Result | None:
        """What was measured of a trace, if before a reload; None where nothing was."""
        state = self._state()
        if trace.key not in state.found and not self._run.busy:
            kept = service().stored_result(self._task(trace))
            if kept is not None:
                state.found[trace.key] = kept
        return state.found.get(trace.key)

    def partial(self, trace: Trace) -> bool:
        """Whether it was stopped before its end."""
        return trace.key in self._state().partial

    def show(self, trace: Trace, draw: Callable[[AnalysisView | None, Trace], None]) -> None:
        """Draw, with the view of the measuring while it goes on: again and again."""
        before = self.known(trace)
        if self._run.follow(trace.key) is None and before is not self.known(trace):
            st.rerun()
        follow, goes_on = self._run.follow, self._run.goes_on
        polled(draw, lambda: follow(trace.key), lambda: goes_on(trace.key), _POLL_S)(trace)

    def start(self, trace: Trace) -> None:
        """Measure a trace."""
        self._run.start(trace.key, runs.model_of(trace), self._task(trace))

    def stop(self) -> None:
        """Stop, keeping what there is."""
        self._run.stop()

    def problem(self, trace: Trace) -> TokenScopeError | None:
        """Why a trace could not be measured."""
        return self._run.problem(trace.key)

    def _state(self) -> _State[Result]:
        return cast("_State[Result]", st.session_state.setdefault(f"{self._name}_state", _State()))

    def _take(self, key: str, view: AnalysisView) -> None:
        state, result = self._state(), view.result
        if not isinstance(result, self._kind) or (view.phase != "done" and key in state.found):
            return
        state.found[key] = result
        (state.partial.discard if view.phase == "done" else state.partial.add)(key)
        for old in list(state.found)[:-_REMEMBERED]:
            del state.found[old]
            state.partial.discard(old)


def show_rounding(trace: Trace) -> None:
    """Say so where a model's half precision is in what was measured."""
    precision = _precision(trace)
    if precision in HALF_PRECISIONS:
        st.caption(
            f"The model runs in {precision}: its rounding is in these figures, since what was "
            "recorded token by token is compared with what was read again in blocks. Small ones "
            "may be nothing else."
        )


def _precision(trace: Trace) -> str | None:
    """In which precision a trace's model ran; None where that model is not at hand."""
    choice = runs.model_of(trace)
    with contextlib.suppress(TokenScopeError):
        files = find(choice.name)
        if files is not None and files.fingerprint_in(choice.dtype) == trace.model.fingerprint:
            return choice.dtype or files.precision
    return None
