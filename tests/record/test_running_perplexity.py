"""The perplexity up to each token: over which tokens it runs, and where it has no value."""

from __future__ import annotations

import math

import numpy as np
import oracles
import pytest
import tiny_models
from made_traces import made

import tokenscope_core as ts
from tokenscope_core.comparison.tables import totals

TEXT = "def add(a, b):\n    return a + b\n"


def test_of_generated_tokens_it_is_that_of_a_float64_pass() -> None:
    lm = tiny_models.language_model()
    trace = ts.generate(lm, ts.Request(TEXT, 16, ts.Sampling(temperature=1.0, seed=2)))
    logprobs = oracles.log_softmax(oracles.full_pass(lm, trace.token_ids))
    taken = np.full(len(trace), np.nan)
    taken[1:] = logprobs[np.arange(len(trace) - 1), trace.token_ids[1:]]
    expected = oracles.running_perplexity(taken, trace.prompt_length)
    np.testing.assert_allclose(trace.running_perplexity, expected, rtol=1e-4)
    assert np.isnan(trace.running_perplexity[: trace.prompt_length]).all()


def test_of_a_scored_text_it_runs_over_all_that_has_a_surprisal() -> None:
    lm = tiny_models.language_model()
    trace = ts.score(lm, TEXT)
    expected = oracles.running_perplexity(trace.logprob, trace.prompt_length)
    np.testing.assert_allclose(trace.running_perplexity, expected, rtol=1e-12)
    assert np.isnan(trace.running_perplexity[0])
    assert trace.missing_reason("running_perplexity", 0).startswith("nothing precedes")


@pytest.mark.parametrize("generated", [0, 8])
def test_the_last_is_the_perplexity_that_the_totals_say(generated: int) -> None:
    trace = ts.generate(tiny_models.language_model(), ts.Request(TEXT, generated))
    assert trace.running_perplexity[-1] == pytest.approx(totals(trace)["perplexity"])


def test_tokens_that_are_all_one_of_n_have_perplexity_n_from_the_first_on() -> None:
    trace = made(["p", "a", "b", "c"], surprisal=math.log(8.0))
    np.testing.assert_allclose(trace.running_perplexity, [np.nan, 8.0, 8.0, 8.0])
    prompted = made(["p", "q", "a"], prompt_length=2)
    assert "over the generated tokens" in prompted.missing_reason("running_perplexity", 1)


def test_a_token_without_a_figure_has_none_and_the_others_go_on() -> None:
    trace = made(["p", "a", "b", "c"])
    trace.metrics["logprob"].flags.writeable = True
    trace.metrics["logprob"][1:] = [-1.0, np.nan, -3.0]
    np.testing.assert_allclose(
        trace.running_perplexity, [np.nan, math.exp(1.0), np.nan, math.exp(2.0)]
    )
    assert trace.missing_reason("running_perplexity", 2) == "it was not recorded"
