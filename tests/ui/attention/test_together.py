"""Several tokens taken together, and cells of grids: what is laid, and what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from made_traces import made

import tokenscope_core as ts
from tokenscope_ui.attention.matrix_in_view import Shown
from tokenscope_ui.attention.one_token.attenders import MOST_ROWS, cells_of
from tokenscope_ui.attention.one_token.together import chosen_positions, lay_together
from tokenscope_ui.attention.rows import EARLIER, FIRST, LATER, NOT_CAPTURED, TOO_FAR, lay
from tokenscope_ui.attention.view_choice import AttentionLook
from tokenscope_ui.attention.weights import received_tint

MATRIX = np.array(
    [[1, 0, 0, 0], [0.8, 0.2, 0, 0], [0, 0.6, 0.4, 0], [0, 0, 0.9, 0.1]], dtype=np.float32
)
# Each row sees two tokens.
FIRST_KEYS = np.array([0, 0, 1, 2])
WINDOWED = Shown(MATRIX, np.arange(4), (0,), np.zeros(4), masked=False, first_keys=FIRST_KEYS)


def test_what_two_tokens_attend_to_is_the_mean_of_their_rows() -> None:
    found = lay_together(WINDOWED, (1, 2), AttentionLook(question="at"))
    assert found is not None
    np.testing.assert_allclose(found.weight, [0.4, 0.4, 0.2, 0], atol=1e-7)
    # Even attention: halves of what each sees.
    np.testing.assert_allclose(found.times_uniform[:3], [1.6, 0.8, 0.8], rtol=1e-6)
    assert found.reasons == {3: LATER}
    assert (found.row, found.tokens) == (None, 2)


def test_one_token_together_is_what_it_is_alone() -> None:
    for question in ("at", "predicts"):
        for direction in ("from", "to"):
            look = AttentionLook(question=question, direction=direction)  # type: ignore[arg-type]
            found = lay_together(WINDOWED, (2,), look)
            alone = lay(MATRIX, np.arange(4), 2, question, direction, (), FIRST_KEYS)  # type: ignore[arg-type]
            assert found is not None and alone is not None
            np.testing.assert_allclose(found.weight, alone.weight, atol=1e-7)
            assert found.reasons == alone.reasons, (question, direction)


def test_what_attends_to_two_tokens_is_the_sum_of_their_columns() -> None:
    found = lay_together(WINDOWED, (1, 2), AttentionLook(question="predicts", direction="to"))
    assert found is not None
    np.testing.assert_allclose(found.weight, [np.nan, 0, 0.2, 1.0], atol=1e-7)
    assert found.reasons == {0: FIRST, 1: EARLIER}


def test_rows_that_were_not_captured_are_said_to_be() -> None:
    part = Shown(MATRIX[2:], np.arange(2, 4), (0,), np.zeros(2), masked=False)
    assert lay_together(part, (0, 1), AttentionLook(question="at")) is None
    found = lay_together(part, (1, 2), AttentionLook(question="at"))
    assert found is not None and found.tokens == 1
    to = lay_together(part, (0,), AttentionLook(question="at", direction="to"))
    assert to is not None
    assert to.reasons[1] == NOT_CAPTURED
    far = lay_together(WINDOWED, (3,), AttentionLook(question="at"))
    assert far is not None and far.reasons == {0: TOO_FAR, 1: TOO_FAR}


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (AttentionLook(), None),
        (AttentionLook(together="picked", picked=(3, 1, 77)), (1, 3)),
        (AttentionLook(together="line"), (2, 3)),
    ],
)
def test_the_tokens_looked_at_together(
    look: AttentionLook, expected: tuple[int, ...] | None
) -> None:
    trace = made(["a", "\n", "b", "c"])
    assert chosen_positions(trace, look, 3) == expected
    if look.together == "line":
        assert chosen_positions(trace, look, None) == ()


def test_of_many_later_tokens_those_that_attend_most_are_shown_in_their_order() -> None:
    length = MOST_ROWS + 21
    trace = made([f"w{i}" for i in range(length)])
    weights = np.linspace(0.0, 1.0, length, dtype=np.float32)[None, None].repeat(2, axis=1)
    found = ts.Attenders(0, weights, np.arange(length, dtype=np.int64), (4,))
    cells = cells_of(trace, found, found.by_head(), (0, 1), AttentionLook(question="at"))
    assert cells["position"].drop_duplicates().tolist() == list(range(21, length))
    predicting = cells_of(trace, found, found.by_head(), (0, 1), AttentionLook())
    # The last row predicts what is not in the text.
    assert predicting["position"].max() == length - 1
    assert predicting["weight"].max() == pytest.approx(weights[0, 0, -2])


def test_what_is_set_apart_is_no_part_of_the_scale() -> None:
    lm = ts.load_model()
    trace = ts.score(lm, "def add(a, b):\n    return a + b\n" * 4)
    frame = ts.received(lm, trace).frame()
    values, scale = received_tint(frame, "mass", (0,))
    assert np.isnan(values[0]) and np.isnan(values[-1])
    rest = frame["received"][1:-1].max()
    assert scale.high == pytest.approx(rest, abs=2e-3)
    assert frame["received"][0] > rest
    ratio, diverging = received_tint(frame, "ratio", ())
    assert diverging.low == -diverging.high
    assert np.nanmax(np.abs(ratio)) <= diverging.high
