"""Two branches compared: in words, in totals, side by side, and over position."""

from __future__ import annotations

from typing import cast

import streamlit as st

from tokenscope_core import Comparison, Session, TokenScopeError, Trace
from tokenscope_core.display.formatting import rounding_note
from tokenscope_core.display.scales import LogUnit
from tokenscope_ui.branches.traces import stored
from tokenscope_ui.compare import detail, measuring, over_rows, state, syntax
from tokenscope_ui.compare.payload import (
    ComparisonLook,
    compared,
    first_shown,
    positions,
    row_of,
    side_payload,
    side_trace,
)
from tokenscope_ui.compare.state import SIDES, Side
from tokenscope_ui.compare.words import in_words, summary_table
from tokenscope_ui.components.strip import mount, picked
from tokenscope_ui.pages import BRANCHES, HOME
from tokenscope_ui.request import problems
from tokenscope_ui.runs import runs, sessions
from tokenscope_ui.trace import view_controls

_STRIP_HEIGHT = 380
_SHORTEN, _CHOSE = "compare_shorten", "compare_shorten chosen"
# Lines before those that are left for orientation.
_LONG_BEGINNING = 5


def show_comparison(session: Session) -> None:
    """Draw the comparison of the two chosen branches, or what stands in its way."""
    a, b = (
        _trace(session, side, key) for side, key in zip(SIDES, state.keys(session), strict=True)
    )
    if a is None or b is None:
        return
    if a.key == b.key:
        st.info(
            "A and B are the same branch, so every difference is 0. Choose another one above.",
            icon=":material/info:",
        )
        return
    try:
        comparison = state.measured(a, b) or compared(a, b)
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
            BRANCHES.file, label="Branches", icon=BRANCHES.icon,
            query_params=sessions.address(),
        )  # fmt: skip
    return trace


def _both(comparison: Comparison) -> None:
    # Two spaces end a line of Markdown without a gap after it.
    st.markdown("  \n".join(in_words(comparison)))
    measuring.draw_measuring(comparison)
    unit = _current_unit()
    precision = rounding_note(comparison.b.model, unit)
    if precision is not None:
        st.caption(f":material/straighten: {precision}")
    look = _tool_bar(comparison)
    row = state.selected(comparison)
    _strips(comparison, look, row)
    st.table(summary_table(comparison, unit), hide_index=True)
    detail.show_row(comparison, row, look.unit)
    if comparison.relation == "diverge":
        over_rows.show_over_rows(comparison, look, row)
        syntax.show_changed_parts(comparison, look.unit)


def _current_unit() -> LogUnit:
    return cast(LogUnit, st.session_state.get("unit") or "bits")


def _tool_bar(comparison: Comparison) -> ComparisonLook:
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare tools"):
        metric = view_controls.metric("Metric")
        tint = st.segmented_control(
            "Tint by", ("value", "difference"), default="value", key="compare_tint",
            required=True, persist_state="session",
            help="The metric of each token, or how much more it is in B than in A: warm where B "
            "is less sure, blue where it is surer.",
        )  # fmt: skip
        shorten = _shorten(comparison)
        with view_controls.seldom_changed():
            relative = view_controls.relative(what="comparison", over="these two")
            unit = view_controls.unit()
            invisibles = view_controls.invisibles()
    return ComparisonLook(
        metric, tint == "difference", relative, unit, invisibles,
        whole=not shorten,
    )  # fmt: skip


def _shorten(comparison: Comparison) -> bool:
    """Draw whether the shared beginning is hidden: where it is long, until somebody chose."""
    hidden, line = first_shown(comparison)
    if _CHOSE not in st.session_state:
        st.session_state[_SHORTEN] = line - comparison.a.first_line >= _LONG_BEGINNING
    st.toggle(
        "Hide the shared beginning", key=_SHORTEN, persist_state="session", disabled=not hidden,
        on_change=lambda: st.session_state.update({_CHOSE: True}),
        help="Begins both texts a few lines before they part.",
    )  # fmt: skip
    return bool(st.session_state[_SHORTEN]) and hidden > 0


def strip_key(side: Side) -> str:
    """What the strip of a side is called."""
    return f"compare_strip_{side}"


def _strips(comparison: Comparison, look: ComparisonLook, row: int | None) -> None:
    first = 0 if look.whole else first_shown(comparison)[0]
    for column, side in zip(st.columns(2, gap="small"), SIDES, strict=True):
        position = -1 if row is None else int(positions(comparison, side)[row])
        with column:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{side.upper()}**", width="content")
                # Opening another trace there would let go of a run.
                if not runs.current().busy:
                    st.page_link(
                        HOME.file, label="Open in Decode", icon=HOME.icon,
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
    first = first_shown(comparison)[0] if st.session_state.get(_SHORTEN) else 0
    row = row_of(comparison, side, index + first)
    if row is not None:
        state.select(row)


def _shown() -> Comparison | None:
    session = sessions.current()
    if session is None:
        return None
    a, b = map(stored, state.keys(session))
    return None if a is None or b is None else compared(a, b)
