"""Captured attention as it comes back from the store: what half precision keeps of it."""

from __future__ import annotations

import numpy as np
import pytest

from tokenscope_core.attention.capturing.maps import AttentionMap, Rollout, Weights
from tokenscope_core.attention.heads.sinks import without
from tokenscope_core.attention.records import (
    decode_map,
    decode_rollout,
    encode_map,
    encode_rollout,
)

LENGTH = 500


def sharp() -> Weights:
    """Rows of a head that spread over eight decades, float32 [query, key]."""
    logits = np.random.default_rng(0).normal(size=(LENGTH, LENGTH)) * 3
    logits[:, 0] = 15.0
    weights = np.tril(np.exp(logits))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def captured_of(weights: Weights) -> AttentionMap:
    return AttentionMap(weights[None, None], (0,), (0,), np.arange(len(weights)))


def test_every_weight_keeps_three_digits() -> None:
    weights = sharp()
    assert weights[weights > 0].min() < 1e-8
    kept = decode_map(encode_map(captured_of(weights))).of(0, 0)
    np.testing.assert_allclose(kept, weights, rtol=5e-4, atol=1e-12)
    rolled = decode_rollout(encode_rollout(Rollout(weights, (0,)))).weights
    np.testing.assert_array_equal(rolled, kept)


def test_what_is_left_of_a_row_without_its_sink_is_as_it_was_before_storing() -> None:
    captured = captured_of(sharp())
    assert captured.weights[0, 0, 1:, 0].mean() > 0.95
    stored = without(decode_map(encode_map(captured)), [0]).weights[0, 0, 1:]
    exact = captured.weights[0, 0, 1:].astype(np.float64)
    exact[:, 0] = 0.0
    exact /= exact.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(stored, exact, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 1.0, 0.5, 1.05])
def test_whole_weights_come_back_as_they_were(weight: float) -> None:
    """In half precision a row of a model's own may sum to a little more than 1."""
    captured = captured_of(np.full((1, 1), weight, dtype=np.float32))
    kept = decode_map(encode_map(captured)).of(0, 0)
    assert kept[0, 0] == pytest.approx(weight, rel=5e-4)
