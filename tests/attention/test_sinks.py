"""Which positions take attention whatever the query, and maps without them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tokenscope_core.attention.capturing.maps import AttentionMap, Weights
from tokenscope_core.attention.heads.sinks import LEAST_LATER_ROWS, sinks_in, take_out, without
from tokenscope_core.errors import RequestError

LENGTH = 80


def captured_of(*heads: Weights) -> AttentionMap:
    weights = np.stack(heads)[None].astype(np.float32)
    return AttentionMap(
        weights, (0,), tuple(range(len(heads))), np.arange(weights.shape[-1], dtype=np.int64)
    )


def even(length: int = LENGTH) -> Weights:
    return (np.tril(np.ones((length, length))) / np.arange(1, length + 1)[:, None]).astype("f4")


def parked(position: int, share: float, length: int = LENGTH) -> Weights:
    """Rows after the position give it that share, and the rest to all they see, evenly."""
    weights = even(length)
    weights[position + 1 :] *= 1 - share
    weights[position + 1 :, position] += share
    return weights


def test_the_first_token_is_reported_even_where_it_is_no_sink() -> None:
    found = sinks_in(captured_of(even(), even()))
    assert found.positions == (0,)
    assert found.share_of_heads == (0.0,)
    # Row i gives it 1 / (i + 1).
    assert found.mass[0] == pytest.approx(np.mean(1 / np.arange(2, LENGTH + 1)))


def test_what_later_rows_attend_to_whatever_they_are_is_a_sink() -> None:
    found = sinks_in(captured_of(parked(0, 0.5), parked(7, 0.6), even()))
    assert found.positions == (0, 7)
    assert found.share_of_heads == pytest.approx((1 / 3, 1 / 3))
    assert found.mass[1] > 0.6 / 3


def test_one_head_of_many_makes_no_sink() -> None:
    heads = [parked(7, 0.9), *[even()] * 19]
    assert sinks_in(captured_of(*heads)).positions == (0,)


def test_what_too_few_rows_come_after_is_no_sink() -> None:
    last = LENGTH - 1 - LEAST_LATER_ROWS
    assert sinks_in(captured_of(parked(last, 0.9))).positions == (0, last)
    assert sinks_in(captured_of(parked(last + 1, 0.9))).positions == (0,)


def test_attention_of_a_token_to_itself_does_not_make_it_a_sink() -> None:
    assert sinks_in(captured_of(np.eye(LENGTH, dtype=np.float32))).positions == (0,)


def test_what_no_row_comes_after_has_no_mass_to_speak_of() -> None:
    found = sinks_in(captured_of(even(1)))
    assert found.positions == (0,)
    assert math.isnan(found.mass[0])


def test_sinks_are_not_sought_in_folds_or_where_they_are_masked() -> None:
    with pytest.raises(RequestError, match="nothing masked"):
        sinks_in(without(captured_of(even()), [0]))


def test_a_masked_row_keeps_its_sum_and_the_proportions_of_the_rest() -> None:
    captured = captured_of(parked(0, 0.5))
    found = without(captured, [0, 3])
    rows = found.weights[0, 0]
    assert found.masked == (0, 3)
    assert (rows[:, [0, 3]][1:] == 0).all()
    assert rows[1:].sum(axis=1) == pytest.approx(1.0)
    before = captured.weights[0, 0]
    assert rows[9, 5] / rows[9, 4] == pytest.approx(before[9, 5] / before[9, 4])
    assert np.isnan(rows[0]).all(), "it had nothing but itself"
    assert captured.masked == ()
    assert captured.weights[0, 0, 9, 0] > 0, "what was captured is left as it was"


def test_a_row_that_spends_half_still_spends_half() -> None:
    found = without(captured_of(even() / 2), [0])
    assert found.weights[0, 0, 5].sum() == pytest.approx(0.5)


def test_masking_twice_is_masking_both() -> None:
    captured = captured_of(parked(0, 0.5))
    twice, once = without(without(captured, [0]), [3]), without(captured, [3, 0])
    assert twice.masked == once.masked
    assert np.allclose(twice.weights, once.weights, equal_nan=True, atol=1e-7)


def test_masking_nothing_changes_nothing() -> None:
    captured = captured_of(even())
    assert without(captured, []) is captured
    weights = torch.ones(1, 2, 2)
    assert take_out(weights, ()) is weights


@pytest.mark.parametrize("position", [-1, LENGTH])
def test_a_position_outside_the_text_is_refused(position: int) -> None:
    with pytest.raises(RequestError, match=f"The text has {LENGTH} tokens"):
        without(captured_of(even()), [position])


def test_streamed_weights_are_masked_like_captured_ones() -> None:
    captured = captured_of(parked(0, 0.5), even() / 2)
    streamed = take_out(torch.from_numpy(captured.weights), (0, 3))
    assert np.allclose(streamed.numpy(), without(captured, [0, 3]).weights, equal_nan=True)
    block = take_out(torch.from_numpy(captured.weights[0, :, :2, :2]), (0, 3))
    assert block[0, 1].tolist() == [0.0, 1.0], "of a block, the keys beyond it are passed over"
    assert math.isnan(block[0, 0, 0])
