"""The parts of a program as bars with their intervals and the tokens behind them. Data frame in,
Altair out."""

from __future__ import annotations

import functools

import altair as alt
import pandas as pd

from tokenscope_core import Trace
from tokenscope_core.metric_registry import BY_NAME
from tokenscope_ui.charts import OTHER, TAKEN
from tokenscope_ui.formatting import visible_text
from tokenscope_ui.scales import screen_unit, to_screen
from tokenscope_ui.syntax_view.reading import (
    Look,
    in_screen_units,
    mean_label,
    points,
    shown_parts,
)
from tokenscope_ui.syntax_view.words import (
    interval_words,
    label_text,
    mean_text,
    number_text,
    one_line,
)

_ROW_HEIGHT = 21
_LABEL_WIDTH = 230
_LABEL_LENGTH = 40
# Seen on a blue bar, and on a white or a black page.
_INTERVAL, _DOT = "#C44E00", "#7A7A7A"
FEW = 40


@functools.lru_cache(maxsize=16)
def bar_table(trace: Trace, look: Look) -> pd.DataFrame:
    """One row a part in the order of the table: `row`, `label` (unique), `mean`, `ci_low`,
    `ci_high` (screen units), and `shown`, `interval`, `tokens` as texts."""
    table = shown_parts(trace, look)
    screen = in_screen_units(table, look.metric, look.unit)
    tokens = [number_text(n) for n in table["n"].tolist()]
    return pd.DataFrame(
        {
            "row": range(len(table)),
            "label": _labels(table[look.level].tolist(), tokens, look, trace),
            **{name: screen[name] for name in ("mean", "ci_low", "ci_high")},
            "shown": [mean_text(look.metric, mean, look.unit) for mean in table["mean"].tolist()],
            "interval": [
                interval_words(look.metric, look.unit, low, high)
                for low, high in zip(table["ci_low"], table["ci_high"], strict=True)
            ],
            "tokens": tokens,
        }
    )


def _labels(parts: list[object], tokens: list[str], look: Look, trace: Trace) -> list[str]:
    code = trace.text_bytes.split(b"\n") if look.level == "line" else []
    labels: dict[str, None] = {}
    for part, n in zip(parts, tokens, strict=True):
        name = label_text(str(part), look.level)
        if look.level == "line":
            name = f"{name}  {one_line(code[int(str(part)) - 1].strip()) or '(blank)'}"
        if len(name) > _LABEL_LENGTH:
            # Scopes differ at their end, lines at their beginning.
            half = _LABEL_LENGTH - 1
            name = f"…{name[-half:]}" if look.level == "scope" else f"{name[:half]}…"
        label = f"{name} ({n})"
        while label in labels:
            # An axis would merge labels that are the same; this is not seen.
            label += "\u200b"
        labels[label] = None
    return list(labels)


@functools.lru_cache(maxsize=16)
def point_table(trace: Trace, look: Look, most: int) -> pd.DataFrame:
    """The tokens of the first `most` parts of `bar_table`: `row`, `label`, `position`, `token`,
    `value` (screen units), `shown`, `share` (as text)."""
    table = shown_parts(trace, look)
    row_of = dict(zip(table[look.level].tolist(), range(len(table)), strict=True))
    behind = points(trace, look.language, look.level, look.metric, look.prompt)
    rows = behind["part"].map(row_of)
    bars = bar_table(trace, look)
    behind = behind[rows < most].assign(row=rows)
    tokens = trace.vocabulary.token_bytes
    positions = behind["position"].tolist()
    return pd.DataFrame(
        {
            "row": behind["row"].astype(int),
            "label": behind["row"].map(dict(zip(bars["row"], bars["label"], strict=True))),
            "position": positions,
            "token": [visible_text(tokens[int(trace.token_ids[p])]) for p in positions],
            "value": to_screen(look.metric, behind["value"].to_numpy(), look.unit),
            "shown": [mean_text(look.metric, v, look.unit) for v in behind["value"].tolist()],
            "share": [f"{100 * share:.0f} %" for share in behind["share"].tolist()],
        }
    )


def bar_chart(
    bars: pd.DataFrame, behind: pd.DataFrame, look: Look, *, chosen: int | None
) -> alt.LayerChart:
    """Bars of the means, intervals as lines, tokens as points; a click picks a part (parameter
    `pick`)."""
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
    base = alt.Chart(bars.assign(chosen=bars["row"] == chosen)).encode(y=y)
    means = base.mark_bar(height={"band": 0.72}, cornerRadiusEnd=2, opacity=0.5).encode(
        x=alt.X("mean:Q", title=title),
        color=alt.condition("datum.chosen", alt.value(TAKEN), alt.value(OTHER)),
        tooltip=[
            alt.Tooltip("label:N", title="part (tokens)"),
            alt.Tooltip("shown:N", title=mean_label(look.metric)),
            alt.Tooltip("interval:N", title="95 % interval"),
        ],
    )
    dots = (
        alt.Chart(behind)
        .transform_calculate(jitter="(datum.position * 0.618) % 1")
        .mark_circle(size=16, opacity=0.8, color=_DOT)
        .encode(
            y=y,
            x="value:Q",
            yOffset=alt.YOffset("jitter:Q", scale=alt.Scale(domain=[-0.4, 1.4])),
            tooltip=[
                alt.Tooltip("token:N"),
                alt.Tooltip("position:Q", format=",d"),
                alt.Tooltip("shown:N", title=BY_NAME[look.metric].label),
                alt.Tooltip("share:N", title="share of its bytes here"),
            ],
        )
    )
    pick = alt.selection_point(name="pick", fields=["row"], on="click")
    intervals = base.mark_rule(strokeWidth=2.5, color=_INTERVAL).encode(
        x="ci_low:Q", x2="ci_high:Q"
    )
    chart: alt.LayerChart = alt.LayerChart(layer=[means.add_params(pick), dots, intervals])
    return chart.properties(height=alt.Step(_ROW_HEIGHT))
