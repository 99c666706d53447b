"""All metrics in one chart: a panel each, where its values lie, and what is left out."""

from __future__ import annotations

import html
import json
import math

import numpy as np
import pytest
import tiny_models
from made_traces import made

import tokenscope_core as ts
from tokenscope_core.display.scales import STRIP_METRICS
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_ui.drawing import chart_files
from tokenscope_ui.drawing.trends import (
    MOST_POSITIONS,
    shown_positions,
    trend_chart,
    trend_table,
)


@pytest.fixture(scope="module")
def trace() -> ts.Trace:
    request = ts.Request("def add(a, b):\n", 12, ts.Sampling(temperature=1.0, seed=3))
    return ts.generate(tiny_models.language_model(), request)


def test_every_metric_has_a_panel_with_a_point_for_each_value(trace: ts.Trace) -> None:
    table, panels = trend_table(trace, "bits", relative=False)
    assert [panel.scale.label for panel in panels] == [BY_NAME[n].label for n in STRIP_METRICS]
    for number, name in enumerate(STRIP_METRICS):
        known = np.flatnonzero(np.isfinite(trace.column(name)))
        own = table[table["metric"] == BY_NAME[name].label]
        assert own["position"].tolist() == known.tolist()
        assert own["height"].between(number, number + 1).all(), "inside of its own panel"


def test_higher_in_a_panel_is_a_larger_value(trace: ts.Trace) -> None:
    table, _ = trend_table(trace, "bits", relative=False)
    for label, column in (("surprisal", trace.surprisal), ("probability", trace.prob)):
        own = table[table["metric"] == label]
        # Heights grow downwards.
        order = np.argsort(-column[own["position"]], kind="stable")
        assert np.all(np.diff(own["height"].to_numpy()[order]) >= -1e-9), label


def test_a_metric_without_a_value_is_left_out_and_a_gap_breaks_its_line(trace: ts.Trace) -> None:
    scored = ts.score(tiny_models.language_model(), "x = 1\ny = 2\n")
    _, panels = trend_table(scored, "bits", relative=False)
    assert "step time" not in {panel.scale.label for panel in panels}
    gap = made(["p", "a", "b", "c", "d"])
    gap.metrics["logprob"].flags.writeable = True
    gap.metrics["logprob"][2] = math.nan
    table, _ = trend_table(gap, "nats", relative=False)
    assert table[table["metric"] == "surprisal"]["piece"].nunique() == 2
    alone = ts.score(tiny_models.language_model(bos=False), "d")
    _, panels = trend_table(alone, "bits", relative=False)
    # Nothing stands before it, which is known.
    assert [panel.scale.label for panel in panels] == ["context length"]


def test_the_chart_is_one_view_with_the_prompt_shaded_and_each_unit_named(
    trace: ts.Trace,
) -> None:
    table, panels = trend_table(trace, "nats", relative=False)
    drawn = trend_chart(
        table, panels, first=0, end=len(trace), prompt_length=trace.prompt_length, selected=5
    )
    # What Vega cannot read, such as an apostrophe in a label, would leave the page without a chart.
    files = {file.name: file.make() for file in chart_files.of_chart(lambda: drawn, "all")}
    assert b"candidates' mass" in html.unescape(files["all.svg"].decode()).encode()
    chart = drawn.to_dict()
    assert "vconcat" not in chart
    marks = [layer["mark"]["type"] for layer in chart["layer"]]
    assert marks == ["rect", "rule", "rule", "line", "circle"]
    shaded = chart["datasets"][chart["layer"][0]["data"]["name"]]
    assert shaded == [{"first": 0, "last": trace.prompt_length - 0.5}]
    labels = chart["layer"][3]["encoding"]["y"]["axis"]["labelExpr"]
    for words in ("surprisal (nats)", "step time (ms)", "varentropy (nats²)", "probability"):
        assert json.dumps(words) in labels
    (pick,) = (p for p in chart["params"] if p["name"] == "pick")
    assert pick["select"]["fields"] == ["position"]


def test_of_a_long_text_a_part_is_drawn_around_the_selected_token() -> None:
    long = made(["w"] * (MOST_POSITIONS + 500))
    assert shown_positions(long, None) == (500, MOST_POSITIONS + 500)
    assert shown_positions(long, 10) == (0, MOST_POSITIONS)
    middle = MOST_POSITIONS // 2 + 100
    assert shown_positions(long, middle) == (100, MOST_POSITIONS + 100)
    table, _ = trend_table(long, "bits", relative=False, first=100, end=200)
    assert set(table["position"]) == set(range(100, 200))
    assert shown_positions(made(["a", "b"]), None) == (0, 2)
