"""Which choices the rest of a trace depends on: measured on request, with progress and Stop."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
import streamlit as st

from tokenscope_core import Influence, TokenScopeError, Trace
from tokenscope_core.branches.plans import alternatives, turning_points
from tokenscope_core.display.formatting import count_text, duration_text, metric_text
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.jobs.analysis_jobs import AnalysisTicket, AnalysisView
from tokenscope_core.jobs.analysis_tasks import InfluenceOf
from tokenscope_core.models.files.choice import HALF_PRECISIONS
from tokenscope_core.models.files.model_files import find
from tokenscope_core.record.metric_registry import INFLUENCE
from tokenscope_ui.runs import runs
from tokenscope_ui.server.server import service, subscriber
from tokenscope_ui.trace import sampled_choices as choices
from tokenscope_ui.trace import what_if

_STATE = "influence_state"
_POLL_S = 0.3
_REMEMBERED = 16
_SHOWN = 6


@dataclass
class _State:
    """What was measured, by the key of its trace, and what is being measured.

    `partial` names the traces of which it was stopped before the last token.
    """

    found: dict[str, Influence] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)
    ticket: AnalysisTicket | None = None
    key: str = ""
    problem: TokenScopeError | None = None


def _state() -> _State:
    return cast(_State, st.session_state.setdefault(_STATE, _State()))


def known(trace: Trace) -> Influence | None:
    """The influence of a trace's tokens, where it was measured, if before a reload."""
    state = _state()
    if trace.key not in state.found and state.ticket is None:
        kept = service().kept(InfluenceOf(trace))
        if kept is not None:
            state.found[trace.key] = kept
    return state.found.get(trace.key)


def show(trace: Trace, unit: LogUnit) -> None:
    """Draw the button that measures, its progress, or the choices that mattered most."""
    if len(trace) - trace.prompt_length < 2:
        return
    _fork_where_it_mattered(trace)
    st.markdown("**Which choices the rest depends on**")
    found = known(trace)
    if found is not None:
        _most_influential(trace, found, unit)
    if found is not None and trace.key not in _state().partial:
        return
    busy = _follow(trace) is not None
    if not busy and found is not known(trace):
        st.rerun()
    st.fragment(_measuring, run_every=_POLL_S if busy else None)(trace, polling=busy)


def _measuring(trace: Trace, *, polling: bool) -> None:
    state = _state()
    view = _follow(trace)
    if polling != (view is not None):
        # It began or ended in here: the polling, and what was found, follow with a full rerun.
        st.rerun()
    with st.container():
        if view is not None:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button("Stop", icon=":material/stop:", key="stop influence", on_click=_stop)
                share = view.done / view.total if view.total else 0.0
                st.progress(min(1.0, share), text=_progress(view))
            return
        if trace.key in state.partial:
            measured = int(np.isfinite(state.found[trace.key].total).sum())
            st.caption(f"Stopped: {count_text(measured, 'token')} measured, the rest is missing.")
        if state.problem is not None and state.key == trace.key:
            st.text(f"{state.problem.found} {state.problem.action}")
        steps = len(trace) - trace.prompt_length
        again = steps * (steps - 1) // 2
        st.button(
            "Measure influence", icon=":material/query_stats:", key="measure influence",
            help=f"{INFLUENCE.meaning} For each of {steps:,} tokens its runner-up is put in its "
            f"place and the rest is read again: {again:,} tokens, in blocks, about "
            f"{max(1, round(2 + steps / 64)):,} times as long as generating them took.",
            on_click=_start, args=(trace,), disabled=runs.current().busy,
        )  # fmt: skip


def _fork_where_it_mattered(trace: Trace) -> None:
    found = known(trace)
    criteria = {"entropy": "highest entropy", "margin": "lowest margin"}
    if found is not None:
        criteria["influence"] = "highest influence"
    st.markdown("**Fork where it was open**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = st.selectbox(
            "Positions of", list(criteria), format_func=criteria.__getitem__, width=190,
            key="fork by influence" if found is not None else "fork by",
        )  # fmt: skip
        count = st.number_input("How many", 1, 12, 3, key="fork count", width=120)
        st.button(
            "Grow", icon=":material/account_tree:", key="grow turning points",
            help="At each of these positions the runner-up is put in place, a branch each.",
            on_click=_grow_turning_points, args=(trace, by, int(count)),
            disabled=runs.current().busy,
        )  # fmt: skip


def _grow_turning_points(
    trace: Trace, by: Literal["entropy", "margin", "influence"], count: int
) -> None:
    found = known(trace)
    values = found.total if found is not None else np.full(len(trace), np.nan)
    positions = turning_points(trace, by, count, values)
    what_if.grow(
        trace,
        lambda context: tuple(
            plan
            for position in positions
            for plan in alternatives(trace, position, 1, context_length=context)
        ),
    )


def _progress(view: AnalysisView) -> str:
    if view.phase != "running":
        return "Waiting for the model …"
    text = f"{view.done:,} of {count_text(view.total, 'token')}"
    if view.seconds_left is not None:
        text += f" · about {duration_text(view.seconds_left)} left"
    return text


def _follow(trace: Trace) -> AnalysisView | None:
    """Look at the measurement in progress, which is of this trace where a view comes back; takes
    over its result once it has ended."""
    state = _state()
    if state.ticket is None:
        return None
    state.ticket.touch()
    view = state.ticket.view()
    if not view.ended:
        return view if state.key == trace.key else None
    state.ticket = None
    state.problem = view.error
    if isinstance(view.result, Influence):
        state.found[state.key] = view.result
        state.partial.discard(state.key)
        for key in list(state.found)[:-_REMEMBERED]:
            del state.found[key]
            state.partial.discard(key)
    return None


def _start(trace: Trace) -> None:
    state = _state()
    _stop()
    state.key, state.problem = trace.key, None
    try:
        state.ticket = service().analyse(runs.model_of(trace), InfluenceOf(trace), subscriber())
    except TokenScopeError as problem:
        state.problem = problem


def _stop() -> None:
    state = _state()
    if state.ticket is not None:
        part = state.ticket.stop().result
        state.ticket = None
        if isinstance(part, Influence) and state.key not in state.found:
            state.found[state.key] = part
            state.partial.add(state.key)


def _most_influential(trace: Trace, found: Influence, unit: LogUnit) -> None:
    order = np.argsort(-np.nan_to_num(found.total, nan=-np.inf), kind="stable")
    best = [int(i) for i in order[:_SHOWN] if np.isfinite(found.total[i])]
    for position in best:
        shown = metric_text("influence", _on_screen(found, position, unit), unit)
        taken = trace.vocabulary.token_bytes[int(trace.token_ids[position])]
        other = trace.vocabulary.token_bytes[int(found.runner_up[position])]
        st.button(
            f"{choices.code(taken)} not {choices.code(other)} {shown}",
            key=f"jump influence {position}",
            help=f"Select position {position:,}. With the runner-up all that follows would be "
            f"{shown} less likely.",
            on_click=runs.select, args=(position,), type="tertiary",
        )  # fmt: skip
    st.caption("Tint by *influence* to see it on the code.")
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


def _on_screen(found: Influence, position: int, unit: LogUnit) -> float:
    return float(to_screen("influence", found.total[position : position + 1], unit)[0])
