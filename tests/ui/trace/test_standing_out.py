"""The list of what stands out follows the metric that the code is tinted by."""

from __future__ import annotations

import numpy as np
import pytest

import tokenscope_core as ts
from tokenscope_core.display.scales import STRIP_METRICS
from tokenscope_ui.trace.standing_out import MOST, standing_out


@pytest.fixture(scope="module")
def run() -> ts.Trace:
    sampling = ts.Sampling(temperature=0.8, seed=1)
    return ts.generate(ts.load_model(), ts.Request("def add(a, b):\n", 24, sampling))


@pytest.mark.parametrize(
    ("metric", "order"),
    [("surprisal", -1), ("entropy", -1), ("rank", -1), ("prob", 1), ("margin", 1)],
)
def test_it_begins_where_the_model_was_least_sure(run: ts.Trace, metric: str, order: int) -> None:
    generated = range(run.prompt_length, len(run))
    values = run.column(metric)
    expected = sorted(generated, key=lambda position: order * values[position])[:MOST]
    assert standing_out(run, metric) == expected


def test_of_what_is_typical_both_ends_stand_out(run: ts.Trace) -> None:
    found = standing_out(run, "typicality")
    rest = [i for i in range(run.prompt_length, len(run)) if i not in found]
    away = np.abs(run.typicality)
    assert away[found].min() >= away[rest].max()


@pytest.mark.parametrize("metric", STRIP_METRICS)
def test_tokens_without_a_value_are_never_named(run: ts.Trace, metric: str) -> None:
    assert not np.isnan(run.column(metric)[standing_out(run, metric)]).any()


def test_of_a_scored_text_all_tokens_count() -> None:
    trace = ts.score(ts.load_model(), "x = 1\ny = zebra\n")
    assert standing_out(trace, "surprisal")[0] == int(np.nanargmax(trace.surprisal))
