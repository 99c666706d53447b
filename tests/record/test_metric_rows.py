"""A metric is one row: nothing is lacking in it, and whoever shows or stores metrics reads it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import oracles
import pytest
import tiny_models
import torch
from oracles import metrics_of

import tokenscope_core as ts
from tokenscope_core.record.metric_registry import (
    MEASURED,
    ON_REQUEST,
    STORED,
    Metric,
    metric_named,
    missing_reason,
)
from tokenscope_core.record.metrics import measure

FOLDER = Path(__file__).resolve().parents[1]
ROWS = (*ts.METRICS, *ON_REQUEST)


@pytest.mark.parametrize("metric", ROWS, ids=lambda metric: metric.name)
def test_a_row_is_whole_and_makes_sense(metric: Metric) -> None:
    for text in (metric.label, metric.formula, metric.meaning, metric.source):
        assert text.strip()
    assert metric.name.isidentifier()
    assert metric.meaning.endswith(".")
    low, high = metric.tint
    assert low < high and math.isfinite(low) and math.isfinite(high)
    assert metric.difference_tint > 0
    least, most = metric.range
    assert least < most
    if metric.strong == "both":
        assert low == -high, "away from 0 to both sides"
        assert (least, most) == (-math.inf, math.inf)
    elif not metric.whole:  # a rank is tinted by its logarithm
        assert least <= low and high <= most, "no value lies there"


def test_a_row_that_lacks_something_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="difference_tint"):
        Metric(
            "x", "x", "nats", "f", "m", "s", distribution="raw", known_for="all tokens",
            storage="derived", range=(0, 1), tint=(0, 1), root=2, strong="high", menu=1,
        )  # type: ignore[call-arg]  # fmt: skip


def test_names_labels_and_places_in_the_menu_are_taken_once() -> None:
    for taken in (
        [m.name for m in ROWS],
        [m.label for m in ROWS],
        [m.menu for m in ROWS if m.menu],
    ):
        assert len(set(taken)) == len(taken)
    assert [m.storage for m in ROWS].count("on request") == 2
    assert all(metric_named(metric.name) is metric for metric in ROWS)


def test_every_metric_is_an_attribute_of_a_trace_and_lies_in_its_range(
    lm: ts.LanguageModel,
) -> None:
    trace = ts.generate(lm, ts.Request("def f(é):\n", 8, ts.Sampling(temperature=1.0, seed=1)))
    assert tuple(trace.metrics) == STORED
    for metric in ts.METRICS:
        assert isinstance(getattr(ts.Trace, metric.name), property), metric.name
        values = trace.column(metric.name)
        known = values[~np.isnan(values)]
        assert values.shape == (len(trace),)
        assert len(known), f"nothing computes {metric.name}"
        least, most = metric.range
        assert (known >= least).all() and (known <= most).all()


def test_what_is_known_for_some_tokens_only_is_so(lm: ts.LanguageModel) -> None:
    trace = ts.generate(lm, ts.Request("def f(é):\n", 4, ts.Sampling(temperature=1.0, seed=1)))
    drawn = np.arange(len(trace)) >= trace.prompt_length
    for metric in ts.METRICS:
        measured = np.arange(len(trace)) >= int(metric.distribution != "none")
        expected = drawn if metric.known_for != "all tokens" else measured
        np.testing.assert_array_equal(~np.isnan(trace.column(metric.name)), expected, metric.name)


def test_every_raw_metric_has_an_oracle_and_every_measured_one_is_measured() -> None:
    oracle = metrics_of(np.array([0.0, 1.0, -2.0]), 1, 2)
    raw = [m for m in ts.METRICS if m.distribution == "raw"]
    assert set(oracle) == {m.name for m in raw if m.storage != "accumulated"}
    for metric in raw:
        assert metric.storage != "accumulated" or hasattr(oracles, metric.name), metric.name
    found = measure(torch.tensor([[0.0, 1.0, -2.0]]), torch.tensor([1]), 2)
    assert tuple(found.columns) == MEASURED
    for name in MEASURED:
        assert found.columns[name][0] == pytest.approx(oracle[name], abs=1e-6)


def test_what_is_missing_where_other_figures_are_known_was_not_recorded() -> None:
    answer = (FOLDER / "engine_answers" / "vllm_prompt.json").read_bytes()
    trace = ts.import_answer(answer).trace
    (position,) = np.flatnonzero(~np.isnan(trace.logprob) & (trace.source == "prompt"))[:1]
    assert np.isnan(trace.entropy[position])
    assert trace.missing_reason("entropy", int(position)) == "it was not recorded"
    assert "nothing precedes" in tiny_trace().missing_reason("entropy", 0)
    assert "not one step each" in tiny_trace().missing_reason("elapsed_ms", 1)


def test_a_token_without_a_figure_is_told_nothing_untrue() -> None:
    answer = (FOLDER / "engine_answers" / "gemini.json").read_bytes()
    first = ts.import_answer(answer).trace
    assert first.source[0] == "sampled"
    assert first.missing_reason("entropy", 0) == "it was not recorded"
    forced = missing_reason("elapsed_ms", position=4, source="forced", measured=True)
    assert forced == "forced tokens are read together, not one step each"


def tiny_trace() -> ts.Trace:
    return ts.score(tiny_models.language_model(), "x = 1")


ADDED = """
import one_more_metric
import json, sys
from pathlib import Path
import numpy as np
import tokenscope_core as ts
from tokenscope_core import export
from tokenscope_core.record.metric_registry import BY_NAME, MEASURED, STORED
name = one_more_metric.NAME
assert name in MEASURED and name in STORED
blobs = sorted(Path(sys.argv[1]).glob("*/trace-*.arrow"))
assert len(blobs) > 8
for file in blobs:
    trace = ts.Trace.from_bytes(file.read_bytes())
    assert np.isnan(trace.column(name)).all(), file
    said = json.loads(file.with_name(file.name + ".says.json").read_text("utf-8"))
    for old, column in said["metrics"].items():
        found = [None if v != v else v for v in trace.column(old).tolist()]
        assert found == column["values"], (file, old)
    known = np.flatnonzero(~np.isnan(trace.logprob))
    if len(known):
        assert trace.missing_reason(name, int(known[-1])) == "it was not recorded"
    # Written again, it has the column, and what is in it comes back.
    metrics = {**trace.metrics, name: np.linspace(-2.0, -1.0, len(trace)).astype(np.float32)}
    object.__setattr__(trace, "metrics", metrics)
    again = ts.Trace.from_bytes(trace.to_bytes())
    assert again.column(name).tolist() == metrics[name].tolist()
assert name in ts.token_frame(trace).columns
assert {f"{name}_a", f"{name}_b", f"{name}_diff"} <= set(ts.compare(trace, trace).frame().columns)
assert json.loads(export.json_lines(trace).splitlines()[0])[name] == metrics[name][0]
page = export.report(trace).decode()
assert '"name":"sharpness"' in page and '"tint":[0,-6],"root":3,"signed":false' in page
import io, pandas as pd
assert name in pd.read_parquet(io.BytesIO(export.parquet(trace))).columns

from tokenscope_core.display import scales
scale = scales.scale_of(name, trace.column(name))
assert (scale.low, scale.high, scale.reverse, scale.kind) == (-6, 0, True, "sequential")
assert scales.STRIP_METRICS[-1] == name
assert scales.difference_scale(name, trace.column(name)).high == 4

from streamlit.testing.v1 import AppTest
shown = AppTest.from_file("app.py", default_timeout=60).run()
shown = shown.switch_page("pages/metrics.py").run()
assert not shown.exception, shown.exception
assert name in shown.table[0].value.to_numpy()
sys.stdout.buffer.write(trace.to_bytes())
"""


def test_one_more_row_is_taken_up_everywhere_and_old_traces_open() -> None:
    """And a program without that row opens what one with it has written."""
    done = subprocess.run(
        [sys.executable, "-c", ADDED, str(FOLDER / "frozen")],
        cwd=FOLDER.parent,
        env=os.environ | {"PYTHONPATH": f"{FOLDER.parent}:{FOLDER / 'support'}"},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    newer = ts.Trace.from_bytes(done.stdout)
    assert "sharpness" not in newer.metrics
    assert b"sharpness" in done.stdout
    assert not np.isnan(newer.logprob[1:]).any()
