"""Two patterns laid over each other: heads, layers, or branches, as a map of their difference."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import Session, Trace
from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.attention.difference import AttentionDifference, attention_difference
from tokenscope_core.caching import lru_cache
from tokenscope_core.comparison.alignment import Alignment, align
from tokenscope_core.record.arrays import Floats
from tokenscope_ui.attention import controls, state
from tokenscope_ui.attention.matrix_in_view import Shown
from tokenscope_ui.attention.matrix_view import rows_that_fit
from tokenscope_ui.attention.payload import difference_payload, plain_payload
from tokenscope_ui.attention.rows import row_of
from tokenscope_ui.attention.tokens import labels, lines_of
from tokenscope_ui.attention.view_choice import AttentionLook
from tokenscope_ui.attention.weights import LOG_FLOOR, points_text, share_text
from tokenscope_ui.branches.traces import stored
from tokenscope_ui.components import matrix
from tokenscope_ui.components.strip import mount, picked
from tokenscope_ui.runs import runs, sessions
from tokenscope_ui.server.lru_cache import remembering
from tokenscope_ui.trace import view_controls
from tokenscope_ui.trace.sampled_choices import token_code

MATRIX_KEY, STRIP_KEY = "attention_difference", "attention_difference_strip"
# A list of choices shows no name for None.
SAME_BRANCH = ""
_MOST_ROWS, _MOST_KEYS = 40, 8
_STRIP_HEIGHT = 330
_ROW, _HEAD = 35, 40
_MOST_BYTES = 200 * 10**6


def branch_tool(session: Session | None, trace: Trace, look: AttentionLook) -> None:
    """Draw the choice of B's branch, where there are several."""
    others = [] if session is None else [key for key in session.walk() if key != trace.key]
    if not others:
        return
    assert session is not None
    names = {SAME_BRANCH: "this branch"} | {key: session.branch(key).name for key in others}
    controls.select(
        "B: branch", "branch_b", look.branch_b or SAME_BRANCH, list(names), names.__getitem__,
        width=200,
    )  # fmt: skip


def branch_b(trace: Trace, look: AttentionLook) -> Trace | None:
    """The trace of B: another branch of the tree, or the same text; None where it is not stored."""
    session = sessions.current()
    if not look.branch_b or session is None or look.branch_b not in session:
        return trace
    return stored(look.branch_b)


@remembering(_MOST_BYTES)
def difference(a: Shown, b: Shown, trace_a: Trace, trace_b: Trace) -> AttentionDifference:
    """The difference of two matrices, B - A.

    Raises: as `attention_difference`.
    """
    alignment = None if trace_a.key == trace_b.key else aligned(trace_a, trace_b)
    place = (0, None)
    return attention_difference(_as_map(a), _as_map(b), place, place, alignment)


@lru_cache(maxsize=8)
def aligned(a: Trace, b: Trace) -> Alignment:
    """The tokens of two texts side by side."""
    return align(a.token_ids.tolist(), b.token_ids.tolist())


def _as_map(shown: Shown) -> AttentionMap:
    return AttentionMap(
        shown.matrix[None, None],
        layers=(0,),
        heads=(),
        queries=shown.queries,
        fold="mean",
        masked=shown.taken_out,
    )


def show_difference(
    trace: Trace, trace_b: Trace, a: Shown, b: Shown, look: AttentionLook, title: str
) -> None:
    """Draw the map of the difference beside the code of A."""
    found = difference(a, b, trace, trace_b)
    position = runs.current().selected
    with st.container(
        horizontal=True, vertical_alignment="bottom", key="attention difference tools"
    ):  # fmt: skip
        controls.question(look)
        controls.scale(look)
        invisibles = view_controls.invisibles()
    query = None if position is None else row_of(position, look.question)
    row, rows = _row_at(found, query), np.arange(len(found.kind))
    left, right = st.columns([0.56, 0.44], gap="medium")
    with left:
        matrix.mount(
            difference_map(trace, trace_b, found, title, *rows_that_fit(rows, None, row)),
            key=MATRIX_KEY,
            on_select=functools.partial(_take_cell, trace, found),
            selected=(row, _row_at(found, look.key)), scale=_colours(look),
        )  # fmt: skip
        st.caption(
            "Orange: B attends more; blue: A does. Rows and columns are the tokens of both texts, "
            "side by side; a token that only one of them has is missing."
        )
    with right:
        _row(trace, trace_b, a, b, found, row, invisibles)
        _most_moved(trace, found, look)


def _colours(look: AttentionLook) -> matrix.ColourScale:
    match look.shown_scale:
        case "log":
            return matrix.ColourScale("log", low=LOG_FLOOR, high=1.0)
        case "linear":
            return matrix.ColourScale("linear", high=1.0)
        case "relative":
            return matrix.ColourScale("linear", high=None)


@remembering(_MOST_BYTES)
def difference_map(
    trace: Trace, trace_b: Trace, found: AttentionDifference, title: str, first: int, end: int
) -> bytes:
    """The payload of the rows `first` to `end` (exclusive) of the map. Remembered, since equal
    bytes are not sent again."""
    names_a, names_b = labels(trace), labels(trace_b)
    names = [
        names_a[i] if i >= 0 else names_b[j]
        for i, j in zip(found.positions_a.tolist(), found.positions_b.tolist(), strict=True)
    ]
    return matrix.encode(
        found.values[first:end], labels=names, title=title, value="B − A", difference=True,
        queries=np.arange(first, end), query_labels=names[first:end],
    )  # fmt: skip


def _row_at(found: AttentionDifference, position: int | None) -> int | None:
    """The row of a position of A."""
    rows = np.flatnonzero(found.positions_a == (-1 if position is None else position))
    return int(rows[0]) if position is not None and len(rows) else None


def _take_cell(trace: Trace, found: AttentionDifference) -> None:
    cell = matrix.picked(MATRIX_KEY)
    if cell is None or max(cell) >= len(found.positions_a):
        return
    query, key = (int(found.positions_a[at]) for at in cell)
    shift = 1 if state.current().question == "predicts" else 0
    inside = query >= 0 and query + shift < len(trace)
    runs.select(query + shift if inside else None)
    state.choose(key=key if key >= 0 else None)


def _row(
    trace: Trace, trace_b: Trace, a: Shown, b: Shown, found: AttentionDifference,
    row: int | None, invisibles: bool,
) -> None:  # fmt: skip
    if row is None:
        st.caption("Pick a token on the code, or a cell of the map, to see how its row differs.")
        payload = plain_payload(trace, invisibles=invisibles)
    else:
        query = int(found.positions_a[row])
        distance = found.distance[row]
        apart = "" if np.isnan(distance) else f", **{distance:.2f}** apart"
        st.markdown(
            f"**Row at {token_code(trace, query)}** (position {query:,}){apart}.",
            help="Jensen-Shannon distance of the two rows, the root of the divergence in bits: 0 "
            "the same, 1 nothing in common (Endres and Schindelin 2003).",
        )
        values, of_a, of_b = on_tokens(trace, a, b, found, row)
        payload = difference_payload(trace, values, of_a, of_b, invisibles=invisibles)
    mount(
        payload, key=STRIP_KEY, selected=runs.current().selected, on_select=_take_token,
        height=_STRIP_HEIGHT,
    )  # fmt: skip
    if row is not None:
        _keys(trace, values, of_a, of_b)


def _take_token() -> None:
    runs.select(picked(STRIP_KEY))


def on_tokens(
    trace: Trace, a: Shown, b: Shown, found: AttentionDifference, row: int
) -> tuple[Floats, Floats, Floats]:
    """A row of the difference on the tokens of A, float64 [T] each: B - A, A, and B."""
    in_a = np.flatnonzero(found.positions_a >= 0)
    position = found.positions_a[in_a]
    values, of_a, of_b = (np.full(len(trace), np.nan) for _ in range(3))
    values[position] = found.values[row, in_a]
    own = _matrix_row(a, int(found.positions_a[row]))
    if own is not None:
        of_a[position] = own[position]
    other = _matrix_row(b, int(found.positions_b[row]))
    both = in_a[found.positions_b[in_a] >= 0]
    if other is not None:
        of_b[found.positions_a[both]] = other[found.positions_b[both]]
    return values, of_a, of_b


def _matrix_row(shown: Shown, query: int) -> Floats | None:
    at = np.flatnonzero(shown.queries == query)
    return shown.matrix[int(at[0])].astype(np.float64) if len(at) else None


def _keys(trace: Trace, values: Floats, of_a: Floats, of_b: Floats) -> None:
    """The tokens whose share of the row differs most."""
    if np.isnan(values).all():
        st.caption(
            "One of the two rows is not there: not captured, or all of it on the sink masked."
        )
        return
    size = np.nan_to_num(np.abs(values))
    order = np.argsort(-size, kind="stable")[:_MOST_KEYS]
    order = order[size[order] > 0]
    if not len(order):
        st.caption("The two rows are the same.")
        return
    names, lines = labels(trace), lines_of(trace)
    st.dataframe(
        pd.DataFrame(
            {
                "token": [names[i] for i in order.tolist()],
                "at": order,
                "line": lines[order],
                "A": [share_text(v) for v in of_a[order].tolist()],
                "B": [share_text(v) for v in of_b[order].tolist()],
                "B − A": [points_text(v) for v in values[order].tolist()],
            }
        ),
        hide_index=True, key="attention difference keys", height=_HEAD + _ROW * len(order),
        column_config={
            "token": st.column_config.TextColumn(width=80),
            "at": st.column_config.NumberColumn(format="localized", width=48),
            "line": st.column_config.NumberColumn(format="localized", width=42),
        },
    )  # fmt: skip


def _most_moved(trace: Trace, found: AttentionDifference, look: AttentionLook) -> None:
    """The rows that differ most; a click selects one."""
    known = np.flatnonzero(~np.isnan(found.distance) & (found.positions_a >= 0))
    rows = known[np.argsort(-found.distance[known], kind="stable")][:_MOST_ROWS]
    positions = found.positions_a[rows]
    names, lines = labels(trace), lines_of(trace)
    with st.expander("The rows that differ most", icon=":material/sort:"):
        if not len(rows):
            st.caption("No row is in both.")
            return
        key = f"attention moved rows {trace.key[:12]} {runs.current().selected}"
        st.dataframe(
            pd.DataFrame(
                {
                    "row at": [names[i] for i in positions.tolist()],
                    "at": positions,
                    "line": lines[positions],
                    "distance": found.distance[rows],
                }
            ),
            hide_index=True, key=key, height=min(280, _HEAD + _ROW * len(rows)),
            on_select=functools.partial(_take_row, key, tuple(positions.tolist()), len(trace)),
            selection_mode="single-cell",
            column_config={"distance": st.column_config.NumberColumn(format="%.3f")},
        )  # fmt: skip


def _take_row(key: str, positions: tuple[int, ...], length: int) -> None:
    cells = st.session_state[key].selection.cells
    if cells and 0 <= int(cells[0][0]) < len(positions):
        shift = 1 if state.current().question == "predicts" else 0
        position = positions[int(cells[0][0])] + shift
        runs.select(position if position < length else None)
