"""Beside the code: the selected piece with its figures and its tokens."""

from __future__ import annotations

import functools
import textwrap

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.display.scales import to_screen
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_ui.drawing import code_box
from tokenscope_ui.drawing.icon_buttons import icon_button
from tokenscope_ui.pages import HOME
from tokenscope_ui.runs import runs, sessions
from tokenscope_ui.syntax_view import state
from tokenscope_ui.syntax_view.nodes import node_name, node_of, shown_nodes
from tokenscope_ui.syntax_view.pieces import Cut
from tokenscope_ui.syntax_view.reading import (
    SyntaxLook,
    least_sure_is_low,
    mean_label,
    shown_cut,
    shown_pieces,
)
from tokenscope_ui.syntax_view.tables import mean_heading
from tokenscope_ui.syntax_view.words import (
    THIN_WORDS,
    interval_words,
    mean_text,
    number_text,
    part_text,
)
from tokenscope_ui.trace.code_standing import line_of
from tokenscope_ui.trace.sampled_choices import token_code, token_text

_NAMES = {"statement": "Statement", "line": "Line", "function": "Function", "part": "Place"}


def show_piece(trace: Trace, look: SyntaxLook, byte: int | None) -> None:
    """Draw the panel."""
    node = state.selected_node(trace)
    cut = shown_cut(trace, look)
    span = None if byte is None else cut.span_at(byte)
    if node is not None:
        _node(trace, look, *node)
    elif span is not None:
        _piece(trace, look, cut, span)
    else:
        st.caption(
            "Click a piece of the code, a row of a table or a node of the tree to see its figures "
            "and its tokens."
        )


def _piece(trace: Trace, look: SyntaxLook, cut: Cut, span: int) -> None:
    _header(trace, look, cut, span)
    piece = int(cut.piece[span])
    bounds = cut.bounds(span)
    if look.kind in ("part", "function"):
        st.text(f"{look.level if look.kind == 'part' else 'function'}: "
                f"{part_text(cut.labels[piece], look)}")  # fmt: skip
    figures = shown_pieces(trace, look).iloc[piece]
    least = "min" if least_sure_is_low(look.metric) else "max"
    _figures(look, figures, ("mean", "median", least))
    _code(trace, *bounds)
    _tokens(trace, look, *bounds)


def _node(trace: Trace, look: SyntaxLook, start: int, end: int) -> None:
    """A node of the syntax tree, all that is below it included."""
    frame = shown_nodes(trace, look)
    index = node_of(frame, start, end)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="left"):
        _close(trace)
        name = "Text" if index is None else node_name(trace, frame, index)
        line = line_of(trace, _first_visible(trace, start, end))
        where = "from line" if b"\n" in trace.text_bytes[start:end] else "line"
        st.text(f"{name[0].upper()}{name[1:]}, {where} {line:,}", width="content")
    if index is not None:
        _figures(look, frame.iloc[index], ("mean",))
    _code(trace, start, end)
    _tokens(trace, look, start, end)


def _code(trace: Trace, start: int, end: int) -> None:
    line_start = trace.text_bytes.rfind(b"\n", 0, start) + 1
    indent = trace.text_bytes[line_start:start]
    shown = ((indent if indent.isspace() else b"") + trace.text_bytes[start:end]).decode(
        "utf-8", "replace"
    )
    shown = textwrap.dedent(shown.strip("\r\n"))
    code_box.show_code(shown or on_one_line(trace.text_bytes[start:end]), key="syntax piece")


def _close(trace: Trace) -> None:
    icon_button("Select nothing", ":material/close:", key="syntax no piece",
                on_click=state.select, args=(trace, None))  # fmt: skip


def _header(trace: Trace, look: SyntaxLook, cut: Cut, span: int) -> None:
    """Where this is, and ways to the places before and after: of the same part, or at all."""
    place = cut.place
    same = cut.piece == cut.piece[span] if look.kind == "part" else np.ones(len(cut), dtype=bool)
    places = np.unique(place[same])
    at = int(np.searchsorted(places, place[span]))
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="left"):
        for label, icon, step in (
            ("Previous piece", ":material/chevron_left:", at - 1),
            ("Next piece", ":material/chevron_right:", at + 1),
        ):
            inside = 0 <= step < len(places)
            target = _last_byte(cut, int(places[step])) if inside else None
            icon_button(
                label, icon, key=f"syntax {label.lower()}", on_click=state.select,
                args=(trace, target), disabled=not inside,
            )  # fmt: skip
        _close(trace)
        line = line_of(trace, _first_visible(trace, *cut.bounds(span)))
        where = "" if look.kind == "line" else f", line {line:,}"
        st.text(f"{_NAMES[look.kind]} {at + 1:,} of {len(places):,}{where}", width="content")


def _last_byte(cut: Cut, place: int) -> int:
    return int(cut.end[np.flatnonzero(cut.place == place)[-1]]) - 1


def _first_visible(trace: Trace, start: int, end: int) -> int:
    piece = trace.text_bytes[start:end]
    return start + len(piece) - len(piece.lstrip()) if piece.strip() else start


def _figures(look: SyntaxLook, row: pd.Series, shown: tuple[str, ...]) -> None:
    if not row["n"] > 0:
        st.caption("None of its tokens counts: they are in the prompt, or have no value.")
        return
    with st.container(horizontal=True, key="figures piece"):
        st.metric("tokens", number_text(row["n"]))
        for name in shown:
            words = {"max": "greatest", "min": "least"}.get(name, name)
            st.metric(words, mean_text(look.metric, float(row[name]), look.unit))
    low, high = float(row["ci_low"]), float(row["ci_high"])
    interval = interval_words(look.metric, look.unit, low, high, str(row["ci_note"]))
    thin = f" {THIN_WORDS.capitalize()}: the mean says little." if row["thin"] else ""
    label = mean_label(look.metric).capitalize()
    st.caption(f"{label}, 95 % interval for this text: {interval}.{thin}")


def _tokens(trace: Trace, look: SyntaxLook, start: int, end: int) -> None:
    """The tokens of these bytes, and the way to one of them on the page Decode."""
    positions, share = _tokens_of(trace, start, end)
    if not len(positions):
        return
    values = trace.column(look.metric)[positions]
    table = pd.DataFrame(
        {
            "position": positions,
            "token": [token_text(trace, position) for position in positions.tolist()],
            "value": to_screen(look.metric, values, look.unit),
            "here": 100 * share,
        }
    )
    key = f"syntax tokens {trace.key[:12]} {start} {end}"
    heading = mean_heading(look).removeprefix("mean ")
    st.dataframe(
        table, key=key, hide_index=True, height=min(215, 40 + 35 * len(table)),
        on_select=functools.partial(_take_token, key, tuple(positions.tolist())),
        selection_mode="single-cell",
        column_config={
            "position": st.column_config.NumberColumn("position", format="%d", width=60),
            "token": st.column_config.TextColumn("token", width=90),
            "value": st.column_config.NumberColumn(heading, format="%.3f"),
            "here": st.column_config.NumberColumn(
                "here", format="%.0f %%", width=60, help="The share of its bytes in this piece."
            ),
        },
    )  # fmt: skip
    chosen = state.current().token
    if chosen is None or chosen not in positions:
        chosen = _least_sure(positions, values, look.metric)
    show_on_decode(trace, chosen, key="piece")


def _tokens_of(trace: Trace, start: int, end: int) -> tuple[Ints, Floats]:
    """The tokens with any of these bytes, and which share of each lies in them."""
    inside = np.minimum(trace.byte_end, end) - np.maximum(trace.byte_start, start)
    positions = np.flatnonzero(inside > 0)
    width = (trace.byte_end - trace.byte_start)[positions]
    return positions, np.asarray(inside[positions] / width, dtype=np.float64)


def _take_token(key: str, positions: tuple[int, ...]) -> None:
    cells = st.session_state[key].selection.cells
    if cells and 0 <= int(cells[0][0]) < len(positions):
        state.select_token(positions[int(cells[0][0])])


def _least_sure(positions: Ints, values: np.ndarray, metric: str) -> int:
    order = values if least_sure_is_low(metric) else -values
    return int(positions[np.argmin(np.nan_to_num(order, nan=np.inf))])


def show_on_decode(trace: Trace, position: int, *, key: str) -> None:
    """A button that selects a token on the page Decode."""
    spelled = token_code(trace, position)
    if st.button(
        f"Show {spelled} on Decode", icon=":material/stylus_note:", key=f"syntax decode {key}",
        help=f"Selects the token at position {position:,}, with its figures and what else the "
        f"model considered there ({BY_NAME['prob'].label} of each).",
    ):  # fmt: skip
        runs.select(position)
        st.switch_page(
            HOME.file,
            query_params={
                **sessions.address(), runs.RUN_PARAMETER: runs.current().address or "",
            },
        )  # fmt: skip
