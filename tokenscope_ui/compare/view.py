"""Two branches compared: in words, in totals, side by side, and over position."""

from __future__ import annotations

from typing import cast

import numpy as np
import streamlit as st

from tokenscope_core import Comparison, Session, TokenScopeError, Trace
from tokenscope_core.metric_registry import BY_NAME
from tokenscope_ui import problems, runs, sessions
from tokenscope_ui.branch_traces import stored
from tokenscope_ui.compare import detail, measuring, state, syntax
from tokenscope_ui.compare.chart import (
    difference_chart,
    difference_table,
    divergence_chart,
    divergence_table,
)
from tokenscope_ui.compare.payload import (
    Look,
    compared,
    difference_texts,
    differences,
    first_shown,
    positions,
    row_of,
    side_payload,
    side_trace,
)
from tokenscope_ui.compare.state import SIDES, Side
from tokenscope_ui.compare.words import in_words, spelled, summary_table
from tokenscope_ui.router import BRANCHES_PAGE, HOME, ROOT
from tokenscope_ui.scales import STRIP_METRICS, LogUnit, difference_scale
from tokenscope_ui.strip import mount, picked

_STRIP_HEIGHT = 380
_LARGEST = 6
_CHART_KEYS = ("difference chart", "divergence chart")


def show(session: Session) -> None:
    """Draw the comparison of the two chosen branches, or what stands in its way."""
    a, b = state.keys(session)
    traces = [_trace(session, side, key) for side, key in zip(SIDES, (a, b), strict=True)]
    if a == b:
        st.info(
            "A and B are the same branch, so every difference is 0. Choose another one above.",
            icon=":material/info:",
        )
        return
    if traces[0] is None or traces[1] is None:
        return
    try:
        comparison = state.measured(traces[0], traces[1]) or compared(traces[0], traces[1])
    except TokenScopeError as error:
        problems.box(error, title="These two cannot be compared", key="problem comparison")
        return
    _both(comparison)


def _trace(session: Session, side: Side, key: str) -> Trace | None:
    """The trace of one side; where there is none, says so."""
    trace = stored(key) if key in session else None
    if trace is None:
        if key in session:
            found = (
                f"Its text, of the branch “{session.branch(key).name}”, is no longer in the store, "
                "which makes room for new ones."
            )
            action = "Compute it again on the page Branches, or choose another branch above."
        else:
            found = "The session holds no branch of that key; it may have been removed."
            action = "Choose a branch above, or undo its removal on the page Branches."
        box = problems.box(
            TokenScopeError(
                asked=f"The branch {key[:12]} was to be compared, as {side.upper()}.",
                found=found,
                action=action,
            ),
            title=f"{side.upper()} cannot be shown",
            key=f"problem {side}",
        )
        box.page_link(
            ROOT / BRANCHES_PAGE, label="Branches", icon=":material/account_tree:",
            query_params=sessions.address(),
        )  # fmt: skip
    return trace


def _both(comparison: Comparison) -> None:
    # Two spaces end a line of Markdown without a gap after it.
    st.markdown("  \n".join(in_words(comparison)))
    measuring.draw(comparison)
    unit = _current_unit()
    st.table(summary_table(comparison, unit), hide_index=True)
    look = _tool_bar(comparison)
    row = state.selected(comparison)
    _strips(comparison, look, row)
    detail.show(comparison, row, look.unit)
    if comparison.relation == "diverge":
        _charts(comparison, look, row)
        syntax.show(comparison, look.unit)


def _current_unit() -> LogUnit:
    return cast(LogUnit, st.session_state.get("unit") or "bits")


def _tool_bar(comparison: Comparison) -> Look:
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare tools"):
        metric = st.selectbox(
            "Metric", STRIP_METRICS, key="metric", width=200, persist_state="session",
            format_func=lambda name: BY_NAME[name].label,
        )  # fmt: skip
        tint = st.segmented_control(
            "Tint by", ("value", "difference"), default="value", key="compare_tint",
            required=True, persist_state="session",
            help="The metric of each token, or how much more it is in B than in A: warm where B "
            "is less sure, blue where it is surer.",
        )  # fmt: skip
        scale = st.segmented_control(
            "Scale", ("absolute", "relative"), default="absolute", key="scale", required=True,
            persist_state="session",
            help="Absolute: the same tint is the same number in every comparison. "
            "Relative: stretched over these two.",
        )  # fmt: skip
        unit = st.segmented_control(
            "Unit", ("bits", "nats"), default="bits", key="unit", required=True,
            persist_state="session", help="Of log quantities on screen; files always say nats.",
        )  # fmt: skip
        invisibles = st.toggle(
            "Show white space and bytes", key="invisibles", persist_state="session"
        )
        hidden = first_shown(comparison)[0]
        shorten = st.toggle(
            "Hide the shared beginning", key="compare_shorten", persist_state="session",
            disabled=not hidden,
            help="Begins both texts a few lines before they part.",
        )  # fmt: skip
    return Look(
        str(metric), tint == "difference", scale == "relative", cast(LogUnit, unit), invisibles,
        whole=not shorten or not hidden,
    )  # fmt: skip


def strip_key(side: Side) -> str:
    """What the strip of a side is called."""
    return f"compare_strip_{side}"


def _strips(comparison: Comparison, look: Look, row: int | None) -> None:
    first = 0 if look.whole else first_shown(comparison)[0]
    for column, side in zip(st.columns(2, gap="small"), SIDES, strict=True):
        position = -1 if row is None else int(positions(comparison, side)[row])
        with column:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{side.upper()}**", width="content")
                st.page_link(
                    ROOT / HOME, label="Open in Decode", icon=":material/stylus_note:",
                    query_params={
                        runs.RUN_PARAMETER: side_trace(comparison, side).key,
                        **sessions.address(),
                    },
                )  # fmt: skip
            mount(
                side_payload(comparison, side, look), key=strip_key(side),
                selected=position - first if position >= first else None,
                on_select=_take_a if side == "a" else _take_b, height=_STRIP_HEIGHT,
            )  # fmt: skip


def _take_a() -> None:
    _take("a")


def _take_b() -> None:
    _take("b")


def _take(side: Side) -> None:
    """Select the row of the token that was picked in a strip."""
    comparison, index = _shown(), picked(strip_key(side))
    if comparison is None or index is None:
        return
    first = first_shown(comparison)[0] if st.session_state.get("compare_shorten") else 0
    row = row_of(comparison, side, index + first)
    if row is not None:
        state.select(row)


def _shown() -> Comparison | None:
    session = sessions.current()
    if session is None:
        return None
    a, b = map(stored, state.keys(session))
    return None if a is None or b is None else compared(a, b)


def _charts(comparison: Comparison, look: Look, row: int | None) -> None:
    last = len(comparison) - 1
    table = difference_table(comparison, look.metric, look.unit)
    label = BY_NAME[look.metric].label
    st.markdown(f"**How {label} changed**, from where they part on")
    if len(table):
        values = differences(comparison, look.metric, look.unit)
        scale = difference_scale(look.metric, values, relative=look.relative, unit=look.unit)
        st.altair_chart(
            difference_chart(table, scale, last=last, selected=row),
            key=_CHART_KEYS[0], on_select=_take_difference, selection_mode="pick",
        )  # fmt: skip
        _largest(comparison, look)
    else:
        st.caption("No two tokens that face each other both have a value of it.")
    moved = divergence_table(comparison, look.unit)
    if comparison.measured == "none" or not len(moved):
        return
    st.markdown("**How far the model’s distributions moved**", help=measuring.HELP)
    st.altair_chart(
        divergence_chart(moved, look.unit, last=last, selected=row),
        key=_CHART_KEYS[1], on_select=_take_divergence, selection_mode="pick",
    )  # fmt: skip


def _largest(comparison: Comparison, look: Look) -> None:
    """Ways to the rows where the metric changed most."""
    size = np.nan_to_num(np.abs(differences(comparison, look.metric, look.unit)), nan=0.0)
    size[~np.isfinite(size)] = 0.0
    order = np.argsort(-size, kind="stable")[:_LARGEST]
    texts = difference_texts(comparison, look.metric, look.unit)
    with st.container(horizontal=True, vertical_alignment="center", key="largest differences"):
        for row in (int(row) for row in order if size[row] > 0):
            position = int(comparison.alignment.position_b[row])
            st.button(
                f"{spelled(comparison.b, position)} {texts[row]}", key=f"jump row {row}",
                help=f"Select row {row:,}", on_click=state.select, args=(row,), type="tertiary",
            )  # fmt: skip


def _take_difference() -> None:
    _take_point(_CHART_KEYS[0])


def _take_divergence() -> None:
    _take_point(_CHART_KEYS[1])


def _take_point(key: str) -> None:
    points = st.session_state[key].selection.get("pick") or []
    if points:
        state.select(int(points[0]["row"]))
