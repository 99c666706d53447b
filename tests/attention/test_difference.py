"""Two patterns of attention laid over each other."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tokenscope_core.attention.capturing.maps import AttentionMap, Weights
from tokenscope_core.attention.difference import attention_difference, row_distances
from tokenscope_core.attention.heads.sinks import without
from tokenscope_core.comparison.alignment import align
from tokenscope_core.errors import RequestError


def captured_of(length: int, seed: int = 0, queries: range | None = None) -> AttentionMap:
    """Two layers of two heads with random causal rows."""
    rng = np.random.default_rng(seed)
    weights = np.tril(rng.random((2, 2, length, length))).astype(np.float32)
    weights /= weights.sum(-1, keepdims=True)
    positions = np.array(queries if queries is not None else range(length), dtype=np.int64)
    return AttentionMap(weights[:, :, positions], (0, 1), (0, 1), positions)


def test_two_heads_of_a_text_are_subtracted_weight_by_weight() -> None:
    both = captured_of(6)
    found = attention_difference(both, both, (0, 1), (1, 0))
    below = np.tril_indices(6)
    assert np.allclose(found.values[below], (both.of(1, 0) - both.of(0, 1))[below])
    assert np.isnan(found.values[np.triu_indices(6, 1)]).all(), "no query sees a later key"
    assert found.positions_a.tolist() == found.positions_b.tolist() == list(range(6))


def test_a_head_does_not_differ_from_itself() -> None:
    both = captured_of(6)
    found = attention_difference(both, both, (0, 1), (0, 1))
    assert np.nanmax(abs(found.values)) == 0.0
    assert found.distance.tolist() == [0.0] * 6


def test_branches_are_compared_where_they_are_aligned() -> None:
    a, b = captured_of(5, seed=1), captured_of(6, seed=2)
    # b puts a token in at 2 and changes the last.
    alignment = align([10, 11, 12, 13, 14], [10, 11, 99, 12, 13, 15])
    found = attention_difference(a, b, (0, 0), (0, 0), alignment)
    assert found.kind.tolist() == ["same", "same", "only b", "same", "same", "changed"]
    assert found.positions_a.tolist() == [0, 1, -1, 2, 3, 4]
    expected = b.of(0, 0)[5, 3] - a.of(0, 0)[4, 2]
    assert found.values[5, 3] == pytest.approx(float(expected))
    assert np.isnan(found.values[2]).all(), "a has no such query"
    assert np.isnan(found.values[:, 2]).all(), "a has no such key"
    assert np.isfinite(np.delete(found.values[5], 2)).all()
    assert np.isnan(found.distance).tolist() == [False, False, True, False, False, False]
    frame = found.frame()
    assert frame["position_a"].isna().tolist() == [False, False, True, False, False, False]
    assert frame["distance"].isna().sum() == 1


def test_rows_that_were_not_captured_are_missing() -> None:
    whole, part = captured_of(6), captured_of(6, queries=range(3, 5))
    found = attention_difference(whole, part, (0, 0), (0, 0))
    assert np.isfinite(found.values).any(axis=1).tolist() == [False] * 3 + [True] * 2 + [False]
    assert np.isfinite(found.distance).tolist() == [False] * 3 + [True] * 2 + [False]


def row(*shares: float) -> Weights:
    return np.array([shares], dtype=np.float32)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        (row(1.0, 0.0), row(1.0, 0.0), 0.0),
        (row(1.0, 0.0), row(0.0, 1.0), 1.0),
        (row(0.5, 0.0), row(1.0, 0.0), 0.0),  # brought to 1
        # m = (3/4, 1/4): (ln 4/3 + ln 2/3 / 2 + ln 2 / 2) / 2 nats
        (row(1.0, 0.0), row(0.5, 0.5), math.sqrt((math.log2(4 / 3) * 1.5) / 2)),
        (row(math.nan, math.nan), row(0.5, 0.5), math.nan),
        (row(0.0, 0.0), row(0.5, 0.5), math.nan),
    ],
)
def test_the_distance_of_rows_by_hand(a: Weights, b: Weights, distance: float) -> None:
    both = [np.concatenate([rows, rows]) for rows in (a, b)]
    found = row_distances(*both, align([0, 1], [0, 1]))
    assert found == pytest.approx([distance] * 2, nan_ok=True)


def test_attention_to_a_token_that_only_one_text_has_is_wholly_different() -> None:
    alignment = align([1, 2], [1, 9, 2])
    a = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    b = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=np.float32)
    assert row_distances(a, b, alignment) == pytest.approx([0.0, math.nan, 1.0], nan_ok=True)


def test_texts_of_unequal_length_need_an_alignment() -> None:
    with pytest.raises(RequestError, match="no alignment was given"):
        attention_difference(captured_of(5), captured_of(6), (0, 0), (0, 0))


def test_an_alignment_of_other_texts_is_refused() -> None:
    with pytest.raises(RequestError, match="Give the alignment of the token ids"):
        attention_difference(
            captured_of(5), captured_of(5), (0, 0), (0, 0), align(range(4), range(4))
        )  # fmt: skip


def test_what_is_shown_in_two_ways_is_not_subtracted() -> None:
    plain = captured_of(5)
    norms = dataclasses.replace(plain, weighting="value norms")
    for other in (norms, without(plain, [0])):
        with pytest.raises(RequestError, match="Show both in the same way"):
            attention_difference(plain, other, (0, 0), (0, 0))


def test_a_head_that_was_not_captured_is_named() -> None:
    with pytest.raises(KeyError, match="head 7"):
        attention_difference(captured_of(5), captured_of(5), (0, 7), (0, 0))
