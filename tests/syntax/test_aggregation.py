"""Statistics over the parts of programs, checked by hand, by numpy and by enumeration."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syntax_traces import trace_of, words

import tokenscope_core as ts
from tokenscope_core.syntax.folding.aggregation import LEVELS, Level, aggregate
from tokenscope_core.syntax.folding.differences import aggregate_difference
from tokenscope_core.syntax.folding.frames import analyse

CODE = "def f(x):\n    return x + 1\n\n\nfor i in range(10):\n    print(f(i))\n"


def test_a_token_shared_by_two_parts_counts_in_each_with_its_bytes() -> None:
    # "x" | " =" | " yy": the spaces take a half and a third.
    trace = trace_of([b"x", b" =", b" yy"], entropy=[1.0, 2.0, 3.0])
    table = aggregate(trace, by="leaf", language="python").set_index("leaf")
    assert table.loc["identifier", "n"] == pytest.approx(1 + 2 / 3)
    assert table.loc["identifier", "mean"] == pytest.approx((1.0 + 3.0 * 2 / 3) / (1 + 2 / 3))
    assert table.loc["whitespace", "mean"] == pytest.approx((2 / 2 + 3 / 3) / (1 / 2 + 1 / 3))
    assert table.loc["=", ["n", "tokens", "bytes"]].tolist() == [0.5, 1, 1]
    whole = aggregate(trace, by="leaf", whole_tokens=True).set_index("leaf")
    assert whole["n"].to_dict() == {"identifier": 2.0, "=": 1.0}
    assert whole.loc["identifier", "mean"] == 2.0


@pytest.mark.parametrize("by", LEVELS)
@pytest.mark.parametrize("whole_tokens", [False, True])
def test_at_every_level_the_parts_add_up_to_the_whole(by: Level, whole_tokens: bool) -> None:
    trace = trace_of(words(CODE))
    table = aggregate(trace, by=by, metric="surprisal", whole_tokens=whole_tokens)
    assert table["n"].sum() == pytest.approx(len(trace))
    assert (table["n"] * table["mean"]).sum() == pytest.approx(trace.surprisal.sum())
    if not whole_tokens:
        assert table["bytes"].sum() == len(CODE)


def test_the_prompt_is_left_out_unless_asked_for() -> None:
    trace = trace_of(words(CODE), prompt=8)
    generated = aggregate(trace)
    everything = aggregate(trace, generated_only=False)
    assert generated["n"].sum() == pytest.approx(len(trace) - 8)
    assert everything["n"].sum() == pytest.approx(len(trace))
    prompt = aggregate(trace, counted="prompt")
    assert prompt["n"].sum() == pytest.approx(8)
    assert (prompt["mean"] > 0).all(), "never as probability 1"


def test_tokens_without_a_value_are_left_out_and_counted() -> None:
    trace = trace_of([b"x", b"+", b"y", b"<e>"], entropy=[np.nan, 1.0, 3.0, 9.0],
                     special=frozenset({3}))  # fmt: skip
    table = aggregate(trace, by="leaf", language="python").set_index("leaf")
    assert table.loc["identifier", ["n", "mean", "missing"]].tolist() == [1.0, 3.0, 1.0]
    assert table["max"].max() == 3.0, "a token of no bytes is in no part"


def test_a_part_of_missing_values_alone_has_no_statistics() -> None:
    table = aggregate(trace_of([b"x"], entropy=[np.nan]), by="leaf")
    assert table["n"].tolist() == [0.0]
    assert table[["mean", "median", "min", "std", "ci_low"]].isna().all(axis=None)
    assert aggregate(trace_of([])).empty
    assert aggregate([]).empty


@pytest.mark.parametrize("tokens", [20, 1200])
def test_an_impossible_token_makes_its_part_infinite_and_no_other(tokens: int) -> None:
    values = np.ones(tokens)
    values[[0, 2]] = np.inf
    trace = trace_of([b"x", b"+"] * (tokens // 2), entropy=values)
    table = aggregate(trace, by="leaf", language="python").set_index("leaf")
    assert table.loc["identifier", ["mean", "ci_note"]].tolist() == [
        np.inf, "none: a value is infinite",
    ]  # fmt: skip
    assert table.loc["+", "mean"] == 1.0
    other = trace_of([b"x", b"+"] * (tokens // 2), entropy=np.zeros(tokens))
    difference = aggregate_difference(other, trace, by="leaf", language="python").set_index("leaf")
    assert difference.loc["identifier", "difference"] == np.inf
    assert difference.loc["+", "difference"] == 1.0
    same = aggregate_difference(trace, trace, by="leaf", language="python").set_index("leaf")
    assert np.isnan(same.loc["identifier", "difference"]), "infinite less infinite"


numbers = st.lists(
    st.tuples(st.floats(-5, 5).map(lambda v: round(v, 3)), st.sampled_from([0.25, 0.5, 1.0])),
    min_size=1,
    max_size=30,
)


@given(numbers)
def test_statistics_of_whole_tokens_are_numpys(rows: list[tuple[float, float]]) -> None:
    values = np.array([value for value, _ in rows])
    found = aggregate(trace_of([b"x;"] * len(rows), entropy=values), by="line").iloc[0]
    assert found["mean"] == pytest.approx(values.mean())
    assert found["std"] == pytest.approx(values.std())
    assert (found["min"], found["max"]) == (values.min(), values.max())
    for name, q in (("q25", 0.25), ("median", 0.5), ("q75", 0.75)):
        assert found[name] == np.quantile(values, q, method="inverted_cdf")


@given(numbers)
def test_shares_weigh_in_quantiles_as_numpy_weighs(rows: list[tuple[float, float]]) -> None:
    # Each token is "+" and spaces: the sign's share of it is the weight.
    pieces = [b"+" + b" " * (int(1 / weight) - 1) for _, weight in rows]
    trace = trace_of(pieces, entropy=[value for value, _ in rows])
    table = aggregate(trace, by="leaf", language="python").set_index("leaf")
    values, weights = np.array(rows).T
    assert table.loc["+", "n"] == pytest.approx(weights.sum())
    for name, q in (("q25", 0.25), ("median", 0.5), ("q75", 0.75)):
        expected = np.quantile(values, q, weights=weights, method="inverted_cdf")
        assert table.loc["+", name] == expected


@pytest.mark.parametrize("by", ["category", "statement", "line", "function"])
def test_of_a_text_that_was_given_and_scored_all_tokens_count(by: Level) -> None:
    given = trace_of(words(CODE), prompt=len(words(CODE)))
    table = aggregate(given, by, "surprisal")
    assert table["n"].sum() == pytest.approx(len(given))
    assert set(table["counted"]) == {"all"}
    assert table.drop(columns="counted").equals(
        aggregate(given, by, "surprisal", generated_only=False).drop(columns="counted")
    )


def test_a_frame_says_which_tokens_it_counted() -> None:
    generated, given = trace_of(words(CODE), prompt=8), trace_of(words(CODE), prompt=30)
    assert set(aggregate(generated)["counted"]) == {"generated"}
    assert set(aggregate(generated, counted="prompt")["counted"]) == {"prompt"}
    assert set(aggregate([generated, given])["counted"]) == {"generated; all of 1 text without any"}


def test_over_several_texts_whole_texts_count_as_drawn() -> None:
    levels = (1.0, 2.0, 3.0, 4.5)
    flat = [trace_of(words(CODE), entropy=[level] * len(words(CODE))) for level in levels]
    table = aggregate(flat).set_index("category")
    by_statement = aggregate(flat, resample="statement").set_index("category")
    assert set(table["unit"]) == {"text"}
    assert table.loc["delimiter", "units"] == 4
    assert table.loc["delimiter", "mean"] == by_statement.loc["delimiter", "mean"] == 2.625
    width = table["ci_high"] - table["ci_low"]
    assert (width > by_statement["ci_high"] - by_statement["ci_low"])["delimiter"]
    assert "not for others" in by_statement.loc["delimiter", "ci_note"]
    note = table.loc["delimiter", "ci_note"]
    assert note.startswith("over 4 texts, which is few: 95 % intervals held the mean in 78 to 97 %")
    alone = aggregate(flat[0], resample="text").set_index("category")
    assert alone.loc["delimiter", "ci_note"] == "none: 1 text, at least 4 are needed"
    with pytest.raises(ts.RequestError, match="statement, text"):
        aggregate(flat, resample="token")  # type: ignore[arg-type]


def test_an_interval_is_for_its_text_and_needs_ten_statements() -> None:
    ten = aggregate(trace_of(words("x = y\n" * 10)), "leaf").set_index("leaf")
    assert ten.loc["=", "units"] == 10
    assert ten.loc["=", "ci_note"] == "for this text"
    assert ten.loc["=", "ci_low"] < ten.loc["=", "mean"] < ten.loc["=", "ci_high"]
    nine = aggregate(trace_of(words("x = y\n" * 9)), "leaf").set_index("leaf")
    assert nine.loc["=", ["ci_low", "ci_high"]].isna().all()
    assert nine.loc["=", "ci_note"] == "none: 9 statements, at least 10 are needed"


def test_bounds_stay_where_a_mean_can_lie() -> None:
    values = np.where(np.arange(60) % 20 == 0, 0.0, 1.0)
    trace = trace_of([b"x", b";"] * 30, entropy=values)
    made = dataclasses.replace(trace, metrics={**trace.metrics, "margin": values})
    assert aggregate(made, "leaf", "margin")["ci_high"].max() <= 1.0


def test_a_corpus_is_its_traces_together() -> None:
    traces = [trace_of(words(CODE)), trace_of(words("x = 1\n"))]
    together = aggregate(traces).set_index("category")
    apart = [aggregate(trace).set_index("category") for trace in traces]
    assert together.loc["delimiter", "n"] == sum(
        table["n"].get("delimiter", 0.0) for table in apart
    )
    assert aggregate([analyse(trace) for trace in traces]).equals(aggregate(traces))


def test_few_tokens_are_said_to_be_few() -> None:
    table = aggregate(trace_of([b"x", b";"] * 40 + [b"+"] * 29), by="leaf").set_index("leaf")
    assert not table.loc[";", "thin"]
    assert table.loc["+", "thin"]


def test_lines_count_from_one_and_take_their_share_of_tokens_across_them() -> None:
    trace = trace_of([b"a", b"\nbc", b"\n"], entropy=[1.0, 4.0, 2.0])
    table = aggregate(trace, by="line").set_index("line")
    assert table.loc[1, "n"] == pytest.approx(1 + 1 / 3)
    assert table.loc[2, "mean"] == pytest.approx((4.0 * 2 / 3 + 2.0) / (2 / 3 + 1))


def test_what_makes_no_sense_is_refused() -> None:
    trace = trace_of(words(CODE))
    with pytest.raises(ts.RequestError, match="category"):
        aggregate(trace, by="mood")  # type: ignore[arg-type]
    with pytest.raises(ts.RequestError, match="surprisal"):
        aggregate(trace, metric="happiness")
    with pytest.raises(ts.RequestError, match="one trace"):
        aggregate([trace, trace], by="line")
