"""A trace on the page: tool bar, token strip, detail panel, and the metric over position."""

from __future__ import annotations

import functools
from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tokenscope_core import Influence, Trace
from tokenscope_core.display.formatting import moment_words, rounding_note
from tokenscope_core.display.scales import STRIP_METRICS, LogUnit
from tokenscope_core.record.metric_registry import metric_named
from tokenscope_core.syntax.program import Program
from tokenscope_ui.components.strip import mount, picked
from tokenscope_ui.drawing import chart_files, files, trends
from tokenscope_ui.drawing.charts import position_chart, position_table, scale_for, verdict_ribbon
from tokenscope_ui.request import prompt_checks, prompt_view
from tokenscope_ui.runs import runs
from tokenscope_ui.trace import (
    code_panel,
    code_standing,
    copying,
    go_on,
    healing_note,
    influence,
    look_here,
    token_detail,
    view_controls,
    what_if,
)
from tokenscope_ui.trace.programs import program_of
from tokenscope_ui.trace.strip_payload import growing_payload, strip_payload

STRIP_KEY = "strip"
_TRENDS_KEY = "trend chart"
_CLICK_MEANWHILE = (
    "The newest token stays in view until you scroll back or click one: its figures come at once, "
    "and what its code means when the run has ended."
)
# Streamlit takes a legend's place from the chart's height; that of the verdicts is added to it.
# A browser takes seconds to draw more points, and no screen has room for them.
_MOST_IN_CHART = 4096
_CHART_HEIGHT, _VERDICTS_HEIGHT, _VERDICT_ROW = 230, 41, 16


def show_trace(trace: Trace, *, run: str, running: bool, above: Callable[[], None]) -> None:
    """Draw a trace, finished or growing. `run` names it while it grows; `above` draws what stands
    above a finished one."""
    measured = None if running else influence.known(trace)
    metric, relative, unit, invisibles, bar = _tool_bar(with_influence=measured is not None)
    selected = runs.current().selected
    if selected is not None and selected >= len(trace):
        selected = None
    if not running:
        with bar.container():
            above()
    left, right = st.columns([0.66, 0.34], gap="small")
    right = right.container(key="detail")
    if running:
        payload, first = growing_payload(
            trace, metric, run=run, relative=relative, unit=unit, invisibles=invisibles
        )
        with left:
            if first:
                st.caption(
                    f"The newest tokens, from position {first:,} on; all of them once it is done."
                )
                mount(payload, key="end of a long text", height="window")
                return
            mount(
                payload, key=STRIP_KEY, selected=selected, on_select=_take_pick,
                height="window",
            )  # fmt: skip
        with right:
            if selected is not None:
                token_detail.show_growing_token(trace, selected, unit)
            else:
                st.caption(_CLICK_MEANWHILE)
        return
    program = program_of(trace)
    # What a person clicked for is drawn first, before the code is parsed: the strip shows its
    # selection by itself. The chart of the whole trace comes last.
    with right:
        look_here.show_look_here(program, selected, unit)
        show_code = token_detail.show_token_detail(
            program, selected, unit, metric=metric, measured=measured
        )
    payload = strip_payload(
        trace, metric, run=run, relative=relative, unit=unit, invisibles=invisibles,
        broken=code_standing.breaks(program), influence=measured,
    )  # fmt: skip
    with left:
        mount(
            payload, key=STRIP_KEY, selected=selected, on_select=_take_pick, height="window",
            edges=() if selected is None else code_panel.edges(program, selected),
        )  # fmt: skip
        copying.show_copy_buttons(trace)
        go_on.show_go_on(trace)
        healing_note.show_healing(trace)
    note = prompt_checks.reading_note(trace)
    if note is not None:
        left.caption(f":material/info: {note}")
    precision = rounding_note(trace.model, unit)
    if precision is not None:
        left.caption(f":material/straighten: {precision}")
    if trace.request.moment is not None:
        told = moment_words(trace.request.moment)
        left.caption(f":material/event: The chat template was told that it is {told}.")
    with left:
        prompt_view.filled_code(trace)
    show_code()
    with left:
        if selected is not None:
            what_if.show_what_if(program, selected)
        if st.toggle("All metrics over position", key="all metrics", persist_state="session"):
            _trends(trace, relative, unit, selected, measured)
        else:
            _position_chart(program, metric, relative, unit, selected, measured)


def _tool_bar(*, with_influence: bool) -> tuple[str, bool, LogUnit, bool, DeltaGenerator]:
    """What the strip is drawn with; and the place for what stands beside that."""
    metrics = (*STRIP_METRICS, "influence") if with_influence else STRIP_METRICS
    with st.container(horizontal=True, vertical_alignment="bottom", key="trace tools"):
        metric = view_controls.metric("Tint by", metrics)
        with view_controls.seldom_changed():
            relative = view_controls.relative(what="trace", over="this one")
            unit = view_controls.unit()
            invisibles = view_controls.invisibles()
        # A fixed place, so that the strip stays where it is when the first branch has grown.
        beside = st.empty()
    return metric, relative, unit, invisibles, beside


def _take_pick() -> None:
    runs.select(picked(STRIP_KEY))


def _position_chart(
    program: Program,
    metric: str,
    relative: bool,
    unit: LogUnit,
    selected: int | None,
    measured: Influence | None,
) -> None:
    trace = program.trace
    table = position_table(trace, metric, unit, influence=measured)
    shown = _in_chart(len(trace), selected)
    table = table[table["position"].between(shown.start, shown.stop - 1)]
    if not len(table):
        st.caption(f"No token of this trace has a value for {metric_named(metric).label}.")
        return
    if len(shown) < len(trace):
        st.caption(
            f"Positions {shown.start:,} to {shown.stop - 1:,} of {len(trace):,}, "
            + (
                "around the selected token."
                if selected is not None
                else "its beginning: select a token to see what is around it."
            )
        )
    runs_of_code = code_standing.verdict_runs(program)
    runs_of_code = runs_of_code[
        (runs_of_code["first"] < shown.stop) & (runs_of_code["after"] > shown.start)
    ].assign(
        first=lambda rows: rows["first"].clip(lower=shown.start),
        after=lambda rows: rows["after"].clip(upper=shown.stop),
    )
    verdicts = runs_of_code["verdict"].nunique()
    chart = position_chart(
        table,
        scale_for(trace, metric, relative=relative, unit=unit, influence=measured),
        selected=selected,
        height=_CHART_HEIGHT + (_VERDICTS_HEIGHT + _VERDICT_ROW * verdicts if verdicts else 0),
    )
    if verdicts:
        ribbon = verdict_ribbon(runs_of_code)
        chart = (chart + ribbon).resolve_scale(fill="independent")
    chart_files.draw_chart(
        chart, key="position chart", name=f"{files.of_trace(trace)}.{metric}",
        on_select=_take_chart_pick, selection_mode="pick",
    )  # fmt: skip


def _in_chart(length: int, selected: int | None) -> range:
    """The positions that a chart shows: all, or of a long text those around the selected token."""
    if length <= _MOST_IN_CHART:
        return range(length)
    start = min(max((selected or 0) - _MOST_IN_CHART // 2, 0), length - _MOST_IN_CHART)
    return range(start, start + _MOST_IN_CHART)


def _trends(
    trace: Trace, relative: bool, unit: LogUnit, selected: int | None, measured: Influence | None
) -> None:
    first, end = trends.shown_positions(trace, selected)
    table, panels = trends.trend_table(
        trace, unit, relative=relative, first=first, end=end, influence=measured
    )
    if not panels:
        st.caption("No token of this trace has a value for any metric.")
        return
    chart = trends.trend_chart(
        table, panels, first=first, end=end, prompt_length=trace.prompt_length, selected=selected
    )
    chart_files.draw_chart(
        chart, key=_TRENDS_KEY, name=f"{files.of_trace(trace)}.all-metrics",
        on_select=functools.partial(_take_chart_pick, _TRENDS_KEY), selection_mode="pick",
    )  # fmt: skip
    part = (
        f" Drawn are the positions {first:,} to {end - 1:,} of {len(trace):,}: select a token to "
        "move there."
        if end - first < len(trace)
        else ""
    )
    st.caption(
        "Each metric on the scale of its tint, up is larger. Shaded: the prompt. "
        f"Click near a point to select its token.{part}"
    )


def _take_chart_pick(key: str = "position chart") -> None:
    points = st.session_state[key].selection.get("pick") or []
    if points:
        runs.select(int(points[0]["position"]))
