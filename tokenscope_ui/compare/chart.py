"""What changed over the rows of a comparison: a metric's difference, and how far the model's
distributions lie apart. Data frame in, Altair out."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from tokenscope_core import Comparison
from tokenscope_core.display.formatting import NOT_AVAILABLE, power_text
from tokenscope_core.display.scales import LogUnit, Scale
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.record.metric_registry import NATS_PER_BIT
from tokenscope_ui.compare.payload import difference_texts, differences, rows
from tokenscope_ui.drawing.charts import OTHER, TAIL, TAKEN, place_axis

_GREEN = "#009E73"
# Told apart by shape as well as by colour.
DIVERGENCES = {
    "kl_ab": ("KL(A‖B)", TAKEN, "triangle-up"),
    "kl_ba": ("KL(B‖A)", OTHER, "triangle-down"),
    "jsd": ("Jensen-Shannon", _GREEN, "circle"),
}
_KINDS = {"same": ("same token", OTHER), "changed": ("changed token", TAKEN)}


def difference_table(comparison: Comparison, metric: str, unit: LogUnit) -> pd.DataFrame:
    """One row a pair of tokens that both have a value, from where the two part on: `row`, `value`
    (as tinted), `shown`, `kind`, and of each side `position_a`, `token_a` and so on."""
    values = differences(comparison, metric, unit)
    known = np.flatnonzero(np.isfinite(values))
    known = known[known >= comparison.shared_prefix]
    texts = difference_texts(comparison, metric, unit)
    kinds = comparison.alignment.kind[known].tolist()
    return pd.DataFrame(
        {
            "row": known,
            "value": values[known],
            "shown": [texts[row] for row in known],
            "kind": [_KINDS[kind][0] for kind in kinds],
            **_places(comparison, known),
        }
    )


def divergence_table(comparison: Comparison, unit: LogUnit) -> pd.DataFrame:
    """One row a measure and row of the comparison, from where the two part on: `row`, `run` (of
    rows without a gap), `which`, `value`, `shown`, and the places as in `difference_table`.
    Infinite values are left out."""
    parts = []
    for name, (label, _, _) in DIVERGENCES.items():
        nats = rows(comparison)[name].to_numpy(float)
        known = np.flatnonzero(np.isfinite(nats))
        known = known[known >= comparison.shared_prefix]
        values = nats[known] / (NATS_PER_BIT if unit == "bits" else 1.0)
        parts.append(
            pd.DataFrame(
                {
                    "row": known,
                    # Lines do not cross rows in which nothing can be compared.
                    "run": np.cumsum(np.diff(known, prepend=known[:1]) > 1),
                    "which": label,
                    "value": values,
                    "shown": [divergence_text(value, unit) for value in values.tolist()],
                    **_places(comparison, known),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def divergence_text(value: float, unit: LogUnit) -> str:
    """A divergence in screen units, with enough digits to tell a small one from 0."""
    if np.isnan(value):
        return NOT_AVAILABLE
    number = f"{value:.3f}" if value == 0 or value >= 0.001 else power_text(value)
    return f"{number} {unit}"


def _places(comparison: Comparison, known: np.ndarray) -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for side, trace in (("a", comparison.a), ("b", comparison.b)):
        alignment = comparison.alignment
        own = (alignment.position_a if side == "a" else alignment.position_b)[known].tolist()
        table, ids = trace.vocabulary.token_bytes, trace.token_ids
        places[f"position_{side}"] = [f"{p:,}" if p >= 0 else "none" for p in own]
        places[f"token_{side}"] = [
            on_one_line(table[int(ids[p])]) if p >= 0 else "none" for p in own
        ]
    return places


def difference_chart(
    table: pd.DataFrame, scale: Scale, *, last: int, selected: int | None, height: int = 250
) -> alt.LayerChart:
    """Differences over the rows; clicking near a point selects its row (parameter `pick`)."""
    title = f"{scale.label} ({scale.unit})" if scale.unit else scale.label
    table = table.assign(place=scale.places(table["value"].to_numpy(dtype=float)))
    y = place_axis(scale, table["place"], title)
    base = _base(table, last)
    points = base.mark_circle(size=30, opacity=0.9).encode(
        y=y,
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(
                domain=[label for label, _ in _KINDS.values()],
                range=[colour for _, colour in _KINDS.values()],
            ),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=[*_tooltip(), alt.Tooltip("shown:N", title=scale.label)],
    )
    zero = alt.Chart(pd.DataFrame({"place": [0.0]})).mark_rule(color=TAIL).encode(y=y)
    stems = base.mark_rule(strokeWidth=1, opacity=0.5, color=TAIL).encode(y=y, y2=alt.Y2Datum(0.0))
    return _layered([_mark(table, last, selected), zero, stems, points.add_params(_pick())], height)


def divergence_chart(
    table: pd.DataFrame, unit: LogUnit, *, last: int, selected: int | None, height: int = 250
) -> alt.LayerChart:
    """Divergences over the rows; clicking near a point selects its row (parameter `pick`)."""
    labels, colours, shapes = zip(*DIVERGENCES.values(), strict=True)
    base = _base(table, last)
    y = alt.Y("value:Q", title=f"divergence ({unit})", scale=alt.Scale(domainMin=0, nice=True))
    legend = alt.Legend(title=None, orient="top")
    colour = alt.Color(
        "which:N", scale=alt.Scale(domain=labels, range=colours), legend=legend, sort=labels
    )
    shape = alt.Shape("which:N", scale=alt.Scale(domain=labels, range=shapes), legend=legend)
    points = base.mark_point(size=34, filled=True, opacity=0.9).encode(
        y=y,
        color=colour,
        shape=shape,
        tooltip=[
            *_tooltip(),
            alt.Tooltip("which:N", title="measure"),
            alt.Tooltip("shown:N", title="divergence"),
        ],
    )
    lines = base.mark_line(strokeWidth=1, opacity=0.5).encode(y=y, color=colour, detail="run:N")
    return _layered([_mark(table, last, selected), lines, points.add_params(_pick())], height)


def _base(table: pd.DataFrame, last: int) -> alt.Chart:
    chart: alt.Chart = alt.Chart(table).encode(x=_rows_axis(table, last))
    return chart


def _rows_axis(table: pd.DataFrame, last: int) -> alt.X:
    first = int(table["row"].min())
    scale = alt.Scale(domain=[first, max(last, first + 1)], nice=False)
    axis = alt.Axis(tickMinStep=1, format=",d", grid=False)
    return alt.X("row:Q", title="row: tokens that face each other", scale=scale, axis=axis)


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("row:Q", format=",d"),
        alt.Tooltip("position_a:N", title="position in A"),
        alt.Tooltip("token_a:N", title="token in A"),
        alt.Tooltip("position_b:N", title="position in B"),
        alt.Tooltip("token_b:N", title="token in B"),
    ]


def _pick() -> alt.Parameter:
    return alt.selection_point(name="pick", fields=["row"], on="click", nearest=True)


def _mark(table: pd.DataFrame, last: int, selected: int | None) -> alt.Chart:
    marked = pd.DataFrame({"row": [] if selected is None else [selected]})
    rule = alt.Chart(marked).mark_rule(color=TAKEN, strokeWidth=2, clip=True)
    chart: alt.Chart = rule.encode(x=_rows_axis(table, last))
    return chart


def _layered(layers: list[alt.Chart], height: int) -> alt.LayerChart:
    chart: alt.LayerChart = alt.LayerChart(layer=layers).properties(height=height)
    return chart
