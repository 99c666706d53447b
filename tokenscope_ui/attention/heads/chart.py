"""Layers by heads, coloured by a statistic or as small pictures. Overview in, Altair out."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from tokenscope_core.attention.heads.overview import HeadOverview
from tokenscope_core.attention.heads.statistics import BY_NAME, HEAD_STATISTICS, HeadStatistic
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.formatting import NOT_AVAILABLE
from tokenscope_ui.attention.heads.pictures import levels, png_address
from tokenscope_ui.attention.weights import share_text

_CELL, _PICTURE, _FRAME = 34, 62, 6
# By whether the page is dark: from near its background to what stands out most from it.
RAMPS = {
    False: ["#FFF5EB", "#FDAE6B", "#E6550D", "#7F2704"],
    True: ["#33261D", "#7A3513", "#E8782A", "#FFE4BE"],
}
SELECTED = {False: "#0072B2", True: "#56B4E9"}
_ON_PALE, _ON_STRONG = "#1A1A1A", "#FFFFFF"
_WRITTEN = 14


def number_text(statistic: HeadStatistic, value: float) -> str:
    """A statistic as it is to be read."""
    if value != value:
        return NOT_AVAILABLE
    match statistic.unit:
        case "share":
            return share_text(value)
        case "ratio":
            return f"{value:.2f}"
        case "tokens":
            return f"{value:,.1f} tokens"


def bounds(overview: HeadOverview, statistic: HeadStatistic) -> tuple[float, float]:
    """The values that take the palest and the strongest colour: the whole range a share can have,
    of a distance up to the largest there is."""
    low, high = statistic.range
    if high is not None:
        return low, high
    values = overview.statistic(statistic.name)
    known = values[np.isfinite(values)]
    return low, max(float(known.max()) if len(known) else 1.0, low + 1.0)


def head_table(overview: HeadOverview, name: str, *, ascending: bool) -> pd.DataFrame:
    """One row a head that was measured, the most telling first: `layer`, `head`, `value`, `shown`,
    and every statistic as a text under its label."""
    frame = overview.frame()
    texts = {
        statistic.label: [number_text(statistic, v) for v in frame[statistic.name].tolist()]
        for statistic in HEAD_STATISTICS
    }
    table = pd.DataFrame(
        {"layer": frame["layer"], "head": frame["head"], "value": frame[name]} | texts
    )
    table["shown"] = table[BY_NAME[name].label]
    known = np.isfinite(frame[[s.name for s in HEAD_STATISTICS]].to_numpy(float)).any(axis=1)
    ordered: pd.DataFrame = table[known].sort_values(
        "value", ascending=ascending, kind="stable", na_position="last"
    )
    return ordered.reset_index(drop=True)


@lru_cache(maxsize=8)
def picture_addresses(overview: HeadOverview, *, dark: bool) -> dict[tuple[int, int], str]:
    """The small picture of each head, by layer and head, for a light or a dark page."""
    drawn = levels(overview.thumbnails)
    return {
        (layer, head): png_address(drawn[row, head], dark=dark)
        for row, layer in enumerate(overview.layers)
        for head in range(overview.heads)
    }


def head_chart(
    overview: HeadOverview,
    table: pd.DataFrame,
    name: str,
    *,
    beyond: pd.Series,
    selected: tuple[int, int] | None,
    pictures: bool,
    dark: bool = False,
) -> alt.LayerChart:
    """The grid; a click picks a head (parameter `pick`, fields `layer` and `head`).

    Args:
        overview: of the heads.
        table: its `head_table`.
        name: of the statistic that colours.
        beyond: bool, which rows of the table are on the far side of the threshold, and dimmed.
        selected: layer and head that are outlined.
        pictures: whether each cell is the head's small matrix.
        dark: whether the page is.
    """
    statistic = BY_NAME[name]
    low, high = bounds(overview, statistic)
    drawn = table.assign(
        dim=beyond.to_numpy(),
        chosen=[
            (layer, head) == selected
            for layer, head in zip(table["layer"], table["head"], strict=True)
        ],
        few=[text.removesuffix(" tokens").removesuffix(" %") for text in table["shown"]],
    )
    if pictures:
        addresses = picture_addresses(overview, dark=dark)
        drawn["picture"] = [addresses[k] for k in zip(table["layer"], table["head"], strict=True)]
    axis = alt.Axis(labelAngle=0, ticks=False, domain=False, labelFontSize=11)
    base = alt.Chart(drawn).encode(
        x=alt.X("head:O", title="head", axis=axis),
        y=alt.Y("layer:O", title="layer", axis=axis),
        opacity=alt.condition("datum.dim", alt.value(0.15), alt.value(1.0)),
        tooltip=[alt.Tooltip("layer:O"), alt.Tooltip("head:O")]
        + [alt.Tooltip(field=s.label, type="nominal") for s in HEAD_STATISTICS],
    )
    pick = alt.selection_point(name="pick", fields=["layer", "head"], on="click")
    form = {"share": ".0%", "ratio": ".1f", "tokens": ",.0f"}[statistic.unit]
    cells = base.mark_rect(strokeWidth=2.5).encode(
        color=alt.Color(
            "value:Q", title=None,
            scale=alt.Scale(range=RAMPS[dark], domain=[low, high], clamp=True),
            legend=alt.Legend(gradientLength=160, format=form),
        ),
        stroke=alt.condition("datum.chosen", alt.value(SELECTED[dark]), alt.value("#80808030")),
    )  # fmt: skip
    layers: list[alt.Chart] = [cells]
    if pictures:
        side = _PICTURE - 2 * _FRAME
        layers.append(base.mark_image(width=side, height=side).encode(url="picture:N"))
    elif overview.heads <= _WRITTEN:
        strong = f"isValid(datum.value) && datum.value > {low + 0.5 * (high - low)}"
        on_strong, on_pale = (_ON_PALE, _ON_STRONG) if dark else (_ON_STRONG, _ON_PALE)
        layers.append(
            base.mark_text(fontSize=10).encode(
                text="few:N",
                color=alt.condition(strong, alt.value(on_strong), alt.value(on_pale)),
            )
        )
    # On top of all: what is drawn over a cell would take its clicks.
    layers.append(base.mark_rect(opacity=0).encode(opacity=alt.value(0)).add_params(pick))
    size = _PICTURE if pictures else _CELL
    chart: alt.LayerChart = alt.LayerChart(layer=layers)
    return chart.properties(height=alt.Step(size), width=alt.Step(size if pictures else size + 6))
