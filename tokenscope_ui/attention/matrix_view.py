"""All rows at once: the matrix of a head beside the code, the selection of both linked."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.record.arrays import Ints
from tokenscope_ui.attention import controls, state
from tokenscope_ui.attention.crop import CROPS, crop, guides
from tokenscope_ui.attention.matrix_in_view import Shown
from tokenscope_ui.attention.rows import keys_seen, lay, row_of
from tokenscope_ui.attention.token_view import code
from tokenscope_ui.attention.tokens import labels, lines_of
from tokenscope_ui.attention.view_choice import AttentionLook, CropTo
from tokenscope_ui.attention.weights import LOG_FLOOR, share_text, times_text
from tokenscope_ui.components import matrix
from tokenscope_ui.components.matrix import Crop
from tokenscope_ui.runs import runs
from tokenscope_ui.server.lru_cache import remembering
from tokenscope_ui.trace.sampled_choices import token_code

MATRIX_KEY = "attention_matrix"
_MOST_BYTES = 200 * 10**6
_KEYS = {"same": "the same part", "before": "all up to it"}


def show_matrix(
    trace: Trace, shown: Shown | None, look: AttentionLook, title: str, *, invisibles: bool
) -> None:
    """Draw the matrix and the code."""
    position = runs.current().selected
    if shown is None:
        code(trace, None, look, position, invisibles)
        return
    left, right = st.columns([0.6, 0.4], gap="medium")
    with left:
        draw_matrix(trace, shown, look, title)
    with right:
        _cell(trace, shown, look, position)
        laid = None
        if position is not None:
            laid = lay(
                shown.matrix, shown.queries, position, look.question, "from", shown.taken_out,
                shown.first_keys,
            )  # fmt: skip
        code(trace, laid, look, position, invisibles)


def draw_matrix(trace: Trace, shown: Shown, look: AttentionLook, title: str) -> None:
    """Draw the matrix, cut to what was chosen, with the selected row and column."""
    position = runs.current().selected
    cut_to = crop(trace, look, position)
    query = selected_query(shown, look, position)
    first, end = rows_that_fit(shown.queries, cut_to, query)
    if cut_to is not None and first > cut_to.queries[0]:
        cut_to = replace(cut_to, queries=(first, min(end, cut_to.queries[1])))
    if cut_to is None and look.crop != "all":
        st.caption(_no_crop(look, position))
    if end - first < len(shown.queries) and cut_to is None:
        st.caption(
            f":material/info: All {len(shown.queries):,} rows are more than a map takes: rows "
            f"{first:,} to {end - 1:,} are drawn. Select another token, or cut to a part."
        )
    matrix.mount(
        matrix_payload(trace, shown, title, first, end), key=MATRIX_KEY,
        on_select=functools.partial(_take_cell, len(trace)),
        selected=(query, key if (key := look.key) is not None and key < len(trace) else None),
        crop=cut_to, guides=guides(trace), scale=colours(look),
    )  # fmt: skip
    st.caption(
        "A row is a query, a column what it attends to; a click selects both, here and in the code."
    )


def selected_query(shown: Shown, look: AttentionLook, position: int | None) -> int | None:
    """The row of the selected token."""
    query = -1 if position is None else row_of(position, look.question)
    return query if query >= 0 and query in shown.queries else None


def rows_that_fit(queries: Ints, cut_to: Crop | None, query: int | None) -> tuple[int, int]:
    """Of the rows that are captured and not cut off, as many as a map in a browser takes: the
    positions from the first to the one past the last, around the selected one where there is one.
    """
    first, end = (0, int(queries[-1]) + 1) if cut_to is None else cut_to.queries
    held = queries[(queries >= first) & (queries < end)]
    if not len(held):
        return int(queries[0]), int(queries[-1]) + 1
    # Row i of a causal map has i + 1 cells.
    cells = np.concatenate([[0], np.cumsum(held + 1)])
    if cells[-1] <= matrix.MAX_CELLS:
        return int(held[0]), int(held[-1]) + 1
    middle = (
        len(held) - 1 if query is None else int(np.searchsorted(held, query).clip(0, len(held) - 1))
    )
    last = int(np.searchsorted(cells, cells[middle] + matrix.MAX_CELLS // 4, side="right")) - 1
    last = min(len(held), max(last, middle + 1))
    start = int(np.searchsorted(cells, cells[last] - matrix.MAX_CELLS))
    return int(held[start]), int(held[last - 1]) + 1


@remembering(_MOST_BYTES)
def matrix_payload(trace: Trace, shown: Shown, title: str, first: int, end: int) -> bytes:
    """The payload of the rows `first` to `end` (exclusive). Remembered, since equal bytes are not
    sent again."""
    kept = (shown.queries >= first) & (shown.queries < end)
    queries = shown.queries[kept]
    names = labels(trace)
    return matrix.encode(
        shown.matrix if kept.all() else shown.matrix[kept],
        labels=names, title=title, queries=queries,
        masked=shown.taken_out,
        query_labels=[names[q] for q in queries.tolist()],
    )  # fmt: skip


def colours(look: AttentionLook) -> matrix.ColourScale:
    """The colours of the scale in force."""
    match look.shown_scale:
        case "log":
            return matrix.ColourScale("log", low=LOG_FLOOR, high=1.0)
        case "linear":
            return matrix.ColourScale("linear", high=1.0)
        case "relative":
            return matrix.ColourScale("linear", high=None)


def draw_crop(trace: Trace, look: AttentionLook) -> None:
    """Draw what the matrix is cut to."""
    controls.select(
        "Show", "crop", look.crop, list(CROPS), CROPS.__getitem__, width=245,
        help="What the matrix is cut to; the code stays whole.",
    )  # fmt: skip
    if look.crop == "lines":
        begin = trace.first_line
        last = int(lines_of(trace)[-1]) if len(trace) else begin
        first_line, last_line = look.lines or (begin, min(last, begin + 9))
        for name, value in (("first", first_line), ("last", last_line)):
            key = f"attention_line_{name}"
            st.session_state[key] = min(max(begin, value), last)
            st.number_input(
                f"{name.capitalize()} line", begin, last, key=key, width=110, on_change=_take_lines
            )
    if look.crop != "all":
        controls.segmented(
            "Columns", "keys", look.keys, _KEYS,
            help="The same part: how it attends to itself. All up to it: also to what precedes it.",
        )  # fmt: skip


def _take_lines() -> None:
    first, last = (int(st.session_state[f"attention_line_{name}"]) for name in ("first", "last"))
    state.choose(lines=(first, max(first, last)))


def _take_cell(length: int) -> None:
    cell = matrix.picked(MATRIX_KEY)
    if cell is None:
        return
    query, key = cell
    position = query + (1 if state.current().question == "predicts" else 0)
    if query < length and key < length:
        # What the last row predicts is not in the text.
        runs.select(position if position < length else None)
        state.choose(key=key)


def _no_crop(look: AttentionLook, position: int | None) -> str:
    if look.crop in ("line", "statement", "function") and position is None:
        return ":material/info: Select a token to cut the matrix to what is around it."
    words: dict[CropTo, str] = {
        "prompt": "There is no prompt",
        "generated": "Nothing was generated",
        "lines": "No token begins in these lines",
        "function": "The selected token is outside of functions",
        "statement": "The selected token is in no statement",
        "line": "The selected token is in no line",
    }
    return f":material/info: {words[look.crop]}: all of the matrix is shown."


def _cell(trace: Trace, shown: Shown, look: AttentionLook, position: int | None) -> None:
    query = selected_query(shown, look, position)
    if query is None or look.key is None or look.key > query:
        st.caption("Click a cell to see its weight, and its row on the code.")
        return
    weight = float(shown.matrix[int((shown.queries == query).argmax()), look.key])
    even = int(keys_seen(np.array([query]), shown.taken_out, shown.first_keys)[0])
    st.markdown(
        f"**{share_text(weight)}** of the row at {token_code(trace, query)} (position {query:,}) "
        f"goes to {token_code(trace, look.key)} (position {look.key:,}), "
        f"{times_text(weight * even)} an even share."
    )
