"""How much the parts of a program attend to each other, as a heat map. Flow in, Altair out."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from tokenscope_core.attention.flow.flow import Flow
from tokenscope_ui.attention.view_choice import FlowTint
from tokenscope_ui.attention.weights import share_text, times_text

# More rows than these would be too thin to tell apart.
MOST_PARTS = 40
_CELL, _MOST_HEIGHT = 30, 900
_LABEL_WIDTH = 210
_WRITTEN = 16
_NUMBER_WIDTH = 38
# Four times as much, or a quarter: beyond that the colours stay.
_REACH = 3.0
# By whether the page is dark: what says nothing is near its background.
_SHARES: dict[bool, Any] = {
    False: {"scheme": "oranges"},
    True: {"range": ["#2B221C", "#7A3513", "#E8782A", "#FFE4BE"]},
}
_RATIOS: dict[bool, Any] = {
    False: {"scheme": "blueorange"},
    True: {"range": ["#BFE3FA", "#3F8DC0", "#1D4560", "#262421", "#6E3410", "#D9701F", "#FFD9A0"]},
}
_ON_PALE, _ON_STRONG = "#1A1A1A", "#FFFFFF"
# More columns than these have their names upright, and as many of them as there is room for.
_SLANTED = 20
_UPRIGHT_LABEL = 150


def flow_table(flow: Flow, names: dict[str, str], most: int = MOST_PARTS) -> pd.DataFrame:
    """One row a cell of the heat map: `row`, `column` (places), `query`, `key` (names, unique),
    `share`, `even`, `ratio`, `tint` (log2 of the ratio), and the same as texts.

    Beyond `most` parts those with the most tokens are kept, in their order.
    """
    kept = kept_parts(flow, most)
    labels = dict(zip(kept, _unique([names.get(p := flow.parts[i], p) for i in kept]), strict=True))
    queries = [i for i in kept if flow.query_tokens[i] > 0]
    keys = [j for j in kept if flow.key_tokens[j] > 0]
    rows = []
    for row, i in enumerate(queries):
        for column, j in enumerate(keys):
            share, even, ratio = (float(m[i, j]) for m in (flow.mean, flow.uniform, flow.ratio))
            rows.append(
                {
                    "row": row, "column": column, "query": labels[i], "key": labels[j],
                    "share": share, "even": even, "ratio": ratio,
                    "tint": float(np.log2(ratio)) if ratio > 0 else (-9.0 if ratio == 0 else None),
                    "share shown": share_text(share), "even shown": share_text(even),
                    "ratio shown": "not possible" if np.isnan(ratio) else times_text(ratio),
                    "rows": f"{flow.query_tokens[i]:,.0f}",
                    "tokens": f"{flow.key_tokens[j]:,.0f}",
                    "few": "few: says little" if flow.thin[i] else "",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def kept_parts(flow: Flow, most: int = MOST_PARTS) -> list[int]:
    """The parts that are drawn: those with rows or tokens, the largest where they are too many."""
    present = np.flatnonzero((flow.query_tokens > 0) | (flow.key_tokens > 0))
    size = (flow.query_tokens + flow.key_tokens)[present]
    largest = present[np.argsort(-size, kind="stable")[:most]]
    return sorted(largest.tolist())


def flow_chart(table: pd.DataFrame, tint: FlowTint, *, dark: bool = False) -> alt.LayerChart:
    """The heat map of `flow_table`, tinted by share, or by the ratio to even attention, for a light
    or a dark page."""
    count = int(table["row"].max()) + 1 if len(table) else 1
    columns = int(table["column"].nunique())
    axis = alt.Axis(
        labelLimit=_LABEL_WIDTH,
        labelFontSize=11,
        ticks=False,
        domain=False,
        labelOverlap=False,
        labelFlush=False,
    )
    # Sorted by a field: labels listed in the chart are compiled, and Vega trips over an "if".
    x = alt.X(
        "key:N", title="is attended to", sort=alt.EncodingSortField("column", op="min"),
        axis=alt.Axis(
            labelLimit=_LABEL_WIDTH if columns <= _SLANTED else _UPRIGHT_LABEL,
            labelAngle=-40 if columns <= _SLANTED else -90, labelFontSize=11, labelFlush=False,
            labelOverlap=False if columns <= _SLANTED else "parity",
            ticks=False, domain=False, orient="top",
        ),
    )  # fmt: skip
    y = alt.Y("query:N", title="attends", sort=alt.EncodingSortField("row", op="min"), axis=axis)
    base = alt.Chart(table).encode(x=x, y=y)
    cells = base.mark_rect(stroke="#80808040", strokeWidth=0.5).encode(
        color=_colour(table, tint, dark=dark),
        tooltip=[
            alt.Tooltip("query:N", title="attends"),
            alt.Tooltip("key:N", title="is attended to"),
            alt.Tooltip("share shown:N", title="share"),
            alt.Tooltip("even shown:N", title="even share"),
            alt.Tooltip("ratio shown:N", title="ratio"),
            alt.Tooltip("rows:N", title="rows"),
            alt.Tooltip("tokens:N", title="tokens there"),
            alt.Tooltip("few:N", title=" "),
        ],
    )
    layers: list[alt.Chart] = [cells]
    if count <= _WRITTEN:
        strong = (
            f"isValid(datum.tint) && abs(datum.tint) > {0.72 * _REACH}"
            if tint == "ratio"
            else f"datum.share > {0.6 * float(table['share'].max() or 1)}"
        )
        written = alt.Chart(table[table["share"] > 0]).encode(x=x, y=y)
        on_strong, on_pale = (_ON_PALE, _ON_STRONG) if dark else (_ON_STRONG, _ON_PALE)
        layers.append(
            written.mark_text(fontSize=10).encode(
                text="share shown:N",
                color=alt.condition(strong, alt.value(on_strong), alt.value(on_pale)),
                # Only the browser knows how wide a cell is.
                opacity=alt.condition(
                    f"width >= {_NUMBER_WIDTH * columns}", alt.value(1), alt.value(0)
                ),
            )
        )
    chart: alt.LayerChart = alt.LayerChart(layer=layers)
    return chart.properties(height=min(_MOST_HEIGHT, max(_CELL * count, 90)))


def _colour(table: pd.DataFrame, tint: FlowTint, *, dark: bool) -> alt.Color:
    if tint == "share":
        return alt.Color(
            "share:Q", title="share",
            scale=alt.Scale(**_SHARES[dark], domain=[0, max(float(table["share"].max()), 1e-6)]),
            legend=alt.Legend(format=".0%", gradientLength=160),
        )  # fmt: skip
    return alt.Color(
        "tint:Q", title="against even",
        scale=alt.Scale(**_RATIOS[dark], domain=[-_REACH, _REACH], clamp=True),
        legend=alt.Legend(
            gradientLength=160, values=[-3, -2, -1, 0, 1, 2, 3],
            labelExpr="datum.value < 0 ? '1/' + pow(2, -datum.value) : pow(2, datum.value) + ' ×'",
        ),
    )  # fmt: skip


def _unique(labels: list[str]) -> list[str]:
    """Labels told apart: an axis would merge those that are the same; the mark is not seen."""
    seen: dict[str, None] = {}
    for label in labels:
        unique = label
        while unique in seen:
            unique += "\u200b"
        seen[unique] = None
    return list(seen)
