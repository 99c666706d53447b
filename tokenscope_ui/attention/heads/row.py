"""One row in all heads of its layer: where each of them looks most, and how much it spreads."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.attention.heads.sinks import without
from tokenscope_core.record.arrays import Floats
from tokenscope_ui.attention import state
from tokenscope_ui.attention.matrix_in_view import sinks
from tokenscope_ui.attention.tokens import labels
from tokenscope_ui.attention.view_choice import AttentionLook

_ROW, _HEAD = 35, 40


def row_table(
    trace: Trace, captured: AttentionMap, layer: int, query: int, *, mask: bool
) -> pd.DataFrame:
    """One row a head.

    Columns: `head`, `token` and `at` (where most of its attention goes), `weight` (there), `sink`
    (on the sinks, nothing masked), `spread` (normalised entropy, 0 one token, 1 even, by the number
    of tokens that are not masked). What has nothing left without the sinks is missing but for
    `sink`.
    """
    at = int(np.searchsorted(captured.queries, query))
    place = captured.layers.index(layer)
    plain = captured.weights[place, :, at, : query + 1].astype(np.float64)
    rows = plain
    if mask:
        row = replace(captured, weights=captured.weights[place : place + 1, :, at : at + 1],
                      layers=(layer,), queries=captured.queries[at : at + 1])  # fmt: skip
        rows = without(row, sinks(captured, layer)).weights[0, :, 0, : query + 1].astype(np.float64)
    best = np.nan_to_num(rows).argmax(axis=1)
    there = ~np.isnan(rows[:, 0])
    names = labels(trace)
    parked = [position for position in sinks(captured, layer) if position <= query]
    keys = query + 1 - (len(parked) if mask else 0)
    return pd.DataFrame(
        {
            "head": captured.heads,
            "token": pd.Series([names[i] for i in best.tolist()], dtype="str").where(there),
            "at": pd.Series(best, dtype="Int64").where(there),
            "weight": rows[np.arange(len(rows)), best],
            "sink": plain[:, parked].sum(axis=1),
            "spread": _spread(rows, keys),
        }
    )


def _spread(rows: Floats, keys: int) -> Floats:
    """Entropy of each row over that of so many keys alike; NaN for a row of one key or none."""
    if keys < 2:
        return np.full(len(rows), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = rows / rows.sum(axis=1, keepdims=True)
        terms = np.where(shares > 0, -shares * np.log(shares), np.where(shares == 0, 0.0, np.nan))
    return np.asarray(terms.sum(axis=1) / np.log(keys))


def show_row_in_heads(
    trace: Trace, captured: AttentionMap, layer: int, query: int, look: AttentionLook
) -> None:
    """Draw the table; a click opens a head."""
    if captured.fold is not None or len(captured.heads) < 2:
        return
    table = row_table(trace, captured, layer, query, mask=look.masks)
    st.markdown(f"**This row in all heads of layer {layer}**")
    # Another head in view, or another row, is another table: nothing is chosen in it.
    key = f"attention row heads {trace.key[:12]} {layer} {query} {look.head}"
    st.dataframe(
        pd.DataFrame(
            {
                "head": table["head"],
                "most on": table["token"],
                "at": table["at"],
                "weight": 100 * table["weight"],
                "sink": 100 * table["sink"],
                "spread": table["spread"],
            }
        ),
        key=key, hide_index=True, height=min(320, _HEAD + _ROW * len(table)),
        on_select=functools.partial(_take, key, tuple(table["head"].tolist())),
        selection_mode="single-cell",
        column_config={
            "head": st.column_config.NumberColumn(format="%d", width=50),
            "most on": st.column_config.TextColumn(width=90),
            "at": st.column_config.NumberColumn(format="localized", width=50),
            "weight": st.column_config.ProgressColumn(
                "weight, %", format="%.1f", min_value=0.0, max_value=100.0, width=114
            ),
            "sink": st.column_config.ProgressColumn(
                "on the sink, %", format="%.1f", min_value=0.0, max_value=100.0, width=114
            ),
            "spread": st.column_config.NumberColumn(format="%.2f", width=65),
        },
    )  # fmt: skip
    st.caption("Spread: normalised entropy, 0 all on one token, 1 even. Click a head to open it.")


def _take(key: str, heads: tuple[int, ...]) -> None:
    cells = st.session_state[key].selection.cells
    if cells and 0 <= int(cells[0][0]) < len(heads):
        state.choose(head=heads[int(cells[0][0])])
