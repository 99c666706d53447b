"""One pair of tokens in all layers and heads: which of them look from the one at the other."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import AttentionMap, Trace
from tokenscope_core.attention.tokens.pairs import PairGrid, pair_grid
from tokenscope_core.display.formatting import count_text
from tokenscope_ui.attention import state
from tokenscope_ui.attention.capturing import need
from tokenscope_ui.attention.one_token.grids import grid_chart
from tokenscope_ui.attention.required_captures import row_of_all
from tokenscope_ui.attention.view_choice import AttentionLook
from tokenscope_ui.attention.weights import share_text, times_text
from tokenscope_ui.drawing import chart_files, files
from tokenscope_ui.trace.sampled_choices import token_code, token_text

GRID_KEY = "attention_pair"
_KEY = "attention_pair_key"


def show_pair(trace: Trace, query: int, keys: tuple[int, ...], look: AttentionLook) -> None:
    """Draw how much the row at `query` attends to one of `keys` in every layer and head; a click
    opens a head."""
    if not keys:
        return
    st.markdown(
        "**This row and one token, in all layers and heads**",
        help="The weights as they are, nothing masked: every layer that was read, each head.",
    )
    # Another row's choices are others; what was chosen stays where it can.
    options = sorted({*keys, *([look.key] if look.key is not None and look.key <= query else [])})
    key = look.key if look.key in options else keys[0]
    st.session_state[_KEY] = key
    st.selectbox(
        "Looks at", options, key=_KEY, width=260, on_change=_take_key,
        format_func=lambda position: f"{token_text(trace, position)} at {position:,}",
    )  # fmt: skip
    found = need(trace, row_of_all(trace, query, look), "This row in all layers and heads")
    if not isinstance(found, AttentionMap) or not found.layers:
        return
    grid = pair_grid(found, query, key)
    cells = cells_of(grid)
    head, layer = look.head, look.layer
    high = float(np.nanmax(grid.weights)) if np.isfinite(grid.weights).any() else 1.0
    draw = functools.partial(
        grid_chart, cells, across="head", down="layer", high=high, title="weight",
        selected=(head, layer) if isinstance(head, int) and isinstance(layer, int) else None,
    )  # fmt: skip
    chart_files.draw_chart(
        draw(dark=st.context.theme.type == "dark"), on_white=draw, key=GRID_KEY,
        name=files.stem("pair", f"{query}-{key}"), file_width=None, width="content",
        on_select=_take_cell, selection_mode="pick",
    )  # fmt: skip
    st.caption(words(trace, grid))


def words(trace: Trace, grid: PairGrid) -> str:
    """Which head looks most, and how much that is, as Markdown."""
    if not np.isfinite(grid.weights).any():
        return "No layer sees that far back."
    at, head = np.unravel_index(int(np.nanargmax(grid.weights)), grid.weights.shape)
    most = float(grid.weights[at, head])
    blind = int(np.isnan(grid.weights).all(axis=1).sum())
    return (
        f"Most in layer {grid.layers[at]}, head {grid.heads[head]}: {share_text(most)} of the row "
        f"at {token_code(trace, grid.query)} goes to {token_code(trace, grid.key)}, "
        f"{times_text(most / float(grid.even[at]))} an even share. Mean of the "
        f"{count_text(len(grid.layers), 'layer')}: {share_text(float(np.nanmean(grid.weights)))}."
        + (f" {count_text(blind, 'layer')} do not see that far back." if blind else "")
    )


def cells_of(grid: PairGrid) -> pd.DataFrame:
    """A row a head: `layer`, `head`, `weight`, and as texts `of the row` and `of an even share`."""
    frame = grid.frame()
    known = frame["weight"].notna()
    return pd.DataFrame(
        {
            "layer": frame["layer"],
            "head": frame["head"].astype("int64"),
            "weight": frame["weight"],
            "of the row": frame["weight"].map(share_text).where(known, "not seen from there"),
            "of an even share": frame["ratio"].map(times_text).where(known, ""),
        }
    )


def _take_key() -> None:
    state.choose(key=int(st.session_state[_KEY]))


def _take_cell() -> None:
    picked = st.session_state[GRID_KEY].selection.get("pick") or []
    if picked:
        state.choose(layer=int(picked[0]["layer"]), head=int(picked[0]["head"]))
