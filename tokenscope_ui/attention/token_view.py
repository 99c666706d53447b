"""One token's attention on the code itself, with where most of it goes."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_ui.attention.heads import row as row_heads
from tokenscope_ui.attention.matrix_in_view import Shown
from tokenscope_ui.attention.one_token import together
from tokenscope_ui.attention.one_token.leaning import show_leaning
from tokenscope_ui.attention.one_token.pair import show_pair
from tokenscope_ui.attention.payload import laid_payload, plain_payload
from tokenscope_ui.attention.rows import Laid, lay, row_of, source_table
from tokenscope_ui.attention.view_choice import ROLLOUT, AttentionLook
from tokenscope_ui.attention.weights import share_text, times_text
from tokenscope_ui.components.strip import mount, picked
from tokenscope_ui.drawing.icon_buttons import icon_button
from tokenscope_ui.runs import runs
from tokenscope_ui.trace.sampled_choices import token_code

STRIP_KEY = "attention_strip"
_STRIP_HEIGHT = 520
_MOST_SOURCES = 12
_MOST_MARKED = 60
_ROW, _HEAD = 35, 40


def show_token(
    trace: Trace,
    shown: Shown | None,
    source: tuple[AttentionMap, int] | None,
    look: AttentionLook,
    *,
    invisibles: bool,
) -> None:
    """Draw the code, tinted by the attention of the selected token, its sources, and its row in the
    other heads of `source`: what the matrix was taken from, and the layer."""
    position = runs.current().selected
    several = together.chosen_positions(trace, look, position)
    laid = _laid(shown, look, position, several)
    left, right = st.columns([0.55, 0.45], gap="medium")
    with left:
        code(trace, laid, look, position, invisibles, marked=several or ())
        if source is not None and laid is not None and laid.row is not None:
            row_heads.show_row_in_heads(trace, *source, laid.row, look)
    with right:
        if look.together == "picked":
            together.show_picks(trace, look, position)
        if position is None and not several:
            _invitation(trace)
        else:
            _panel(trace, shown, laid, look, position, several)


def _laid(
    shown: Shown | None, look: AttentionLook, position: int | None, several: tuple[int, ...] | None
) -> Laid | None:
    """The attention of the selected token, or of several, laid onto the text; None where there is
    nothing to lay."""
    if shown is None:
        return None
    if several is not None:
        return together.lay_together(shown, several, look) if several else None
    if position is None:
        return None
    return lay(
        shown.matrix, shown.queries, position, look.question, look.direction, shown.taken_out,
        shown.first_keys,
    )  # fmt: skip


def code(
    trace: Trace,
    laid: Laid | None,
    look: AttentionLook,
    position: int | None,
    invisibles: bool,
    *,
    marked: Sequence[int] = (),
) -> None:
    """Draw the code, tinted where there is something to lay onto it; `marked` are the tokens that
    are looked at together."""
    if laid is None:
        payload = plain_payload(trace, invisibles=invisibles)
    else:
        payload = laid_payload(
            trace, laid, look.shown_scale, invisibles=invisibles,
            label="attention to it" if look.direction == "from" else "attention it pays",
            over="this row" if look.direction == "from" else "this column",
        )  # fmt: skip
    # Of a long piece only its ends: each mark is a frame of its own.
    edges = marked if len(marked) <= _MOST_MARKED else (marked[0], marked[-1])
    mount(
        payload, key=STRIP_KEY, selected=position, on_select=_take_pick, height=_STRIP_HEIGHT,
        edges=tuple(edges),
    )  # fmt: skip


def _take_pick() -> None:
    runs.select(picked(STRIP_KEY))


def _invitation(trace: Trace) -> None:
    st.markdown("**Pick a token on the code** to see what it attends to.")
    st.caption("Click one, or click into the code and walk with the arrow keys.")
    first = min(max(trace.prompt_length, 1), len(trace) - 1)
    if len(trace) > 1:
        st.button(
            "Take the first generated one" if trace.prompt_length < len(trace) else
            "Take the last one",
            key="attention first token", on_click=runs.select, args=(first,),
        )  # fmt: skip


def _panel(
    trace: Trace,
    shown: Shown | None,
    laid: Laid | None,
    look: AttentionLook,
    position: int | None,
    several: tuple[int, ...] | None,
) -> None:
    if position is not None:
        _header(trace, position)
    if shown is None:
        st.caption("Its attention is not captured yet.")
        return
    if several is not None and not several:
        st.caption(_no_tokens(look))
        return
    if laid is None:
        st.info(_no_row(shown, look, position), icon=":material/info:")
        return
    if several is not None:
        st.markdown(_sentence_of(trace, look, several, laid))
    elif position is not None:
        st.markdown(sentence(trace, look, position))
    known = np.nan_to_num(laid.weight)
    if not known.any():
        st.caption(_nothing(shown, look))
        return
    if laid.row is not None and shown.sink_positions:
        st.caption(_sink_words(trace, shown, laid))
    table = source_table(trace, laid, _MOST_SOURCES)
    _sources(trace, table, look, position)
    if laid.row is not None and look.layer != ROLLOUT:
        show_leaning(trace, shown, laid.row)
        show_pair(trace, laid.row, tuple(table["position"].tolist()), look)


def _sentence_of(trace: Trace, look: AttentionLook, several: tuple[int, ...], laid: Laid) -> str:
    """Whose rows or columns are read together, as Markdown."""
    names = together.named(trace, several)
    if look.direction == "to":
        by = "rows at" if look.question == "at" else "rows that predict"
        return (
            f"**What attends to any of {names}**: for each later token, by the **{by}** it, its "
            "weights on them added up."
        )
    kind = "rows at them" if look.question == "at" else "rows that predict them"
    less = f", of which {laid.tokens:,} have one" if laid.tokens < len(several) else ""
    return f"**What {names} attend to**: the mean of the **{kind}**{less}."


def _no_tokens(look: AttentionLook) -> str:
    if look.together == "picked":
        return ""
    return f"Nothing is selected that has a {look.together}: there is nothing to take together."


def _header(trace: Trace, position: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="left"):
        for name, icon, target in (
            ("Previous token", ":material/chevron_left:", position - 1),
            ("Next token", ":material/chevron_right:", position + 1),
        ):
            icon_button(
                name, icon, key=f"attention {name.lower()}", on_click=runs.select,
                args=(target,), disabled=not 0 <= target < len(trace),
            )  # fmt: skip
        icon_button(
            "Select nothing", ":material/close:", key="attention no token",
            on_click=runs.select, args=(None,),
        )  # fmt: skip
        st.markdown(f"{token_code(trace, position)} at position {position:,}", width="content")


def sentence(trace: Trace, look: AttentionLook, position: int) -> str:
    """Which row or column is read, as Markdown."""
    token = token_code(trace, position)
    if look.direction == "to":
        if look.question == "at":
            return f"**What attends to {token}**, by the **rows at** the later tokens."
        return (
            f"**What attends to {token}**, by the **rows that predict** the later tokens: a tinted "
            "token is one whose prediction looked here."
        )
    row = row_of(position, look.question)
    if look.question == "at":
        return f"**What {token} attends to**, by **its own row** (position {row:,})."
    return (
        f"**What predicting {token} attended to**, by the **row that predicts it**: that of "
        f"{token_code(trace, row)}, position {row:,}."
    )


def _no_row(shown: Shown, look: AttentionLook, position: int | None) -> str:
    if position is not None and row_of(position, look.question) < 0:
        return "Nothing precedes the first token, so no row predicts it. Choose its own row."
    first, last = int(shown.queries[0]), int(shown.queries[-1])
    return (
        f"Only the rows of positions {first:,} to {last:,} were captured. Pick a token there, or "
        "capture all rows."
    )


def _nothing(shown: Shown, look: AttentionLook) -> str:
    if look.direction == "to":
        return "Nothing that follows attends to it, or nothing follows it."
    return (
        "All of this row is on the sink: nothing is left without it."
        if shown.masked
        else "No attention at all."
    )


def _sink_words(trace: Trace, shown: Shown, laid: Laid) -> str:
    assert laid.row is not None
    at = ", ".join(f"{token_code(trace, p)} (position {p:,})" for p in shown.sink_positions)
    mass = share_text(shown.sink_mass_of_row(laid.row))
    sinks = "sinks" if len(shown.sink_positions) > 1 else "sink"
    if shown.masked:
        return (
            f":material/visibility_off: {mass} of this row sat on the {sinks} {at}, taken out here."
        )
    return f":material/visibility: {mass} of this row sits on the {sinks} {at}."


def _sources(trace: Trace, table: pd.DataFrame, look: AttentionLook, position: int | None) -> None:
    # Another token's sources are another table: what was chosen in one means nothing in the next.
    of = f"{position} {look.together} {look.picked}"
    key = f"attention sources {trace.key[:12]} {of} {look.question} {look.direction}"
    places = tuple(table["position"].tolist())
    row = look.direction == "from"
    st.dataframe(
        pd.DataFrame(
            {
                "token": table["token"],
                "at": table["position"],
                "line": table["line"],
                "weight": 100 * table["weight"],
                "share": [share_text(s) for s in table["together" if row else "share"]],
                "even": [times_text(t) for t in table["times_uniform"]],
            }
        ),
        key=key, hide_index=True, height=_HEAD + _ROW * len(table),
        on_select=functools.partial(_take_source, key, places), selection_mode="single-cell",
        column_config={
            "token": st.column_config.TextColumn(width=93),
            "at": st.column_config.NumberColumn(format="localized", width=48),
            "line": st.column_config.NumberColumn(format="localized", width=42),
            "weight": st.column_config.ProgressColumn(
                "weight, %", format="%.2f", min_value=0.0,
                max_value=float(100 * max(table["weight"].max(), 1e-9)), width=88,
            ),
            "share": st.column_config.TextColumn("sum" if row else "share", width=58),
            "even": st.column_config.TextColumn("× even", width=62),
        },
    )  # fmt: skip
    share = "sum: with the rows above it" if row else "share: of all the weight in this column"
    st.caption(
        f"The {len(table)} largest; {share}; × even: against attention spread evenly over all a "
        "row can see. Click one to select it."
    )


def _take_source(key: str, places: tuple[int, ...]) -> None:
    cells = st.session_state[key].selection.cells
    if cells and 0 <= int(cells[0][0]) < len(places):
        runs.select(places[int(cells[0][0])])
