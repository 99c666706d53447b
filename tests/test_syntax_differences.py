"""Differences of two texts part by part, checked by hand and against resampling done plainly."""

from __future__ import annotations

import numpy as np
import pytest
from syntax_traces import trace_of, words

import tokenscope_core as ts
from tokenscope_core.syntax.aggregation import aggregate
from tokenscope_core.syntax.bootstrap import interval_of_difference
from tokenscope_core.syntax.differences import aggregate_difference

CODE = "def f(x):\n    return x + 1\n\n\nfor i in range(10):\n    print(f(i))\n"


def test_the_difference_is_b_less_a_with_shares_of_bytes() -> None:
    # "+" is half of its token on side b, and so counts half.
    a = trace_of([b"x", b"+", b"+", b"y"], entropy=[1.0, 2.0, 4.0, 1.0])
    b = trace_of([b"x", b"+ ", b"y"], entropy=[1.0, 9.0, 5.0])
    table = aggregate_difference(a, b, "leaf").set_index("leaf")
    assert table.loc["+", ["n_a", "mean_a", "n_b", "mean_b"]].tolist() == [2.0, 3.0, 0.5, 9.0]
    assert table.loc["+", "difference"] == 6.0
    assert table.loc["identifier", "difference"] == 2.0
    assert table["difference"].iloc[0] == 6.0, "the greatest comes first"


def test_the_means_are_those_of_the_aggregate() -> None:
    a, b = trace_of(words(CODE)), trace_of(words(CODE + CODE), prompt=7)
    table = aggregate_difference(a, b, "category", "surprisal").set_index("category")
    for side, trace in (("a", a), ("b", b)):
        alone = aggregate(trace, "category", "surprisal").set_index("category")
        np.testing.assert_allclose(table[f"mean_{side}"].loc[alone.index], alone["mean"])
        np.testing.assert_allclose(table[f"n_{side}"].loc[alone.index], alone["n"])


def test_a_text_is_compared_with_its_own_prompt() -> None:
    trace = trace_of(words(CODE), prompt=8)
    table = aggregate_difference(trace, trace, "line", counted_a="prompt").set_index("line")
    assert table["n_a"].sum() == pytest.approx(8)
    assert table["n_b"].sum() == pytest.approx(len(trace) - 8)


def test_a_part_of_one_side_alone_has_no_difference() -> None:
    a, b = trace_of([b"x", b"+", b"y"]), trace_of([b"x", b"*", b"y"])
    table = aggregate_difference(a, b, "leaf").set_index("leaf")
    assert table["only"].to_dict() == {"identifier": "", "*": "b", "+": "a"}
    assert table.loc["*", ["n_a", "n_b"]].tolist() == [0.0, 1.0]
    assert table.loc["*", ["mean_a", "difference", "ci_low", "ci_high"]].isna().all()
    assert table["thin"].all()


def test_parts_without_a_value_are_not_there() -> None:
    a = trace_of([b"x", b"+"], entropy=[1.0, np.nan])
    b = trace_of([b"x", b"+"], entropy=[3.0, 2.0])
    table = aggregate_difference(a, b, "leaf").set_index("leaf")
    assert table.loc["+", "only"] == "b"
    assert aggregate_difference(a, trace_of([]), "leaf")["only"].tolist() == ["a"]
    assert aggregate_difference([], []).empty


def test_the_interval_agrees_with_plain_resampling_and_with_theory() -> None:
    random = np.random.default_rng(5)
    # Under 500 tokens and above, two ways of drawing are used.
    for sizes in ((40, 90), (700, 60)):
        a, b = (random.gamma(2.0, 1.0, size) for size in sizes)
        found = interval_of_difference(
            (a, np.ones(len(a)), None), (b, np.ones(len(b)), None),
            resamples=6000, confidence=0.95, seed=(0, "x"),
        )  # fmt: skip
        plain = [
            random.choice(b, len(b)).mean() - random.choice(a, len(a)).mean() for _ in range(6000)
        ]
        error = np.sqrt(a.var() / len(a) + b.var() / len(b))
        assert found == pytest.approx(tuple(np.quantile(plain, [0.025, 0.975])), abs=0.12 * error)
        theory = b.mean() - a.mean() + np.array([-1.96, 1.96]) * error
        assert found == pytest.approx(tuple(theory), abs=0.2 * error)


def test_two_against_two_is_resampled_exactly() -> None:
    # Means of a: 0, 1, 2 with chances 1/4, 1/2, 1/4; of b: 10, 15, 20 likewise.
    found = interval_of_difference(
        (np.array([0.0, 2.0]), np.ones(2), None), (np.array([10.0, 20.0]), np.ones(2), None),
        resamples=20_000, confidence=0.8, seed=(0, "x"),
    )  # fmt: skip
    # 8 has a chance of 1/16, 9 of 2/16, 10 of 1/16; the upper end mirrors it.
    assert found == (9.0, 19.0)


def test_equal_seeds_give_equal_intervals_and_one_token_gives_none() -> None:
    a, b = trace_of(words(CODE)), trace_of(words(CODE), prompt=5)
    first = aggregate_difference(a, b)
    assert first.equals(aggregate_difference(a, b))
    assert not first.equals(aggregate_difference(a, b, seed=1))
    few = aggregate_difference(trace_of([b"x"]), trace_of([b"x"]), "leaf")
    assert few["difference"].notna().all()
    assert few["ci_low"].isna().all()


def test_lines_of_different_texts_are_not_compared() -> None:
    a, b = trace_of(words(CODE)), trace_of(words("x = 1\n"))
    with pytest.raises(ts.RequestError, match="lines"):
        aggregate_difference(a, b, "line")
    with pytest.raises(ts.RequestError, match="category"):
        aggregate_difference(a, b, "mood")  # type: ignore[arg-type]
