"""Differences of two texts part by part, checked by hand and against resampling done plainly."""

from __future__ import annotations

import numpy as np
import pytest
from syntax_traces import trace_of, words

import tokenscope_core as ts
from tokenscope_core.syntax.folding.aggregation import aggregate
from tokenscope_core.syntax.folding.differences import aggregate_difference

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


def test_the_interval_agrees_with_theory() -> None:
    random = np.random.default_rng(5)
    a, b = (
        trace_of(words("x = y\n" * size), entropy=random.normal(3.0, 1.0, 5 * size))
        for size in (300, 500)
    )
    row = aggregate_difference(a, b, "leaf").set_index("leaf").loc["="]
    own = [aggregate(side, "leaf").set_index("leaf").loc["="] for side in (a, b)]
    error = np.sqrt(sum(side["std"] ** 2 / side["n"] for side in own))
    theory = row["difference"] + np.array([-1.96, 1.96]) * error
    assert row[["ci_low", "ci_high"]].tolist() == pytest.approx(theory.tolist(), abs=0.1 * error)
    assert row["ci_note"] == "for these two texts"


def test_an_interval_needs_ten_statements_on_either_side() -> None:
    a, b = trace_of(words("x = y\n" * 9)), trace_of(words("x = y\n" * 30))
    few = aggregate_difference(a, b, "leaf").set_index("leaf").loc["="]
    assert few["ci_low"] != few["ci_low"]
    assert few["ci_note"] == "none: 9 statements, at least 10 are needed"
    assert few[["units_a", "units_b"]].tolist() == [9, 30]


def test_a_text_without_generated_tokens_counts_whole() -> None:
    given, generated = trace_of(words(CODE), prompt=30), trace_of(words(CODE), prompt=8)
    table = aggregate_difference(given, generated)
    assert table["n_a"].sum() == pytest.approx(len(given))
    assert set(table["counted_a"]) == {"all"}
    assert set(table["counted_b"]) == {"generated"}


def test_of_several_texts_on_a_side_whole_texts_count_as_drawn() -> None:
    flat = [trace_of(words(CODE), entropy=[level] * 30) for level in (1.0, 2.0, 3.0, 5.0)]
    table = aggregate_difference(flat, [*flat, *flat]).set_index("category")
    assert table.loc["delimiter", ["units_a", "units_b"]].tolist() == [4, 8]
    assert table.loc["delimiter", "ci_low"] < 0 < table.loc["delimiter", "ci_high"]


def test_lines_of_different_texts_are_not_compared() -> None:
    a, b = trace_of(words(CODE)), trace_of(words("x = 1\n"))
    with pytest.raises(ts.RequestError, match="lines"):
        aggregate_difference(a, b, "line")
    with pytest.raises(ts.RequestError, match="category"):
        aggregate_difference(a, b, "mood")  # type: ignore[arg-type]
