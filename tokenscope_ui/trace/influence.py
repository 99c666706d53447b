"""Which choices the rest of a trace depends on: measured on request, with progress and Stop."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
import streamlit as st

from tokenscope_core import Influence, TokenScopeError, Trace
from tokenscope_core.branches.plans import alternatives, turning_points
from tokenscope_core.display.formatting import count_text, metric_text
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_core.jobs.analysis_tasks import InfluenceOf
from tokenscope_core.models.files.choice import HALF_PRECISIONS
from tokenscope_core.models.files.model_files import find
from tokenscope_core.record.metric_registry import INFLUENCE
from tokenscope_ui.runs import progress, runs
from tokenscope_ui.runs.following import Following, polled
from tokenscope_ui.server.server import service
from tokenscope_ui.trace import sampled_choices, what_if

_STATE = "influence_state"
_POLL_S = 0.3
_REMEMBERED = 16
_SHOWN = 6


@dataclass
class _State:
    """What was measured, by the key of its trace; `partial` names the traces of which it was
    stopped before the last token."""

    found: dict[str, Influence] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)


def _state() -> _State:
    return cast(_State, st.session_state.setdefault(_STATE, _State()))


def known(trace: Trace) -> Influence | None:
    """The influence of a trace's tokens, where it was measured, if before a reload."""
    state = _state()
    if trace.key not in state.found and not _run.busy:
        kept = service().stored_result(InfluenceOf(trace))
        if kept is not None:
            state.found[trace.key] = kept
    return state.found.get(trace.key)


def show_influence(trace: Trace, unit: LogUnit) -> None:
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
    if _run.follow(trace.key) is None and found is not known(trace):
        st.rerun()
    polled(_measuring, lambda: _run.follow(trace.key), lambda: _run.goes_on(trace.key), _POLL_S)(
        trace
    )


def _measuring(view: AnalysisView | None, trace: Trace) -> None:
    if view is not None:
        progress.show_progress(
            view, key="influence", on_stop=_run.stop, text=progress.steps_text(view, "token")
        )
        return
    state, problem = _state(), _run.problem(trace.key)
    if trace.key in state.partial:
        measured = int(np.isfinite(state.found[trace.key].total).sum())
        st.caption(f"Stopped: {count_text(measured, 'token')} measured, the rest is missing.")
    if problem is not None:
        st.text(f"{problem.found} {problem.action}")
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


def _start(trace: Trace) -> None:
    _run.start(trace.key, runs.model_of(trace), InfluenceOf(trace))


def _take(key: str, view: AnalysisView) -> None:
    state = _state()
    if not isinstance(view.result, Influence) or (view.phase != "done" and key in state.found):
        return
    state.found[key] = view.result
    (state.partial.discard if view.phase == "done" else state.partial.add)(key)
    for old in list(state.found)[:-_REMEMBERED]:
        del state.found[old]
        state.partial.discard(old)


_run = Following("influence measuring", _take)


def _most_influential(trace: Trace, found: Influence, unit: LogUnit) -> None:
    order = np.argsort(-np.nan_to_num(found.total, nan=-np.inf), kind="stable")
    best = [int(i) for i in order[:_SHOWN] if np.isfinite(found.total[i])]
    for position in best:
        shown = metric_text("influence", _on_screen(found, position, unit), unit)
        taken = sampled_choices.token_code(trace, position)
        other = sampled_choices.code(trace.vocabulary.token_bytes[int(found.runner_up[position])])
        st.button(
            f"{taken} not {other} {shown}",
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
