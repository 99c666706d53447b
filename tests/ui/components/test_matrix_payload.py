"""What the map's script is sent: exact to three digits, causal cells only, of bounded size."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from tokenscope_ui.components import matrix
from tokenscope_ui.components.matrix.payload import EMPTY, MAX_CELLS, MISSING, ZERO, quantise


def number(code: int) -> float:
    """A code as the script reads it."""
    if code == MISSING:
        return float("nan")
    if code == ZERO:
        return 0.0
    place = (code - 1) // 2 - 2
    sign = -1 if code % 2 == 0 else 1
    return sign * float(f"{100 + place % 900}e{place // 900 - 37}")


def read(payload: bytes) -> tuple[dict[str, Any], list[npt.NDArray[np.float64]]]:
    """The header, and the numbers of each row."""
    text, _, data = payload.partition(b"\n")
    header = json.loads(text)
    numbers = np.array([number(code) for code in np.frombuffer(data, "<u2").tolist()])
    queries = header["queries"]
    positions = queries if isinstance(queries, list) else range(queries, queries + header["rows"])
    ends = np.cumsum([position + 1 for position in positions])
    assert ends[-1] == len(numbers)
    return header, np.split(numbers, ends[:-1])


def causal(count: int, seed: int = 0) -> npt.NDArray[np.float32]:
    raw = np.tril(np.exp(4 * np.random.default_rng(seed).standard_normal((count, count))))
    return (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)


class TestQuantise:
    @given(st.floats(1e-35, 9.994, width=64), st.sampled_from([-1, 1]))
    def test_keeps_the_sign_and_three_significant_digits(self, size: float, sign: int) -> None:
        (code,) = quantise(np.array([sign * size])).tolist()
        unit = 10.0 ** (np.floor(np.log10(size)) - 2)
        assert abs(number(code) - sign * size) <= 0.5001 * unit

    @pytest.mark.parametrize(
        "value", [1.0, 0.999, 0.9996, 0.1, 0.0999, 1e-4, 9.99e-5, 1.23e-20, 1e-35, 9.99]
    )
    def test_agrees_with_decimal_rounding_at_powers_of_ten(self, value: float) -> None:
        (code,) = quantise(np.array([value])).tolist()
        assert number(code) == float(f"{value:.2e}")

    def test_missing_and_zero_are_told_apart_from_each_other_and_from_what_is_tiny(self) -> None:
        codes = quantise(np.array([np.nan, 0.0, -0.0, 1e-40])).tolist()
        assert codes[:3] == [MISSING, ZERO, ZERO]
        assert codes[3] not in (EMPTY, MISSING, ZERO)

    def test_the_largest_code_is_the_largest_magnitude(self) -> None:
        values = np.array([np.nan, 0, 1e-38, -1e-9, 1e-8, 2e-8, -0.3, 0.31, 1])
        assert (np.diff(quantise(values).astype(int)) > 0).all()

    def test_refuses_what_is_no_share(self) -> None:
        with pytest.raises(ValueError, match=r"below 10"):
            quantise(np.array([9.996]))
        with pytest.raises(ValueError, match=r"below 10"):
            quantise(np.array([np.inf]))


class TestEncode:
    def test_carries_every_causal_cell_to_three_digits(self) -> None:
        weights = causal(40)
        header, rows = read(matrix.encode(weights, labels=["x"] * 40, title="layer 0, head 0"))
        assert (header["rows"], header["keys"]) == (40, 40)
        for query, row in enumerate(rows):
            np.testing.assert_allclose(row, weights[query, : query + 1], rtol=0.005)

    def test_what_lies_beyond_the_diagonal_does_not_travel(self) -> None:
        weights = causal(8)
        noisy = weights + np.triu(np.full((8, 8), 7, np.float32), 1)
        labels = list("abcdefgh")
        assert matrix.encode(noisy, labels=labels, title="t") == matrix.encode(
            weights, labels=labels, title="t"
        )

    @pytest.mark.parametrize("queries", [[3, 4, 5], [0, 4, 7]])
    def test_rows_may_be_some_of_the_queries(self, queries: list[int]) -> None:
        weights = causal(8)
        payload = matrix.encode(weights[queries], labels=["x"] * 8, title="t", queries=queries)
        for query, row in zip(queries, read(payload)[1], strict=True):
            np.testing.assert_allclose(row, weights[query, : query + 1], rtol=0.005)

    def test_differences_keep_their_sign(self) -> None:
        difference = causal(6, seed=1) - causal(6)
        payload = matrix.encode(difference, labels=["x"] * 6, title="t", difference=True)
        header, rows = read(payload)
        assert header["difference"]
        np.testing.assert_allclose(rows[5], difference[5], rtol=0.005)
        with pytest.raises(ValueError, match="difference=True"):
            matrix.encode(difference, labels=["x"] * 6, title="t")

    def test_any_text_arrives_as_it_is(self) -> None:
        labels = ["</script>", "\ud800", "\n", "é\x00"]
        header, _ = read(matrix.encode(causal(4), labels=labels, title="t"))
        assert header["labels"] == labels

    def test_two_thousand_tokens_take_two_bytes_a_cell(self) -> None:
        payload = matrix.encode(causal(2048), labels=["x"] * 2048, title="t")
        assert len(payload) < 2 * 2048 * 2049 // 2 + 10_000

    def test_more_cells_than_a_browser_takes_are_refused(self) -> None:
        keys = MAX_CELLS
        weights = np.broadcast_to(np.float32(0), (2, keys))
        with pytest.raises(ValueError, match="fewer queries"):
            matrix.encode(weights, labels=[""] * keys, title="t", queries=[keys - 2, keys - 1])

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"labels": ["x"]}, "one a key"),
            ({"query_labels": ["x"]}, "one a row"),
            ({"queries": [0, 1]}, "one a row"),
            ({"queries": [0, 2, 1]}, "ascend"),
            ({"queries": [0, 1, 3]}, "ascend"),
            ({"masked": [3]}, "masked keys"),
        ],
    )
    def test_what_does_not_belong_together_is_refused(
        self, changes: dict[str, Any], message: str
    ) -> None:
        given: dict[str, Any] = {"labels": ["x"] * 3, "title": "t"} | changes
        with pytest.raises(ValueError, match=message):
            matrix.encode(causal(3), **given)


@pytest.mark.parametrize(
    ("shape", "low", "high"), [("log", 1.0, 1.0), ("log", 0.0, 1.0), ("linear", 1e-4, 0.0)]
)
def test_a_scale_without_extent_is_refused(shape: Any, low: float, high: float) -> None:
    with pytest.raises(ValueError, match="scale from"):
        matrix.ColourScale(shape, low=low, high=high)


@pytest.mark.parametrize("span", [(3, 3), (5, 2), (-1, 4)])
def test_an_empty_crop_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no range"):
        matrix.Crop(queries=span, keys=(0, 4))


def page() -> None:
    import streamlit as st

    from tokenscope_ui.components import matrix

    matrix.mount(b"{}", key="map", on_select=lambda: None, selected=(st.session_state.get("q"), 0))
    st.session_state.cell = matrix.picked("map")


class TestMount:
    def test_selecting_leaves_the_message_of_the_weights_alone(self) -> None:
        app = AppTest.from_function(page).run()
        assert not app.exception
        weights, _ = app.get("bidi_component")
        before = weights.proto.SerializeToString()
        app.session_state["q"] = 5
        weights, view = app.run().get("bidi_component")
        assert weights.proto.SerializeToString() == before
        assert json.loads(view.proto.json)["selected"] == [5, 0]

    @pytest.mark.parametrize(
        ("pick", "cell"),
        [
            ({"query": 5, "key": 2, "stamp": 1}, (5, 2)),
            ({"query": 2, "key": 5, "stamp": 1}, None),
            ({"query": "5", "key": 2, "stamp": 1}, None),
            ({"query": 5, "key": -1, "stamp": 1}, None),
            ({"query": True, "key": 0, "stamp": 1}, None),
            ([5, 2], None),
        ],
    )
    def test_a_malformed_pick_is_none(self, pick: Any, cell: tuple[int, int] | None) -> None:
        app = AppTest.from_function(page).run()
        app.session_state["map"] = {"pick": pick}
        assert app.run().session_state["cell"] == cell
