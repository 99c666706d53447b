"""Between a wish and what it comes to: its cost, a button, progress, Stop, or a refusal."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from tokenscope_core import (
    CapabilityError,
    ModelChoice,
    SelectionTooLargeError,
    TokenScopeError,
    Trace,
)
from tokenscope_core.attention.capture_tasks import AttentionOf
from tokenscope_core.display.formatting import count_text
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_core.jobs.analysis_tasks import Analysis
from tokenscope_ui.attention import captures, state
from tokenscope_ui.attention.costs import cost_text, is_small, smaller
from tokenscope_ui.attention.model import reader_of
from tokenscope_ui.attention.rows import row_of
from tokenscope_ui.attention.view_choice import AttentionLook
from tokenscope_ui.request import problems
from tokenscope_ui.runs import following, progress, runs

_POLL_S = 0.2
# How long a page waits for what began unasked, before it shows progress.
_PATIENCE_S = 0.6


def need(trace: Trace, analysis: Analysis, what: str) -> Any:
    """What an analysis came to. Where it is not all there, draws how to get it; then the result is
    the part that was computed before it was stopped, or None.

    Args:
        trace: the text that is read again.
        analysis: what is wanted of it.
        what: what it is called, beginning with a capital.
    """
    found = captures.result(analysis)
    if found is not None and not captures.stopped(analysis):
        return found
    view = captures.follow(analysis)
    if view is None and _begins_unasked(trace, analysis):
        view = _patiently(analysis)
    found = captures.result(analysis)
    if found is None or captures.stopped(analysis):
        look = state.current()
        following.polled(
            _box, lambda: captures.follow(analysis), lambda: captures.goes_on(analysis), _POLL_S
        )(trace, analysis, what, look)
    return found


def _begins_unasked(trace: Trace, analysis: Analysis) -> bool:
    """Begins what is stored, or takes next to nothing; says whether it did."""
    if captures.busy() or captures.stopped(analysis) or captures.problem(analysis) is not None:
        return False
    if not captures.is_stored(analysis):
        if runs.current().busy:
            return False
        try:
            reader = reader_of(trace)
        except TokenScopeError:
            return False
        if not reader.loaded or not is_small(reader, trace, analysis):
            return False
    captures.start(runs.model_of(trace), analysis)
    return True


def _patiently(analysis: Analysis) -> AnalysisView | None:
    deadline = time.monotonic() + _PATIENCE_S
    view = captures.follow(analysis)
    while view is not None and time.monotonic() < deadline:
        time.sleep(0.01)
        view = captures.follow(analysis)
    return view


def _box(
    view: AnalysisView | None, trace: Trace, analysis: Analysis, what: str, look: AttentionLook
) -> None:
    if look != state.current():
        # Something else is wanted now.
        st.rerun()
    problem = captures.problem(analysis)
    if view is not None:
        progress.show_progress(
            view, key="attention", on_stop=captures.stop,
            help="Stops after the layer that is being read, and keeps the layers there are.",
            text=f"{what}: {progress.steps_text(view, 'layer', ' read')}",
        )  # fmt: skip
    elif isinstance(problem, SelectionTooLargeError):
        _refusal(trace, analysis, problem, what)
    elif problem is not None:
        problems.box(problem, title=f"{what} could not be captured", key="problem attention")
        # What the model cannot give, it will not give next time.
        if not isinstance(problem, CapabilityError):
            _offer(trace, analysis, "Try again")
    elif captures.stopped(analysis):
        part = captures.result(analysis)
        layers = len(getattr(part, "layers", ()))
        there = f"{count_text(layers, 'layer')} of it" if layers else "nothing of it"
        st.caption(f":material/stop: Stopped, with {there} captured.")
        _offer(trace, analysis, "Capture the rest")
    else:
        _offer(trace, analysis, f"Capture {what[:1].lower()}{what[1:]}")


def _offer(trace: Trace, analysis: Analysis, label: str) -> None:
    try:
        reader = reader_of(trace)
    except TokenScopeError as error:
        problems.box(error, title="Its attention cannot be captured", key="problem reader")
        return
    with st.container(horizontal=True, vertical_alignment="center", key="attention offer"):
        st.button(
            label, icon=":material/center_focus_strong:", key="attention capture", type="primary",
            on_click=captures.start, args=(reader.choice, analysis),
            disabled=runs.current().busy,
        )  # fmt: skip
        st.caption(cost_text(reader, trace, analysis), width="content")


def _refusal(trace: Trace, analysis: Analysis, problem: SelectionTooLargeError, what: str) -> None:
    """Say why it is too much, and offer less."""
    with problems.box(problem, title=f"{what} is too much at once", key="problem attention"):
        if not isinstance(analysis, AttentionOf):
            return
        reader = reader_of(trace)
        selected, head = runs.current().selected, state.current().head
        at = None if selected is None else row_of(selected, state.current().question)
        for number, (words, less) in enumerate(
            smaller(reader, trace, problem, analysis.selection, at, head)
        ):
            st.button(
                f"Capture {words}", key=f"attention smaller {number}", on_click=_take_less,
                args=(reader.choice, AttentionOf(trace, less)),
            )  # fmt: skip


def _take_less(model: ModelChoice, less: AttentionOf) -> None:
    """Look at less of the layer, and have it captured."""
    selection = less.selection
    changes: dict[str, Any] = {
        "queries": selection.queries, "alone": selection.heads is not None,
    }  # fmt: skip
    if selection.heads is not None:
        changes["head"] = selection.heads[0]
    state.choose(**changes)
    captures.start(model, less)
