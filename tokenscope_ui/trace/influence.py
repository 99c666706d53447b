"""Which choices the rest of a trace depends on: measured on request, with progress and Stop."""

from __future__ import annotations

from typing import Literal

import numpy as np
import streamlit as st

from tokenscope_core import Influence, Trace
from tokenscope_core.branches.plans import alternatives, turning_points
from tokenscope_core.display.formatting import count_text, metric_text
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_core.jobs.analysis_tasks import InfluenceOf
from tokenscope_core.record.metric_registry import INFLUENCE
from tokenscope_ui.runs import progress, runs
from tokenscope_ui.trace import sampled_choices, what_if
from tokenscope_ui.trace.measuring import Measuring, show_rounding

_SHOWN = 6

_measuring = Measuring("influence", Influence, InfluenceOf)
known = _measuring.known


def show_influence(trace: Trace, unit: LogUnit) -> None:
    """Draw the button that measures, its progress, or the choices that mattered most."""
    if len(trace) - trace.prompt_length < 2:
        return
    _fork_where_it_mattered(trace)
    st.markdown("**Which choices the rest depends on**")
    found = known(trace)
    if found is not None:
        _most_influential(trace, found, unit)
    if found is None or _measuring.partial(trace):
        _measuring.show(trace, _show_measuring)


def _show_measuring(view: AnalysisView | None, trace: Trace) -> None:
    if view is not None:
        progress.show_progress(
            view, key="influence", on_stop=_measuring.stop, text=progress.steps_text(view, "token")
        )
        return
    found, problem = known(trace), _measuring.problem(trace)
    if found is not None:
        measured = int(np.isfinite(found.total).sum())
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
        on_click=_measuring.start, args=(trace,), disabled=runs.current().busy,
    )  # fmt: skip


def _fork_where_it_mattered(trace: Trace) -> None:
    found = known(trace)
    criteria = {"entropy": "highest entropy", "margin": "lowest margin"}
    if found is not None:
        criteria["influence"] = "highest influence"
    st.markdown("**Try the runner-up where the model was unsure**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = st.selectbox(
            "At the tokens of", list(criteria), format_func=criteria.__getitem__, width=190,
            key="fork by influence" if found is not None else "fork by",
        )  # fmt: skip
        count = st.number_input("How many", 1, 12, 3, key="fork count", width=120)
        st.button(
            "Grow", icon=":material/account_tree:", key="grow turning points",
            help="Grows a branch at each of them, with the second most probable token in its "
            "place.",
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
    show_rounding(trace)


def _on_screen(found: Influence, position: int, unit: LogUnit) -> float:
    return float(to_screen("influence", found.total[position : position + 1], unit)[0])
