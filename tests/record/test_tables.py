"""Traces as tables: the documented columns, with missing values missing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_traces import made

import tokenscope_core as ts

PROMPT = "def f(é):\n"


@pytest.fixture
def trace(lm: ts.LanguageModel) -> ts.Trace:
    request = ts.Request(PROMPT, max_new_tokens=5, candidates=6)
    return ts.generate(dataclasses.replace(lm, end_ids=frozenset()), request)


def test_one_row_a_token_with_every_metric(trace: ts.Trace) -> None:
    frame = ts.token_frame(trace)
    assert frame["position"].tolist() == list(range(len(trace)))
    assert frame["token_id"].tolist() == trace.token_ids.tolist()
    for metric in ts.METRICS:
        values = frame[metric.name].to_numpy(dtype=np.float64, na_value=np.nan)
        np.testing.assert_array_equal(values, trace.column(metric.name), metric.name)


def test_the_token_bytes_add_up_to_the_text(trace: ts.Trace) -> None:
    frame = ts.token_frame(trace)
    text = frame[~frame["special"]]
    assert b"".join(text["token_bytes"]) == trace.text_bytes
    assert (text["byte_end"] - text["byte_start"]).tolist() == [len(b) for b in text["token_bytes"]]


def test_missing_values_are_missing_not_zero(trace: ts.Trace) -> None:
    first = ts.token_frame(trace).iloc[0]
    assert first["context_length"] == 0
    others = (metric.name for metric in ts.METRICS if metric.name != "context_length")
    assert all(pd.isna(first[name]) for name in others)
    assert ts.token_frame(trace)["rank"].dtype == "Int64"


def test_averages_leave_out_what_is_missing(trace: ts.Trace) -> None:
    mean = ts.token_frame(trace)["surprisal"].mean()
    assert np.exp(mean) == pytest.approx(trace.perplexity())


def test_sources_are_a_category_with_a_fixed_order(trace: ts.Trace) -> None:
    source = ts.token_frame(trace)["source"]
    assert list(source.cat.categories) == ["prompt", "sampled", "forced"]
    assert (source == "prompt").sum() == trace.prompt_length


def test_one_row_a_candidate_most_probable_first(trace: ts.Trace) -> None:
    frame = ts.candidate_frame(trace)
    assert len(frame) == 6 * (len(trace) - 1), "position 0 has none"
    assert frame["position"].min() == 1
    for _, group in frame.groupby("position"):
        assert group["candidate"].tolist() == [1, 2, 3, 4, 5, 6]
        assert group["prob"].is_monotonic_decreasing
        assert group["prob"].sum() <= 1 + 1e-6


def test_the_taken_candidate_is_the_token_itself(trace: ts.Trace) -> None:
    frame = ts.candidate_frame(trace)
    taken = frame[frame["taken"]].set_index("position")
    tokens = ts.token_frame(trace).set_index("position")
    assert set(range(trace.prompt_length, len(trace))) <= set(taken.index), "greedy takes the first"
    for position, row in taken.iterrows():
        assert row["token_id"] == tokens.loc[position, "token_id"]
        assert row["logprob"] == tokens.loc[position, "logprob"]
        assert row["candidate"] == tokens.loc[position, "rank"]


def test_candidates_that_a_filter_removed_are_told_from_those_that_it_kept(
    lm: ts.LanguageModel,
) -> None:
    sampling = ts.Sampling(temperature=1.0, top_k=2)
    trace = ts.generate(lm, ts.Request(PROMPT, max_new_tokens=5, candidates=4, sampling=sampling))
    frame = ts.candidate_frame(trace)
    assert frame["kept"].dtype == "boolean"
    drawn = frame[frame["position"] >= trace.prompt_length]
    assert (drawn["kept"] == (drawn["candidate"] <= 2)).all()
    assert frame[frame["position"] < trace.prompt_length]["kept"].isna().all()


def test_a_token_alone_has_no_candidates(lm: ts.LanguageModel) -> None:
    trace = ts.score(lm, "")
    assert len(ts.token_frame(trace)) == 1
    assert ts.candidate_frame(trace).empty


def test_partial_bytes_show_as_replacement_characters(lm: ts.LanguageModel) -> None:
    trace = ts.score(lm, "🦊")
    frame = ts.token_frame(trace)
    assert frame["token"].tolist() == ["<|endoftext|>"] + ["\ufffd"] * 4
    assert b"".join(frame["token_bytes"][1:]) == "🦊".encode()


def test_special_candidates_are_marked(lm: ts.LanguageModel) -> None:
    frame = ts.candidate_frame(ts.score(lm, "x = 1", candidates=200))
    marked = frame[frame["special"]]
    assert set(marked["token"]) == {"<|endoftext|>"}
    assert not frame[~frame["special"]]["token"].str.contains("endoftext").any()


def test_every_figure_of_a_table_has_a_unit_that_pandas_carries_along(tmp_path: Path) -> None:
    trace = made(["a", "b", "c"])
    frame = ts.token_frame(trace)
    metrics = {metric.name: metric.unit for metric in ts.METRICS}
    places = {"byte_start": "bytes", "byte_end": "bytes"}
    assert frame.attrs["units"] == metrics | places
    assert frame.query("source == 'sampled'").head(1).attrs == frame.attrs
    frame.to_parquet(tmp_path / "frame.parquet")
    assert pd.read_parquet(tmp_path / "frame.parquet").attrs == frame.attrs


def test_units_of_figures_made_of_a_metric_are_those_of_the_metric() -> None:
    trace = made(["a", "b", "c"])
    rows = ts.compare(trace, trace).frame().attrs["units"]
    assert (rows["margin_a"], rows["varentropy_diff"], rows["jsd"]) == (
        "probability", "nats²", "nats",
    )  # fmt: skip
    folded = ts.aggregate(trace, by="category", metric="margin").attrs["units"]
    assert folded["mean"] == folded["ci_low"] == "probability"
    icicle = ts.icicle_frame(trace, metric="varentropy").attrs["units"]
    assert (icicle["mean"], icicle["byte_start"]) == ("nats²", "bytes")
    assert ts.overview([trace]).attrs["units"]["mean_surprisal"] == "nats"
    assert ts.tree_frame(ts.Session.start(trace), {}).attrs["units"]["total_logprob"] == "nats"
    assert ts.syntax_frame(trace).attrs["units"]["unit_start"] == "bytes"
