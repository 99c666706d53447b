"""The parts of a program as bars with their intervals and the tokens behind them. Data frame in,
Altair out."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from tokenscope_core import Trace
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.scales import screen_unit, to_screen
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_core.syntax.counted import Counted
from tokenscope_ui.drawing.charts import OTHER, TAKEN
from tokenscope_ui.syntax_view.other import Other, compared_parts
from tokenscope_ui.syntax_view.reading import SyntaxLook, counted, mean_label, points
from tokenscope_ui.syntax_view.words import (
    interval_words,
    label_text,
    mean_text,
    number_text,
    one_line,
)

_ROW_HEIGHT, _ROW_HEIGHT_OF_TWO = 21, 36
_LABEL_WIDTH = 230
_LABEL_LENGTH = 40
# Seen on a blue bar, and on a white or a black page.
_INTERVAL, _DOT = "#C44E00", "#7A7A7A"
_THERE = "#B279A2"
FEW = 40


@lru_cache(maxsize=16)
def bar_table(trace: Trace, look: SyntaxLook, other: Other | None = None) -> pd.DataFrame:
    """One row a part and side, in the order of the table: `row`, `label` (unique by part), `lane`
    (0, or 1 for the other), `side`, `mean`, `ci_low`, `ci_high` (screen units), and `shown`,
    `interval`, `tokens` as texts. A side that has no such part has no row."""
    table = compared_parts(trace, look, other)
    labels = _labels(table, look, trace, other)
    sides = [_side(table, look, labels, lane=0, side="this text", suffix="")]
    if other is not None and "mean_other" in table:
        sides.append(_side(table, look, labels, lane=1, side=other.name, suffix="_other"))
    return pd.concat(sides, ignore_index=True)


def _side(
    table: pd.DataFrame, look: SyntaxLook, labels: list[str], *, lane: int, side: str, suffix: str
) -> pd.DataFrame:
    mean, low, high = (
        table[f"{name}{suffix}"].to_numpy(float) for name in ("mean", "ci_low", "ci_high")
    )
    notes = table[f"ci_note{suffix}"].fillna("").tolist()
    bounds = zip(low.tolist(), high.tolist(), notes, strict=True)
    frame = pd.DataFrame(
        {
            "row": range(len(table)),
            "label": labels,
            "lane": lane,
            "side": side,
            "mean": to_screen(look.metric, mean, look.unit),
            "ci_low": to_screen(look.metric, low, look.unit),
            "ci_high": to_screen(look.metric, high, look.unit),
            "shown": [mean_text(look.metric, value, look.unit) for value in mean.tolist()],
            "interval": [interval_words(look.metric, look.unit, *bound) for bound in bounds],
            "tokens": [_count(n) for n in table[f"n{suffix}"].tolist()],
        }
    )
    return pd.DataFrame(frame[~np.isnan(mean)])


def _labels(table: pd.DataFrame, look: SyntaxLook, trace: Trace, other: Other | None) -> list[str]:
    code = trace.text_bytes.split(b"\n") if look.level == "line" else []
    counts = [table["n"], *([table["n_other"]] if "n_other" in table else [])]
    tokens = zip(*(map(_count, column) for column in counts), strict=True)
    labels: dict[str, None] = {}
    for part, n in zip(table[look.level].tolist(), tokens, strict=True):
        name = label_text(str(part), look.level)
        if look.level == "line":
            name = f"{name}  {one_line(code[int(str(part)) - 1].strip()) or '(blank)'}"
        if len(name) > _LABEL_LENGTH:
            # Scopes differ at their end, lines at their beginning.
            half = _LABEL_LENGTH - 1
            name = f"…{name[-half:]}" if look.level == "scope" else f"{name[:half]}…"
        label = f"{name} ({' | '.join(n)})"
        while label in labels:
            # An axis would merge labels that are the same; this is not seen.
            label += "\u200b"
        labels[label] = None
    return list(labels)


def _count(tokens: float) -> str:
    return "–" if tokens != tokens else number_text(tokens)


@lru_cache(maxsize=16)
def point_table(
    trace: Trace, look: SyntaxLook, most: int, other: Other | None = None
) -> pd.DataFrame:
    """The tokens of the first `most` parts of `bar_table`: `row`, `label`, `lane`, `side`,
    `position`, `token`, `value` (screen units), `shown`, `share` (as text)."""
    bars = bar_table(trace, look, other)
    table = compared_parts(trace, look, other)
    row_of = dict(zip(table[look.level].tolist(), range(len(table)), strict=True))
    label_of = dict(zip(bars["row"], bars["label"], strict=True))
    sides = [_points(trace, look, counted(trace, look), 0, "this text")]
    if other is not None and "mean_other" in table:
        sides.append(_points(other.trace, look, other.counted(look), 1, other.name))
    behind = pd.concat(sides, ignore_index=True)
    rows = behind["part"].map(row_of)
    behind = behind[rows < most].assign(row=rows)
    return behind.assign(row=behind["row"].astype(int), label=behind["row"].map(label_of))


def _points(trace: Trace, look: SyntaxLook, which: Counted, lane: int, side: str) -> pd.DataFrame:
    behind = points(trace, look.language, look.level, look.metric, which)
    tokens = trace.vocabulary.token_bytes
    values = behind["value"].to_numpy(float)
    return pd.DataFrame(
        {
            "part": behind["part"],
            "lane": lane,
            "side": side,
            "position": behind["position"],
            "token": [on_one_line(tokens[int(trace.token_ids[p])]) for p in behind["position"]],
            "value": to_screen(look.metric, values, look.unit),
            "shown": [mean_text(look.metric, value, look.unit) for value in values.tolist()],
            "share": [f"{100 * share:.0f} %" for share in behind["weight"].tolist()],
        }
    )


def bar_chart(
    bars: pd.DataFrame, behind: pd.DataFrame, look: SyntaxLook, *, chosen: int | None
) -> alt.LayerChart:
    """Bars of the means, intervals as lines, tokens as points, the other side below this one; a
    click picks a part (parameter `pick`)."""
    lanes = 1 + int(bars["lane"].max()) if len(bars) else 1
    unit = screen_unit(BY_NAME[look.metric], look.unit)
    title = f"{mean_label(look.metric)} ({unit})" if unit else mean_label(look.metric)
    # Sorted by a field: labels listed in the chart are compiled, and Vega trips over an "if".
    y = alt.Y(
        "label:N",
        sort=alt.EncodingSortField("row", op="min"),
        title=None,
        axis=alt.Axis(
            labelLimit=_LABEL_WIDTH, labelFontSize=12, labelOverlap=False, ticks=False,
            domain=False,
        ),
    )  # fmt: skip
    step = _ROW_HEIGHT if lanes == 1 else _ROW_HEIGHT_OF_TWO
    pick = alt.selection_point(name="pick", fields=["row"], on="click")
    layers = []
    for lane in range(lanes):
        # Half a row up or down from its middle.
        shift = 0.0 if lanes == 1 else (lane - 0.5) * step / 2
        base = alt.Chart(bars[bars["lane"] == lane].assign(chosen=lambda t: t["row"] == chosen))
        base = base.encode(y=y)
        means = base.mark_bar(
            height={"band": 0.72 / lanes}, cornerRadiusEnd=2, opacity=0.5, yOffset=shift
        ).encode(
            x=alt.X("mean:Q", title=title),
            color=alt.condition(
                "datum.chosen", alt.value(TAKEN), alt.value(OTHER if lane == 0 else _THERE)
            ),
            tooltip=[
                alt.Tooltip("label:N", title="part (tokens)"),
                alt.Tooltip("side:N", title="in"),
                alt.Tooltip("shown:N", title=mean_label(look.metric)),
                alt.Tooltip("interval:N", title="95 % interval, for its text"),
            ],
        )
        intervals = base.mark_rule(
            aria=False, strokeWidth=2.5, color=_INTERVAL, yOffset=shift
        ).encode(x="ci_low:Q", x2="ci_high:Q")
        layers += [means.add_params(pick) if lane == 0 else means, intervals]
    chart: alt.LayerChart = alt.LayerChart(
        layer=[*layers[::2], _dots(behind, y, lanes, look), *layers[1::2]]
    )
    return chart.properties(height=alt.Step(step))


def _dots(behind: pd.DataFrame, y: alt.Y, lanes: int, look: SyntaxLook) -> alt.Chart:
    dots: alt.Chart = (
        alt.Chart(behind)
        # Offsets of a row grow upwards.
        .transform_calculate(
            jitter=f"({lanes - 1} - datum.lane + 0.2 + 0.6 * ((datum.position * 0.618) % 1))"
        )
        .mark_circle(size=16, opacity=0.8, color=_DOT)
        .encode(
            y=y,
            x="value:Q",
            yOffset=alt.YOffset("jitter:Q", scale=alt.Scale(domain=[0, lanes])),
            tooltip=[
                alt.Tooltip("token:N"),
                alt.Tooltip("side:N", title="in"),
                alt.Tooltip("position:Q", format=",d"),
                alt.Tooltip("shown:N", title=BY_NAME[look.metric].label),
                alt.Tooltip("share:N", title="share of its bytes here"),
            ],
        )
    )
    return dots
