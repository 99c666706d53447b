"""A run of a tiny model that never ends a text by itself, for branches to grow on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import oracles
import pytest
import tiny_models

import tokenscope_core as ts

PROMPT = "def add(a, b):\n    return a + b\n"
NEW_TOKENS = 24
SAMPLINGS = {
    "greedy": ts.Sampling(),
    "sampled": ts.Sampling(temperature=1.0, top_p=0.95, repetition_penalty=1.1, seed=5),
}


def endless(family: str = "llama") -> ts.LanguageModel:
    return dataclasses.replace(tiny_models.language_model(family), end_ids=frozenset())


def parent_of(lm: ts.LanguageModel, sampling: str = "greedy", **values: Any) -> ts.Trace:
    request = ts.Request(PROMPT, NEW_TOKENS, SAMPLINGS[sampling], **values)
    return ts.generate(lm, request)


def assert_same_record(a: ts.Trace, b: ts.Trace, tolerance: float = 5e-5) -> None:
    np.testing.assert_array_equal(a.token_ids, b.token_ids)
    for name in ("logprob", "entropy", "varentropy", "margin", "sampled_logprob"):
        np.testing.assert_allclose(a.column(name), b.column(name), atol=tolerance, err_msg=name)
    assert a.finish_reason == b.finish_reason


def from_scratch(lm: ts.LanguageModel, child: ts.Trace) -> None:
    """The branch's text scored in one go: what every metric must be."""
    logprobs = oracles.log_softmax(oracles.full_pass(lm, child.token_ids))
    for position in range(1, len(child)):
        expected = logprobs[position - 1, child.token_ids[position]]
        assert child.logprob[position] == pytest.approx(expected, abs=5e-4)
