"""All metrics over position on the page Decode, and how long a run took."""

from __future__ import annotations

import json
from typing import Any

import tokenscope_core as ts
from tokenscope_ui.server.server import service

App = Any


def run_of(folder: str, new_tokens: int) -> ts.Trace:
    request = ts.Request("def add(a, b):\n", max_new_tokens=new_tokens)
    trace = service().submit(folder, request, "someone").wait(60.0).trace
    assert trace is not None
    return trace


def test_all_metrics_are_drawn_in_one_chart_on_request(app: App, tiny_folder: str) -> None:
    trace = run_of(tiny_folder, 6)
    app.open(run=trace.key)
    app.until(lambda: "The whole trace" in app.run().texts)
    assert "Shaded: the prompt" not in app.texts
    app.test.toggle(key="all metrics").set_value(True)
    app.run()
    assert "Shaded: the prompt" in app.texts
    specs = [json.loads(chart.proto.spec) for chart in app.test.get("vega_lite_chart")]
    axes = [json.dumps(spec) for spec in specs]
    assert any("running perplexity" in axis and "step time (ms)" in axis for axis in axes)


def test_how_long_a_run_took_is_said_and_of_a_text_only_read_nothing(
    app: App, tiny_folder: str
) -> None:
    app.open(run=run_of(tiny_folder, 6).key)
    app.until(lambda: "for the 6 tokens drawn" in app.run().texts)
    app.open(run=run_of(tiny_folder, 0).key)
    app.until(lambda: "for the 6 tokens drawn" not in app.run().texts)
    assert "Time:" not in app.texts
