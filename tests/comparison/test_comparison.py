"""Two traces side by side: where they part and meet again, what each token is worth in both."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_traces import END, MODEL, made

import tokenscope_core as ts
from tokenscope_core.comparison.alignment import align
from tokenscope_core.comparison.comparison import Comparison, compare
from tokenscope_core.comparison.tables import overview

WORDS = ["if", " x", ":", "\n", " return", " y"]


def rows(comparison: Comparison) -> list[tuple[str, object, object]]:
    frame = comparison.frame().astype(object).where(lambda f: f.notna(), None)
    columns = ("kind", "token_a", "token_b")
    return list(zip(*(frame[name].tolist() for name in columns), strict=True))


@given(st.lists(st.integers(0, 3), max_size=30), st.lists(st.integers(0, 3), max_size=30))
def test_an_alignment_holds_every_token_of_both_once_and_in_order(
    a: list[int], b: list[int]
) -> None:
    alignment = align(a, b)
    for ids, positions in ((a, alignment.position_a), (b, alignment.position_b)):
        assert positions[positions >= 0].tolist() == list(range(len(ids)))
    for kind, i, j in zip(
        alignment.kind.tolist(), alignment.position_a.tolist(), alignment.position_b.tolist(),
        strict=True,
    ):  # fmt: skip
        if kind in ("same", "changed"):
            assert i >= 0 and j >= 0 and (a[i] == b[j]) == (kind == "same")
        else:
            assert (j, i)[kind == "only b"] == -1
    prefix = alignment.shared_prefix
    assert a[:prefix] == b[:prefix]
    assert prefix == min(len(a), len(b)) or a[prefix] != b[prefix]


@given(st.lists(st.integers(0, 3), max_size=30), st.lists(st.integers(0, 3), max_size=30))
def test_runs_follow_each_other_without_a_gap(a: list[int], b: list[int]) -> None:
    end_a = end_b = 0
    for run in align(a, b).runs:
        assert (run.start_a, run.start_b) == (end_a, end_b)
        if run.kind == "same":
            assert a[run.start_a : run.end_a] == b[run.start_b : run.end_b]
        end_a, end_b = run.end_a, run.end_b
    assert (end_a, end_b) == (len(a), len(b))


def test_a_replaced_token_faces_its_replacement() -> None:
    comparison = compare(made(["if", " x", ":"]), made(["if", " y", ":"]))
    assert rows(comparison) == [("same", "if", "if"), ("changed", " x", " y"), ("same", ":", ":")]
    assert (comparison.relation, comparison.divergence) == ("diverge", 1)


def test_what_a_longer_side_has_more_faces_nothing() -> None:
    comparison = compare(made(["if", " x", ":"]), made(["if", " y", " y", " y", ":"]))
    assert rows(comparison)[1:4] == [
        ("changed", " x", " y"), ("only b", None, " y"), ("only b", None, " y"),
    ]  # fmt: skip


def test_an_inserted_token_shifts_the_rest_but_leaves_it_the_same() -> None:
    comparison = compare(made(["if", ":", "\n"]), made(["if", " x", ":", "\n"]))
    assert rows(comparison)[1] == ("only b", None, " x")
    assert comparison.frame()["position_b"].tolist()[2:] == [2, 3]
    assert comparison.rejoin == (1, 2)


@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        (["if", " x"], ["if", " x"], "same"),
        (["if", " x"], ["if", " x", ":"], "b goes on"),
        (["if", " x", ":"], ["if", " x"], "a goes on"),
    ],
)
def test_texts_that_do_not_part_say_how_they_relate(
    a: list[str], b: list[str], relation: str
) -> None:
    comparison = compare(made(a), made(b))
    assert comparison.relation == relation
    assert comparison.divergence is None
    assert comparison.rejoin is None


def test_texts_rejoin_where_all_further_bytes_agree_not_where_some_do() -> None:
    a = made(["if", " x", ":", " y", " x", ":"])
    b = made(["if", " y", ":", " x", " x", ":"])
    assert compare(a, b).rejoin == (4, 4)


def test_a_rejoin_is_of_bytes_however_they_are_cut_into_tokens() -> None:
    a = made(["if", " x", ":", " re", "turn", "\n"])
    b = made(["if", " y", ":", " return", "\n"])
    assert compare(a, b).rejoin == (2, 2)


@pytest.mark.parametrize(
    ("a", "b", "shared"),
    [
        (["if", " x", ":"], ["if", " y", ":"], 1),
        (["if", " x", ":", "\n", " return"], ["if", " y", ":", "\n"], 2),
        (["if", " x", ":", " re", "turn", "\n"], ["if", " y", ":", " return", "\n"], 4),
        (["if", " x"], ["if", " y"], 0),
        (["if", " x", ":", END], ["if", " y", ":", END], 1),
    ],
)
def test_tokens_shared_after_a_rejoin_are_counted(a: list[str], b: list[str], shared: int) -> None:
    comparison = compare(made(a), made(b, finish_reason="length"))
    assert comparison.rejoined_tokens == shared


def test_a_text_that_was_cut_off_may_be_the_shorter_one() -> None:
    a = made(["if", " x", ":", "\n", " return"])
    b = made(["if", " y", ":", "\n"], finish_reason="length")
    assert compare(a, b).rejoin == (2, 2)
    assert compare(b, a).rejoin == (2, 2)


def test_a_text_that_ended_of_itself_agrees_with_none_that_goes_on() -> None:
    a = made(["if", " x", ":", "\n", " return"])
    b = made(["if", " y", ":", "\n", END], finish_reason="eos")
    assert compare(a, b).rejoin is None
    assert compare(b, a).rejoin is None


def test_a_word_that_has_a_space_only_inside_a_text_rejoins_after_it() -> None:
    a, b = made([END, " if", " x", ":"]), made([END, " y", " if", " x", ":"])
    a, b = (
        dataclasses.replace(t, vocabulary=dataclasses.replace(t.vocabulary, dummy_prefix=True))
        for t in (a, b)
    )
    assert (a.text, b.text) == ("if x:", "y if x:")
    assert compare(a, b).rejoin == (2, 3)


def test_ends_alone_are_no_rejoin() -> None:
    a, b = (
        made(["if", " x", END], finish_reason="eos"),
        made(["if", " y", END], finish_reason="eos"),
    )
    assert compare(a, b).rejoin is None


def test_metrics_of_a_row_are_those_of_both_tokens_and_their_difference() -> None:
    a, b = made(["if", " x", ":"], surprisal=1.0), made(["if", " y"], surprisal=3.0)
    frame = compare(a, b).frame()
    for metric in ts.METRICS:
        for side, trace in (("a", a), ("b", b)):
            here = frame.dropna(subset=f"position_{side}")
            np.testing.assert_array_equal(
                here[f"{metric.name}_{side}"].to_numpy(dtype=float, na_value=np.nan),
                trace.column(metric.name)[here[f"position_{side}"].to_numpy(dtype=int)],
            )
        # The first token has a context of no tokens and no other figure; the last row
        # is of one side alone.
        unknown_at_first = metric.name != "context_length"
        assert frame[f"{metric.name}_diff"].isna().tolist()[::2] == [unknown_at_first, True]
    assert frame["surprisal_diff"][1] == 2.0
    assert str(frame["rank_diff"].dtype) == "Int64"


def test_without_a_model_no_distribution_is_compared() -> None:
    comparison = compare(made(["if", " x", ":"]), made(["if", " y", ":"]))
    assert comparison.measured == "none"
    assert comparison.frame()[["kl_ab", "kl_ba", "jsd"]].isna().all(axis=None)
    assert comparison.rejoin_distribution is None


def test_the_summary_counts_and_averages_over_what_was_generated() -> None:
    a = made(["if", " x", ":", "\n"], prompt_length=2, surprisal=1.0)
    b = made(["if", " x", " y"], prompt_length=2, surprisal=2.0, finish_reason="stop")
    summary = compare(a, b).summary()
    assert summary.index.tolist() == ["a", "b"]
    assert summary["tokens"].tolist() == [4, 3]
    assert summary["generated_tokens"].tolist() == [2, 1]
    assert summary["mean_surprisal"].tolist() == [1.0, 2.0]
    assert summary["perplexity"].tolist() == pytest.approx([math.e, math.e**2])
    assert summary["total_logprob"].tolist() == [-2.0, -2.0]
    assert summary["mean_entropy"].tolist() == [1.0, 2.0]
    assert summary["finish_reason"].tolist() == ["length", "stop"]
    assert summary["shared_prefix"].tolist() == [2, 2]
    assert summary["changed_tokens"].tolist() == [2, 1]
    assert set(summary["span"]) == {"generated"}


def test_where_nothing_was_generated_the_summary_is_over_the_text() -> None:
    only_scored = made(["if", " x", ":"], prompt_length=3)
    alone = made(["if"])
    summary = overview([only_scored, alone])
    assert summary["span"].tolist() == ["text", "text"]
    assert summary["total_logprob"][0] == -2.0
    figures = ["mean_surprisal", "perplexity", "total_logprob", "mean_entropy"]
    assert summary.loc[1, figures].isna().all(), "nothing precedes a token alone"


def test_an_overview_compares_each_branch_with_the_first() -> None:
    traces = [made(["if", " x", ":"]), made(["if", " y", ":"]), made(["if", " y", " y", " y"])]
    frame = overview(traces)
    assert frame["key"].tolist() == [trace.key for trace in traces]
    assert frame["shared_prefix"].tolist() == [3, 1, 1]
    assert frame["changed_tokens"].tolist() == [0, 1, 3]
    assert list(frame.columns) == list(compare(*traces[:2]).summary().columns)


def test_traces_of_two_models_are_sent_to_the_comparison_of_models() -> None:
    other = ts.ModelIdentity("another", "other fingerprint", MODEL.vocabulary_size)
    pair = made(["if", " x"]), made(["if", " x"], model=other)
    with pytest.raises(ts.RequestError, match="compare_models"):
        compare(*pair)
    with pytest.raises(ts.RequestError, match="compare_models"):
        overview(pair)


def test_an_overview_of_nothing_is_refused() -> None:
    with pytest.raises(ts.RequestError):
        overview([])


@pytest.mark.parametrize("threshold", [-0.1, math.nan, math.inf])
def test_a_threshold_that_is_no_divergence_is_refused(threshold: float) -> None:
    with pytest.raises(ts.RequestError, match="threshold"):
        compare(made(["if"]), made(["if"]), threshold=threshold)


def test_arrays_of_a_comparison_are_read_only() -> None:
    comparison = compare(made(["if", " x"]), made(["if", " y"]))
    arrays = comparison.jsd, comparison.kl_ab, comparison.alignment.position_a
    assert not any(array.flags.writeable for array in arrays)


def test_a_text_that_repeats_itself_is_not_led_astray() -> None:
    a = ["if", " x", ":", "\n", " return", " y", "\n"] * 40
    b = [word if i % 20 else " z" for i, word in enumerate(a, start=1)]
    frame = compare(made(a), made(b)).frame()
    assert (frame["kind"] == "changed").sum() == len(a) // 20
    assert (frame["position_a"] == frame["position_b"]).all()


def test_traces_compare_without_torch() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tests/support'); from made_traces import made;"
        "from tokenscope_core.comparison.comparison import compare;"
        "compare(made(['if']), made(['if'])).frame(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_a_missing_side_is_missing_in_the_table() -> None:
    frame = compare(made(["if", " x"]), made(["if"])).frame()
    last = frame.iloc[-1]
    assert last["kind"] == "only a"
    assert pd.isna(last["position_b"]) and pd.isna(last["token_b"]) and pd.isna(last["rank_b"])
