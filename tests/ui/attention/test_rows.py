"""Attention laid onto a text: which row is read, what a column says, and against what."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from made_traces import made

from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_ui.attention.heads.row import row_table
from tokenscope_ui.attention.matrix_in_view import shown
from tokenscope_ui.attention.matrix_view import rows_that_fit
from tokenscope_ui.attention.rows import (
    EARLIER,
    FIRST,
    LATER,
    NOT_CAPTURED,
    TOO_FAR,
    lay,
    source_table,
)
from tokenscope_ui.attention.view_choice import AttentionLook, from_address, to_address
from tokenscope_ui.attention.weights import share_text, weight_scale
from tokenscope_ui.components.matrix import MAX_CELLS, Crop

MATRIX = np.array(
    [[1, 0, 0, 0], [0.8, 0.2, 0, 0], [0.6, 0.3, 0.1, 0], [0.4, 0.3, 0.2, 0.1]], dtype=np.float32
)
QUERIES = np.arange(4)


def test_the_row_that_predicts_a_token_is_that_of_the_one_before() -> None:
    predicts = lay(MATRIX, QUERIES, 2, "predicts", "from")
    at = lay(MATRIX, QUERIES, 2, "at", "from")
    assert predicts is not None
    assert at is not None
    assert predicts.row == 1
    np.testing.assert_allclose(predicts.weight, MATRIX[1])
    np.testing.assert_allclose(at.weight, MATRIX[2])
    assert predicts.reasons == {2: LATER, 3: LATER}


def test_no_row_predicts_the_first_token() -> None:
    assert lay(MATRIX, QUERIES, 0, "predicts", "from") is None


def test_weights_are_held_against_an_even_share_of_what_a_row_can_see() -> None:
    laid = lay(MATRIX, QUERIES, 3, "at", "from")
    assert laid is not None
    np.testing.assert_allclose(laid.times_uniform, 4 * MATRIX[3])
    masked = lay(MATRIX, QUERIES, 3, "at", "from", masked=(0,))
    assert masked is not None
    np.testing.assert_allclose(masked.times_uniform, 3 * MATRIX[3])


def test_in_a_window_an_even_share_is_of_the_keys_in_it() -> None:
    window = np.array([0, 0, 1, 2])  # the last two tokens
    row = lay(MATRIX, QUERIES, 3, "at", "from", (0, 2), window)
    assert row is not None
    np.testing.assert_allclose(row.times_uniform, MATRIX[3])
    assert row.reasons == {0: TOO_FAR, 1: TOO_FAR}
    column = lay(MATRIX, QUERIES, 1, "at", "to", (), window)
    assert column is not None
    np.testing.assert_allclose(column.times_uniform[1:], 2 * MATRIX[1:, 1])
    assert column.reasons == {0: EARLIER, 3: TOO_FAR}


def test_a_column_lies_on_the_tokens_at_its_rows_or_on_those_they_predict() -> None:
    at = lay(MATRIX, QUERIES, 1, "at", "to")
    predicts = lay(MATRIX, QUERIES, 1, "predicts", "to")
    assert at is not None
    assert predicts is not None
    np.testing.assert_allclose(at.weight, [0, 0.2, 0.3, 0.3])
    np.testing.assert_allclose(predicts.weight, [np.nan, 0, 0.2, 0.3])
    assert at.reasons == {0: EARLIER}
    assert predicts.reasons == {0: FIRST, 1: EARLIER}


def test_rows_that_were_not_captured_are_missing() -> None:
    laid = lay(MATRIX[2:], QUERIES[2:], 1, "at", "to")
    assert laid is not None
    assert np.isnan(laid.weight[1])
    assert laid.reasons[1] == NOT_CAPTURED
    assert lay(MATRIX[2:], QUERIES[2:], 1, "at", "from") is None


def test_sources_come_with_their_share_and_running_sum() -> None:
    laid = lay(MATRIX, QUERIES, 3, "at", "from")
    assert laid is not None
    table = source_table(made(["a", "b\n", "c", "d"]), laid, 3)
    assert table["position"].tolist() == [0, 1, 2]
    np.testing.assert_allclose(table["together"], [0.4, 0.7, 0.9], rtol=1e-6)
    assert table["line"].tolist() == [1, 1, 2]


def two_heads() -> AttentionMap:
    other = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], dtype=np.float32)
    return AttentionMap(np.stack([MATRIX, other])[None], (7,), (0, 1), QUERIES)


def test_the_sink_is_taken_out_of_each_head_before_they_are_folded() -> None:
    captured = two_heads()
    plain = shown(captured, 7, "mean", mask=False)
    np.testing.assert_allclose(plain.matrix, captured.weights[0].mean(axis=0))
    assert plain.sink_positions == (0,)
    masked = shown(captured, 7, "mean", mask=True)
    # The second head has nothing left in row 1, so that the first speaks alone there.
    np.testing.assert_allclose(masked.matrix[1], [0, 1, 0, 0])
    np.testing.assert_allclose(masked.matrix[3], [0, 1 / 4, 2 / 3, 1 / 12], rtol=1e-6)
    assert np.isnan(masked.matrix[0]).all()
    most = shown(captured, 7, "max", mask=True)
    np.testing.assert_allclose(most.matrix[3], [0, 0.5, 1, 1 / 6], rtol=1e-6)
    assert plain.mean_sink_mass == pytest.approx(np.mean([0.9, 0.3, 0.2]))


def test_an_address_spells_every_field_of_a_look() -> None:
    look = AttentionLook(
        view="compare", layer=3, head=0, weighting="value norms", alone=True, queries=(2, 9),
        mask=True, scale="log", question="at", direction="to", key=4, crop="lines", lines=(1, 2),
        keys="before", statistic="induction", parts="unit", tint="share", whole=True,
        layer_b="rollout", head_b="max", branch_b="feed", together="picked", picked=(3, 9, 12),
        received="ratio", received_rows="predicting", one_head=True, columns="head",
    )  # fmt: skip
    changed = [f.name for f in fields(look) if getattr(look, f.name) == f.default]
    assert changed == [], "the look above has another value for each"
    assert from_address(to_address(look)) == look
    assert from_address({}) == AttentionLook()
    assert from_address(to_address(AttentionLook())) == AttentionLook()


def test_a_link_that_does_not_speak_of_the_sink_shows_it_as_it_always_did() -> None:
    assert from_address({"view": "token", "layer": "3"}).masks is False
    assert from_address({"view": "token", "mask": "1"}).masks is True


@pytest.mark.parametrize(
    ("look", "masks"),
    [
        (AttentionLook(), True),
        (AttentionLook(view="matrix"), True),
        (AttentionLook(view="received"), True),
        (AttentionLook(view="heads"), False),
        (AttentionLook(view="flow"), True),
        (AttentionLook(view="flow", whole=True), False),
        (AttentionLook(mask=False), False),
        (AttentionLook(view="heads", mask=True), True),
    ],
)
def test_the_sink_is_apart_unless_that_takes_another_pass_or_somebody_chose(
    look: AttentionLook, masks: bool
) -> None:
    assert look.masks is masks


def three_heads() -> AttentionMap:
    """One sharp, one even, one that has nothing but the first token."""
    sharp, even = np.eye(4), np.tril(np.ones((4, 4))) / np.arange(1, 5)[:, None]
    parked = np.zeros((4, 4))
    parked[:, 0] = 1.0
    weights = np.stack([sharp, even, parked])[None].astype(np.float32)
    return AttentionMap(weights, (5,), (0, 1, 2), QUERIES)


def test_a_row_spreads_over_the_tokens_that_are_not_masked() -> None:
    trace = made(["a", "b", "c", "d"])
    plain = row_table(trace, three_heads(), 5, 3, mask=False)
    assert plain["spread"].tolist() == pytest.approx([0.0, 1.0, 0.0])
    masked = row_table(trace, three_heads(), 5, 3, mask=True)
    assert masked["spread"][:2].tolist() == pytest.approx([0.0, 1.0])
    assert masked["weight"][:2].tolist() == pytest.approx([1.0, 1 / 3])
    assert masked["sink"].tolist() == pytest.approx([0.0, 0.25, 1.0])


def test_a_head_with_nothing_but_the_sink_looks_nowhere_without_it() -> None:
    head = row_table(made(["a", "b", "c", "d"]), three_heads(), 5, 3, mask=True).loc[2]
    assert head[["token", "at", "weight", "spread"]].isna().all()


def test_the_largest_of_several_heads_put_no_more_than_a_row_on_sinks() -> None:
    """Where each of two heads has its own sink, their maxima sum to two rows."""
    weights = np.zeros((2, 80, 80), dtype=np.float32)
    weights[0, :, 0] = 1.0
    weights[1, :, 0], weights[1, 4:, 0], weights[1, 4:, 3] = 1.0, 0.0, 1.0
    captured = AttentionMap(weights[None], (0,), (0, 1), np.arange(80))
    found = shown(captured, 0, "max", mask=False)
    assert found.sink_positions == (0, 3)
    assert found.mean_sink_mass == pytest.approx(1.0)


def test_a_map_has_as_many_rows_as_a_browser_takes() -> None:
    few = np.arange(100)
    assert rows_that_fit(few, None, 3) == (0, 100)
    many = np.arange(6000)
    for query in (None, 0, 3000, 5999):
        first, end = rows_that_fit(many, None, query)
        assert sum(range(first + 1, end + 1)) <= MAX_CELLS
        assert query is None or first <= query < end
    first, end = rows_that_fit(many, Crop((5000, 5100), (0, 5100)), None)
    assert (first, end) == (5000, 5100)


def test_a_tint_says_what_it_is_relative_to() -> None:
    weight = np.array([0.5, 0.25, np.nan])
    relative = weight_scale(weight, "relative")
    assert relative.high == 50.0
    assert "relative to this row" in relative.note
    assert weight_scale(weight, "linear").high == 100.0
    assert [label for _, label in weight_scale(weight, "log").ticks] == ["0.1", "1", "10", "100"]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.5, "50 %"),
        (0.0996, "10 %"),
        (0.00996, "1.0 %"),
        (0.0123, "1.2 %"),
        (1e-4, "0.01 %"),
        (0.0, "0 %"),
        (1e-9, "<0.001 %"),
    ],
)
def test_shares_are_read_in_per_cent(share: float, text: str) -> None:
    assert share_text(share) == text
