"""How long the tokens of a run took: in all, on average, and what is said where nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_models
from made_traces import made

import tokenscope_core as ts
from tokenscope_core.comparison.tables import totals
from tokenscope_core.display.formatting import time_words

TEXT = "def add(a, b):\n"


def timed(trace: ts.Trace, steps: list[float]) -> ts.Trace:
    column = trace.metrics["elapsed_ms"]
    column.flags.writeable = True
    column[:] = np.nan
    column[trace.prompt_length :] = steps
    return trace


def test_the_total_is_the_sum_of_the_steps_and_the_mean_is_theirs() -> None:
    trace = timed(made(["p", "a", "b", "c"]), [600.0, np.nan, 900.0])
    figures = totals(trace)
    assert (figures["timed_tokens"], figures["decode_ms"]) == (2, 1500.0)
    assert figures["mean_step_ms"] == 750.0
    assert time_words(trace) == (
        "1.50 s for the 2 tokens drawn, 750.0 ms each on average; reading the prompt is not in it"
    )


def test_what_was_not_recorded_is_missing() -> None:
    trace = timed(made(["p", "a"]), [np.nan])
    assert totals(trace)["timed_tokens"] == 0
    assert np.isnan(totals(trace)["decode_ms"]) and np.isnan(totals(trace)["mean_step_ms"])
    assert time_words(trace) == "not recorded for any of its tokens"
    assert time_words(ts.score(tiny_models.language_model(), TEXT)).startswith("not recorded")


def test_a_run_knows_the_time_of_every_token_and_no_time_is_in_its_name() -> None:
    lm = tiny_models.language_model()
    request = ts.Request(TEXT, 8)
    first, second = ts.generate(lm, request), ts.generate(lm, request)
    assert totals(first)["timed_tokens"] == 8
    assert totals(first)["decode_ms"] == pytest.approx(np.nansum(first.elapsed_ms))
    assert first.elapsed_ms[first.prompt_length :].tolist() != (
        second.elapsed_ms[second.prompt_length :].tolist()
    )
    assert first.key == second.key


def test_what_a_branch_shares_was_drawn_in_the_run_it_branched_off() -> None:
    lm = tiny_models.language_model()
    parent = ts.generate(lm, ts.Request(TEXT, 8))
    child = ts.fork(lm, parent, position=parent.prompt_length + 3, token_id=20)
    # The token put there was not drawn.
    assert "for the 7 tokens drawn, 3 of them in the run that it branched off" in time_words(child)
