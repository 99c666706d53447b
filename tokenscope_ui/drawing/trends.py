"""All metrics over position, one above the other, in one chart. Trace in, Altair out."""

from __future__ import annotations

import json
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from tokenscope_core.branches.influence import Influence
from tokenscope_core.display.scales import STRIP_METRICS, LogUnit, Scale
from tokenscope_core.record.metric_registry import INFLUENCE
from tokenscope_core.record.trace import Trace
from tokenscope_ui.drawing.charts import OTHER, TAIL, TAKEN, position_table, scale_for

_PANEL_HEIGHT = 58
# Of a panel, what is left free above and below its line.
_FREE = 0.14
# Labels nearer to each other, in panels, would be written over each other.
_APART = 0.22
# More would take a browser seconds to draw.
MOST_POSITIONS = 3_000


@dataclass(frozen=True, slots=True)
class Panel:
    """One metric's part of the chart: its scale, and the places at its lower and upper edge."""

    scale: Scale
    low: float
    high: float


def shown_positions(trace: Trace, selected: int | None) -> tuple[int, int]:
    """Which positions are drawn, the first and the one past the last: all, or of a long text
    `MOST_POSITIONS` around the selected one, or else the last."""
    length = len(trace)
    if length <= MOST_POSITIONS:
        return 0, length
    middle = length if selected is None else selected
    first = min(max(0, middle - MOST_POSITIONS // 2), length - MOST_POSITIONS)
    return first, first + MOST_POSITIONS


def trend_table(
    trace: Trace,
    unit: LogUnit,
    *,
    relative: bool,
    first: int = 0,
    end: int | None = None,
    influence: Influence | None = None,
) -> tuple[pd.DataFrame, list[Panel]]:
    """One row a metric and position that has a value, and the panels from the top down.

    Columns: `position`, `height` (0 at the top of the chart, 1 more a panel), `metric`, `shown`,
    `token`, `piece` (runs of positions without a gap). A metric that no position has is left out.
    """
    names = STRIP_METRICS if influence is None else (*STRIP_METRICS, INFLUENCE.name)
    tables: list[pd.DataFrame] = []
    panels: list[Panel] = []
    for name in names:
        measured = influence if name == INFLUENCE.name else None
        table = position_table(trace, name, unit, influence=measured)
        table = table[(table["position"] >= first) & (table["position"] < (end or len(trace)))]
        if not len(table):
            continue
        scale = scale_for(trace, name, relative=relative, unit=unit, influence=measured)
        places = scale.places(table["value"].to_numpy(dtype=float))
        ends = scale.places(np.array([value for value, _ in scale.ticks]))
        panel = Panel(scale, float(min(places.min(), *ends)), float(max(places.max(), *ends)))
        gaps = np.diff(table["position"], prepend=table["position"].iloc[0]) > 1
        tables.append(
            pd.DataFrame(
                {
                    "position": table["position"],
                    "height": _heights(places, panel, len(panels)),
                    "metric": scale.label,
                    "shown": table["shown"],
                    "token": table["token"],
                    "piece": [f"{name} {piece}" for piece in np.cumsum(gaps).tolist()],
                }
            )
        )
        panels.append(panel)
    if not tables:
        return pd.DataFrame(columns=["position", "height", "metric", "shown", "token", "piece"]), []
    return pd.concat(tables, ignore_index=True), panels


def trend_chart(
    table: pd.DataFrame,
    panels: list[Panel],
    *,
    first: int,
    end: int,
    prompt_length: int,
    selected: int | None,
) -> alt.LayerChart:
    """The panels over one axis of positions, the prompt shaded; clicking near a point selects its
    token (parameter `pick`).

    `table` and `panels` are those of a `trend_table` with at least one row, of the positions from
    `first` up to `end`. In every panel up is larger, on the scale of the tint.
    """
    # Several views in one chart would each have a selection of their own: one view, with the
    # panels one above the other on a common axis.
    pick = alt.selection_point(name="pick", fields=["position"], on="click", nearest=True)
    x = alt.X(
        "position:Q", title="position", scale=alt.Scale(domain=[first, max(end - 1, 1)], nice=False)
    ).axis(tickMinStep=1, format=",d", grid=False)
    y = alt.Y(
        "height:Q", title=None, axis=_axis(panels),
        scale=alt.Scale(domain=[0, len(panels)], reverse=True, nice=False),
    )  # fmt: skip
    base = alt.Chart(table).encode(x=x)
    layers: list[alt.Chart] = []
    if first < prompt_length:
        prompt = pd.DataFrame({"first": [first], "last": [min(prompt_length, end) - 0.5]})
        layers.append(
            alt.Chart(prompt)
            .mark_rect(color=TAIL, opacity=0.16)
            .encode(x="first:Q", x2="last:Q", y=alt.value(0), y2=alt.value(alt.ExprRef("height")))
        )
    edges = pd.DataFrame({"height": range(1, len(panels))})
    layers.append(alt.Chart(edges).mark_rule(color=TAIL, opacity=0.5, strokeWidth=0.7).encode(y=y))
    if selected is not None and first <= selected < end:
        chosen = alt.Chart(pd.DataFrame({"position": [selected]}))
        layers.append(chosen.mark_rule(color=TAKEN, strokeWidth=2).encode(x="position:Q"))
    layers.append(
        base.mark_line(strokeWidth=1, opacity=0.6, color=OTHER).encode(y=y, detail="piece:N")
    )
    layers.append(
        base.mark_circle(size=14, opacity=0.9, color=OTHER)
        .encode(
            y=y,
            tooltip=[
                alt.Tooltip("position:Q", format=",d"),
                alt.Tooltip("token:N"),
                alt.Tooltip("metric:N"),
                alt.Tooltip("shown:N", title="value"),
            ],
        )
        .add_params(pick)
    )
    chart: alt.LayerChart = alt.LayerChart(layer=layers)
    return chart.properties(height=_PANEL_HEIGHT * len(panels))


def _heights(places: np.ndarray, panel: Panel, number: int) -> np.ndarray:
    """Places along a scale as heights in the chart: the upper edge of the first panel is 0."""
    share = (places - panel.low) / ((panel.high - panel.low) or 1.0)
    return np.asarray(number + 1 - _FREE - (1 - 2 * _FREE) * share)


def _axis(panels: list[Panel]) -> alt.Axis:
    """Each panel's name with its unit at its middle, and the ends of its scale at its edges."""
    labels: dict[float, str] = {}
    for number, panel in enumerate(panels):
        ticks = panel.scale.ticks[0], panel.scale.ticks[-1]
        at = _heights(panel.scale.places(np.array([value for value, _ in ticks])), panel, number)
        for height, (_, text) in zip(at.tolist(), ticks, strict=True):
            # Values far beyond the scale leave its end in the middle, where the name is.
            if abs(height - number - 0.5) > _APART:
                labels[height] = text
        name, unit = panel.scale.label, panel.scale.unit
        labels[number + 0.5] = f"{name} ({unit})" if unit else name
    lookup = " : ".join(f"datum.value == {at} ? {json.dumps(text)}" for at, text in labels.items())
    return alt.Axis(
        values=list(labels), labelExpr=f"{lookup} : ''", grid=False, ticks=False, domain=False,
        labelLimit=190, labelOverlap=False, tickCount=len(labels),
    )  # fmt: skip
