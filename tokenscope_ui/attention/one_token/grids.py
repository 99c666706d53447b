"""Grids of attention by head, layer or token, coloured and to be clicked. Frame in, Altair out."""

from __future__ import annotations

import altair as alt
import pandas as pd

from tokenscope_ui.attention.heads.chart import RAMPS, SELECTED

# Wide enough to be clicked, narrow enough for a side column.
_CELL, _ROW = 22, 14
_MOST_HEIGHT, _MOST_WIDTH = 520, 264
_CODE_FONT = '"Source Code Pro", monospace'


def grid_chart(
    cells: pd.DataFrame,
    *,
    across: str,
    down: str,
    high: float,
    selected: tuple[int, int] | None,
    title: str,
    label: str | None = None,
    dark: bool = False,
) -> alt.LayerChart:
    """A grid; a click picks a cell (parameter `pick`, the fields `across` and `down`).

    Args:
        cells: a row a cell: `across` and `down` (whole numbers), `weight` (a share, missing where
            there can be none), `shown` and any further texts, which are its tooltip.
        across: the column whose values stand side by side.
        down: the column whose values stand one under the other.
        high: the share that takes the strongest colour.
        selected: its `across` and `down`, outlined.
        title: what the colour is.
        label: the column, one text a value of `down`, that is written in its place.
        dark: whether the page is.
    """
    places = zip(cells[across].tolist(), cells[down].tolist(), strict=True)
    drawn = cells.assign(chosen=[place == selected for place in places])
    rows, columns = max(1, cells[down].nunique()), max(1, cells[across].nunique())
    width = max(6.0, min(_CELL, _MOST_WIDTH / columns))
    height = max(3.0, min(_ROW, _MOST_HEIGHT / rows))
    axis = alt.Axis(labelAngle=0, ticks=False, domain=False, labelFontSize=11, labelOverlap=True)
    texts = [name for name in cells.columns if name not in (across, down, label, "weight")]
    y = alt.Y(f"{down}:O", title=down, axis=axis)
    if label is not None:
        # Sorted by a field: a list of labels would be compiled.
        order = alt.EncodingSortField(down, op="min")
        written = alt.Axis(ticks=False, domain=False, labelFont=_CODE_FONT, labelLimit=130)
        y = alt.Y(f"{label}:N", title=None, sort=order, axis=written)
    base = alt.Chart(drawn).encode(
        x=alt.X(f"{across}:O", title=across, axis=axis),
        y=y,
        tooltip=[alt.Tooltip(f"{label}:N" if label else f"{down}:O"), alt.Tooltip(f"{across}:O")]
        + [alt.Tooltip(field=name, type="nominal") for name in texts],
    )
    pick = alt.selection_point(name="pick", fields=[across, down], on="click")
    marked = base.mark_rect(strokeWidth=1.5).encode(
        color=alt.condition(
            "isValid(datum.weight)",
            alt.Color(
                "weight:Q", title=title,
                scale=alt.Scale(range=RAMPS[dark], domain=[0, high or 1.0], clamp=True),
                legend=alt.Legend(format=".2~%", orient="top", gradientLength=160, tickCount=3),
            ),
            alt.value("#80808022"),
        ),
        stroke=alt.condition("datum.chosen", alt.value(SELECTED[dark]), alt.value(None)),
    )  # fmt: skip
    clicks = base.mark_rect(opacity=0).encode(opacity=alt.value(0)).add_params(pick)
    chart: alt.LayerChart = marked + clicks
    return chart.properties(width=alt.Step(width), height=alt.Step(height))
