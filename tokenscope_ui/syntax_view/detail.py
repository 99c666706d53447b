"""Beside the code: the selected piece with its figures and its tokens."""

from __future__ import annotations

import functools
import textwrap

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.metric_registry import BY_NAME
from tokenscope_core.steps import Ints
from tokenscope_core.syntax.alignment import align
from tokenscope_ui import runs, sessions
from tokenscope_ui.choices import code
from tokenscope_ui.formatting import visible_text
from tokenscope_ui.router import HOME, ROOT
from tokenscope_ui.scales import to_screen
from tokenscope_ui.syntax_view import state
from tokenscope_ui.syntax_view.chart import interval_text
from tokenscope_ui.syntax_view.pieces import Cut
from tokenscope_ui.syntax_view.reading import (
    Look,
    least_sure_is_low,
    mean_label,
    shown_cut,
    shown_pieces,
)
from tokenscope_ui.syntax_view.soundness import line_of
from tokenscope_ui.syntax_view.tables import mean_heading
from tokenscope_ui.syntax_view.words import THIN_WORDS, mean_text, number_text, part_text

_CODE_HEIGHT = 180
_NAMES = {"statement": "Statement", "line": "Line", "function": "Function", "part": "Place"}


def show(trace: Trace, look: Look, byte: int | None) -> None:
    """Draw the panel."""
    cut = shown_cut(trace, look)
    span = None if byte is None else cut.span_at(byte)
    if span is None:
        st.caption(
            "Click a piece of the code, or a row of a table, to see its figures and its tokens."
        )
        return
    _header(trace, look, cut, span)
    piece = int(cut.piece[span])
    start, end = _bounds(cut, span)
    shown = trace.text_bytes[start:end].decode("utf-8", "replace")
    shown = textwrap.dedent(shown.strip("\r\n"))
    st.code(shown or visible_text(trace.text_bytes[start:end]), language=None, wrap_lines=True,
            height=_CODE_HEIGHT if shown.count("\n") > 5 else "content")  # fmt: skip
    if look.kind in ("part", "function"):
        st.text(f"{look.level if look.kind == 'part' else 'function'}: "
                f"{part_text(cut.labels[piece], look)}")  # fmt: skip
    _figures(trace, look, piece)
    _tokens(trace, look, cut, span)


def _header(trace: Trace, look: Look, cut: Cut, span: int) -> None:
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
            st.button(
                "", icon=icon, key=f"syntax {label.lower()}", help=label,
                on_click=state.select, args=(trace, target), disabled=not inside,
            )  # fmt: skip
        st.button("", icon=":material/close:", key="syntax no piece", help="Select nothing",
                  on_click=state.select, args=(trace, None))  # fmt: skip
        line = line_of(trace, _first_visible(trace, *_bounds(cut, span)))
        where = "" if look.kind == "line" else f", line {line:,}"
        st.text(f"{_NAMES[look.kind]} {at + 1:,} of {len(places):,}{where}", width="content")


def _last_byte(cut: Cut, place: int) -> int:
    return int(cut.end[np.flatnonzero(cut.place == place)[-1]]) - 1


def _bounds(cut: Cut, span: int) -> tuple[int, int]:
    spans = np.flatnonzero(cut.place == cut.place[span])
    return int(cut.start[spans[0]]), int(cut.end[spans[-1]])


def _first_visible(trace: Trace, start: int, end: int) -> int:
    piece = trace.text_bytes[start:end]
    return start + len(piece) - len(piece.lstrip()) if piece.strip() else start


def _figures(trace: Trace, look: Look, piece: int) -> None:
    row = shown_pieces(trace, look).iloc[piece]
    if not row["n"] > 0:
        st.caption("None of its tokens counts: they are in the prompt, or have no value.")
        return
    with st.container(horizontal=True, key="figures piece"):
        st.metric("tokens", number_text(row["n"]))
        for name in ("mean", "median", "max" if not least_sure_is_low(look.metric) else "min"):
            words = {"max": "greatest", "min": "least"}.get(name, name)
            st.metric(words, mean_text(look.metric, float(row[name]), look.unit))
    interval = interval_text(look, float(row["ci_low"]), float(row["ci_high"]))
    thin = f" {THIN_WORDS.capitalize()}: the mean says little." if row["thin"] else ""
    st.caption(f"{mean_label(look.metric).capitalize()}, 95 % interval: {interval}.{thin}")


def _tokens(trace: Trace, look: Look, cut: Cut, span: int) -> None:
    """The tokens of this place, and the way to one of them on the page Decode."""
    positions, share = _tokens_of(trace, cut, span)
    if not len(positions):
        return
    values = trace.column(look.metric)[positions]
    table = pd.DataFrame(
        {
            "position": positions,
            "token": [_spelled(trace, position) for position in positions.tolist()],
            "value": to_screen(look.metric, values, look.unit),
            "here": 100 * share,
        }
    )
    key = f"syntax tokens {trace.key[:12]} {cut.start[span]} {look.kind} {look.level}"
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


def _tokens_of(trace: Trace, cut: Cut, span: int) -> tuple[Ints, np.ndarray]:
    pairs = align(trace.byte_end, cut.end)
    here = cut.place[pairs.piece] == cut.place[span]
    positions, index = np.unique(pairs.token[here], return_inverse=True)
    return positions, np.bincount(index, weights=pairs.share()[here], minlength=len(positions))


def _take_token(key: str, positions: tuple[int, ...]) -> None:
    cells = st.session_state[key].selection.cells
    if cells and 0 <= int(cells[0][0]) < len(positions):
        state.select_token(positions[int(cells[0][0])])


def _least_sure(positions: Ints, values: np.ndarray, metric: str) -> int:
    order = values if least_sure_is_low(metric) else -values
    return int(positions[np.argmin(np.nan_to_num(order, nan=np.inf))])


def show_on_decode(trace: Trace, position: int, *, key: str) -> None:
    """A button that selects a token on the page Decode."""
    spelled = code(trace.vocabulary.token_bytes[int(trace.token_ids[position])])
    if st.button(
        f"Show {spelled} on Decode", icon=":material/stylus_note:", key=f"syntax decode {key}",
        help=f"Selects the token at position {position:,}, with its figures and what else the "
        f"model considered there ({BY_NAME['prob'].label} of each).",
    ):  # fmt: skip
        runs.select(position)
        st.switch_page(
            ROOT / HOME,
            query_params={
                **sessions.address(), runs.RUN_PARAMETER: runs.current().address or "",
            },
        )  # fmt: skip


def _spelled(trace: Trace, position: int) -> str:
    return visible_text(trace.vocabulary.token_bytes[int(trace.token_ids[position])])
