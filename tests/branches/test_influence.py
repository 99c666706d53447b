"""What a choice meant to the rest, against plain rescoring in float64."""

from __future__ import annotations

import dataclasses

import numpy as np
import oracles
import pytest
import tiny_models

import tokenscope_core as ts
from tokenscope_core.branches.influence import effects
from tokenscope_core.branches.plans import other_candidates
from tokenscope_core.models.lm_head import LazyLogits

PROMPT = "def add(a, b):\n"


def trace_of(lm: ts.LanguageModel, **values: int) -> ts.Trace:
    lm = dataclasses.replace(lm, end_ids=frozenset())
    request = ts.Request(PROMPT, 14, ts.Sampling(temperature=1.0, seed=3), **values)
    return ts.generate(lm, request)


@pytest.mark.parametrize("family", ["llama", "gemma3", "mamba", "recurrent_gemma", "qwen3_next"])
def test_influence_is_what_the_rest_loses_by_the_runner_up(family: str) -> None:
    lm = tiny_models.language_model(family)
    trace = trace_of(lm)
    found = ts.influence(lm, trace)
    assert np.isnan(found.total[: trace.prompt_length]).all()
    assert np.isnan(found.total[-1])
    for position in range(trace.prompt_length, len(trace) - 1):
        ids = trace.token_ids.copy()
        candidates = [i for i in trace.candidate_ids[position].tolist() if i != ids[position]]
        ids[position] = candidates[0]
        logprobs = oracles.log_softmax(oracles.full_pass(lm, ids))
        rest = np.arange(position + 1, len(trace))
        lost = trace.logprob[rest] - logprobs[rest - 1, ids[rest]]
        assert found.total[position] == pytest.approx(lost.sum(), abs=2e-3)
        assert found.mean[position] == pytest.approx(lost.mean(), abs=2e-4)
        assert found.runner_up[position] == candidates[0]


def test_effects_can_be_asked_for_and_stopped_one_by_one() -> None:
    lm = tiny_models.language_model()
    trace = trace_of(lm)
    position = trace.prompt_length + 3
    running = effects(lm, trace, [position, position + 1])
    first = next(running)
    running.close()
    assert first.position == position
    assert len(first.change) == len(trace) - position - 1
    whole = ts.influence(lm, trace, [position])
    assert whole.total[position] == pytest.approx(first.change.sum(), abs=1e-4)
    assert np.isfinite(whole.total).sum() == 1


def test_without_another_candidate_it_is_missing() -> None:
    lm = tiny_models.language_model()
    trace = trace_of(lm, candidates=1)
    favourite = trace.token_ids == trace.candidate_ids[:, 0]
    found = ts.influence(lm, trace)
    assert np.isnan(found.total[favourite]).all()
    for position in np.flatnonzero(favourite).tolist():
        assert other_candidates(trace, position) == []


def test_output_that_is_not_a_number_is_named_and_not_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lm = tiny_models.language_model()
    trace = trace_of(lm)
    rows = LazyLogits.rows
    monkeypatch.setattr(
        LazyLogits, "rows", lambda logits, *span: rows(logits, *span) * float("nan")
    )
    with pytest.raises(ts.ModelError, match="not a number"):
        ts.influence(lm, trace)


@pytest.mark.parametrize("position", [-1, 10**6])
def test_a_position_outside_is_refused(position: int) -> None:
    lm = tiny_models.language_model()
    with pytest.raises(ts.RequestError, match="The trace has"):
        ts.influence(lm, trace_of(lm), [position])


def test_another_model_is_refused() -> None:
    with pytest.raises(ts.RequestError, match="Load the model"):
        ts.influence(tiny_models.language_model("gpt2"), trace_of(tiny_models.language_model()))
