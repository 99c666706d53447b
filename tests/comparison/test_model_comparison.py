"""Two models on one text: aligned on bytes, with every nat accounted for."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st

import tokenscope_core as ts
from tokenscope_core.__main__ import main
from tokenscope_core.comparison.model_tables import line_weights
from tokenscope_core.record.metric_registry import NATS_PER_BIT, STORED
from tokenscope_core.record.vocabulary import Vocabulary

BOS = b"<s>"
TEXTS = st.text(st.sampled_from("ab =\n\r\té👋\u200d日"), max_size=30)


def trace_of(pieces: Sequence[bytes], surprisal: Sequence[float], *, bos: bool = False) -> ts.Trace:
    """A trace of tokens that are these bytes; a first NaN is a token nothing precedes."""
    spelled = [BOS, *pieces] if bos else list(pieces)
    values = np.array([np.nan, *surprisal] if bos else list(surprisal), dtype=np.float64)
    count = len(spelled)
    return ts.Trace(
        request=ts.Request(b"".join(pieces).decode("utf-8", errors="replace"), max_new_tokens=0),
        model=ts.ModelIdentity("made", "hash", 100),
        vocabulary=Vocabulary(dict(enumerate(spelled)), frozenset({0} if bos else ())),
        prompt_length=count,
        finish_reason="length",
        token_ids=np.arange(count, dtype=np.int64),
        source=np.full(count, "prompt"),
        metrics={n: -values if n == "logprob" else np.full(count, np.nan) for n in STORED},
        candidate_ids=np.full((count, 1), -1, dtype=np.int64),
        candidate_logprobs=np.full((count, 1), np.nan),
        candidate_kept=np.full((count, 1), -1, dtype=np.int8),
    )


@st.composite
def tokenizations(draw: st.DrawFn, data: bytes) -> ts.Trace:
    """Any way to cut the bytes, also inside characters and into empty tokens, with any figures."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    edges = [0, *cuts, len(data)]
    pieces = [data[i:j] for i, j in itertools.pairwise(edges)]
    values = draw(st.lists(st.floats(0, 40, width=32), min_size=len(pieces), max_size=len(pieces)))
    bos = draw(st.booleans())
    if not bos and draw(st.booleans()):
        values[0] = float("nan")
    return trace_of(pieces, values, bos=bos)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[ts.Trace, ts.Trace]:
    data = draw(TEXTS).encode()
    return draw(tokenizations(data)), draw(tokenizations(data))


@given(pairs())
def test_spans_cover_the_text_and_are_cut_wherever_both_are(
    pair: tuple[ts.Trace, ts.Trace],
) -> None:
    comparison = ts.compare_models(*pair)
    data = pair[0].text_bytes
    frame = ts.span_frame(comparison)
    assert b"".join(frame["text_bytes"]) == data
    assert all(len(piece) for piece in frame["text_bytes"])
    inner = set(frame["byte_end"]) - {len(data)}
    both = set(pair[0].byte_end.tolist()) & set(pair[1].byte_end.tolist())
    assert inner == both - {0, len(data)}
    assert comparison.same_text
    assert comparison.compared_bytes == comparison.common_bytes == len(data)


@given(pairs())
def test_no_nat_and_no_token_is_lost_between_tokens_spans_and_lines(
    pair: tuple[ts.Trace, ts.Trace],
) -> None:
    comparison = ts.compare_models(*pair)
    spans, lines, summary = (
        ts.span_frame(comparison), ts.line_frame(comparison), ts.summary_frame(comparison)
    )  # fmt: skip
    known = spans[spans["difference"].notna()]
    for side, trace in zip("ab", pair, strict=True):
        reading = getattr(comparison, side)
        text_tokens = ~trace.special if len(comparison) else np.zeros(len(trace), bool)
        assert spans[f"tokens_{side}"].sum() == text_tokens.sum()
        for span in range(len(comparison)):
            tokens = reading.positions(span)
            expected = trace.surprisal[tokens].sum()
            np.testing.assert_allclose(spans[f"surprisal_{side}"][span], expected, atol=1e-9)
        total = known[f"surprisal_{side}"].sum()
        assert lines[f"surprisal_{side}"].sum() == pytest.approx(total, abs=1e-9)
        assert lines[f"tokens_{side}"].sum() == pytest.approx(known[f"tokens_{side}"].sum())
        known_total = known[f"surprisal_{side}"].sum(min_count=1)
        assert summary.loc[side, "surprisal"] == pytest.approx(known_total, abs=1e-9, nan_ok=True)
        if comparison.known.all() and len(comparison):
            whole = trace.surprisal[text_tokens].sum()
            assert total == pytest.approx(whole, abs=1e-9)
    widths = (known["byte_end"] - known["byte_start"]).sum()
    assert lines["bytes"].sum() == summary.loc["a", "bytes"] == widths


@given(pairs())
def test_exchanging_the_models_changes_the_sign_and_nothing_else(
    pair: tuple[ts.Trace, ts.Trace],
) -> None:
    there, back = ts.compare_models(*pair), ts.compare_models(*reversed(pair))
    for table in (ts.span_frame, ts.line_frame):
        np.testing.assert_array_equal(table(there)["difference"], -table(back)["difference"])
        np.testing.assert_array_equal(table(there)["surprisal_a"], table(back)["surprisal_b"])


@given(pairs())
def test_a_trace_does_not_differ_from_itself(pair: tuple[ts.Trace, ts.Trace]) -> None:
    trace, _ = pair
    comparison = ts.compare_models(trace, trace)
    assert not np.nan_to_num(comparison.difference).any()
    assert not ts.token_difference_frame(trace, trace)["logprob_difference"].any()


@given(pairs())
def test_the_weights_of_a_span_add_up_to_one_and_its_bytes_to_its_width(
    pair: tuple[ts.Trace, ts.Trace],
) -> None:
    comparison = ts.compare_models(*pair)
    weights = line_weights(comparison).groupby("span")[["weight", "bytes"]].sum()
    np.testing.assert_allclose(weights["weight"], 1.0)
    np.testing.assert_array_equal(weights["bytes"], comparison.byte_end - comparison.byte_start)
    assert len(weights) == len(comparison)


def test_a_hand_worked_case() -> None:
    a = trace_of([b"x", b" =", b" 1\n", b"y"], [1.0, 2.0, 3.0, 4.0], bos=True)
    b = trace_of([b"x =", b" 1", b"\ny"], [5.0, 6.0, 7.0], bos=True)
    spans = ts.span_frame(ts.compare_models(a, b))
    assert spans["text"].tolist() == ["x =", " 1\ny"]
    assert spans["line"].tolist() == [1, 1]
    assert spans["tokens_a"].tolist() == [2, 2]
    assert spans["tokens_b"].tolist() == [1, 2]
    assert spans["surprisal_a"].tolist() == [3.0, 7.0]
    assert spans["surprisal_b"].tolist() == [5.0, 13.0]
    assert spans["difference"].tolist() == [-2.0, -6.0]
    assert spans["bits_per_byte_a"][0] == pytest.approx(1.0 / NATS_PER_BIT)
    lines = ts.line_frame(ts.compare_models(a, b))
    assert lines["text"].tolist() == ["x = 1", "y"]
    # The second span is " 1\ny": three of its four bytes stand in the first line.
    assert lines["surprisal_a"].tolist() == [3.0 + 0.75 * 7.0, 0.25 * 7.0]
    assert lines["surprisal_b"].tolist() == [5.0 + 0.75 * 13.0, 0.25 * 13.0]
    assert lines["shared_bytes"].tolist() == [3, 1]
    summary = ts.summary_frame(ts.compare_models(a, b))
    assert summary["bits_per_byte"].tolist() == pytest.approx(
        [10 / 7 / NATS_PER_BIT, 18 / 7 / NATS_PER_BIT]
    )
    assert summary["tokens_per_byte"].tolist() == pytest.approx([4 / 7, 3 / 7])


def test_what_one_model_has_no_value_for_is_missing_and_in_no_total() -> None:
    without_bos = trace_of([b"x", b" = 1\n", b"y"], [float("nan"), 2.0, 3.0])
    with_bos = trace_of([b"x", b" = 1\n", b"y"], [9.0, 4.0, 5.0], bos=True)
    comparison = ts.compare_models(without_bos, with_bos)
    spans, lines = ts.span_frame(comparison), ts.line_frame(comparison)
    assert np.isnan(spans["difference"][0])
    assert spans["surprisal_b"][0] == 9.0
    assert ts.summary_frame(comparison)["surprisal"].tolist() == [5.0, 9.0]
    assert ts.summary_frame(comparison)["bytes"].tolist() == [6, 6]
    assert lines["bytes"].tolist() == [5, 1]
    nothing = ts.compare_models(trace_of([b"x"], [float("nan")]), trace_of([b"x"], [1.0], bos=True))
    assert ts.line_frame(nothing)["surprisal_b"].isna().all()
    assert ts.summary_frame(nothing)[["surprisal", "bits_per_byte"]].isna().all(axis=None)


def test_a_carriage_return_ends_a_line_only_before_a_line_feed() -> None:
    trace = trace_of([b"a\r\n", b"b\rc\r\r\n", b"\n", b"d\r"], [1.0] * 4, bos=True)
    lines = ts.line_frame(ts.compare_models(trace, trace))
    assert lines["text"].tolist() == ["a", "b\rc\r", "", "d\r"]


@pytest.mark.filterwarnings("error")
def test_two_certain_misses_have_no_difference() -> None:
    trace = trace_of([b"x", b"y"], [float("inf"), 1.0], bos=True)
    frame = ts.token_difference_frame(trace, trace)
    np.testing.assert_array_equal(frame["logprob_difference"], [np.nan, np.nan, 0.0])
    spans = ts.span_frame(ts.compare_models(trace, trace))
    np.testing.assert_array_equal(spans["difference"], [np.nan, 0.0])


def test_texts_that_part_are_compared_up_to_there_and_it_says_so() -> None:
    kept = trace_of([b"caf", b"e\xcc\x81", b" = 1"], [1.0, 2.0, 3.0], bos=True)
    composed = trace_of([b"caf", b"\xc3\xa9", b" = 1"], [4.0, 5.0, 6.0], bos=True)
    comparison = ts.compare_models(kept, composed)
    assert not comparison.same_text
    assert comparison.common_bytes == comparison.compared_bytes == 3
    assert ts.summary_frame(comparison)["surprisal"].tolist() == [1.0, 4.0]
    assert comparison.a.span_of_token.tolist() == [-1, 0, -1, -1]


def test_a_text_read_to_a_part_is_compared_to_where_both_have_a_boundary() -> None:
    whole = trace_of([b"ab", b"cd", b"ef"], [1.0, 2.0, 3.0], bos=True)
    stopped = trace_of([b"ab", b"c"], [4.0, 5.0], bos=True)
    comparison = ts.compare_models(whole, stopped)
    assert (comparison.common_bytes, comparison.compared_bytes) == (3, 2)


@pytest.mark.parametrize(("a", "b"), [(b"x", b"y"), (b"", b"y"), (b"xy", b"xz")])
def test_texts_without_a_common_beginning_are_refused(a: bytes, b: bytes) -> None:
    with pytest.raises(ts.RequestError, match="the same text with both"):
        ts.compare_models(trace_of([a], [1.0]), trace_of([b], [1.0]))


def test_two_readings_of_nothing_have_no_spans() -> None:
    comparison = ts.compare_models(trace_of([], [], bos=True), trace_of([], [], bos=True))
    assert len(comparison) == 0
    assert ts.span_frame(comparison).empty
    assert ts.line_frame(comparison).empty
    assert ts.summary_frame(comparison)["bits_per_byte"].isna().all()


def test_special_tokens_cost_nothing_and_a_dummy_prefix_counts() -> None:
    marked = trace_of([b"", b"x", b""], [0.5, 1.0, 0.25], bos=True)
    plain = trace_of([b"x"], [1.0], bos=True)
    comparison = ts.compare_models(marked, plain)
    assert comparison.a.span_of_token.tolist() == [-1, 0, 0, 0]
    assert ts.span_frame(comparison)["surprisal_a"].tolist() == [1.75]


def test_one_tokenizer_gives_every_stored_metric_token_by_token() -> None:
    text = "def f(é):\n    return 1\r\n"
    a = ts.score(tiny_models.language_model("llama"), text)
    b = ts.score(tiny_models.language_model("gpt2"), text)
    frame = ts.token_difference_frame(a, b)
    for metric in STORED:
        expected = a.metrics[metric] - b.metrics[metric]
        np.testing.assert_array_equal(frame[f"{metric}_difference"], expected)
    assert b"".join(ts.span_frame(ts.compare_models(a, b))["text_bytes"]) == text.encode()
    assert len(ts.compare_models(a, b)) == len(a) - 1, "a span a token, but for the first mark"


def test_tokens_of_two_tokenizers_are_not_subtracted() -> None:
    a = trace_of([b"x", b"y"], [1.0, 2.0])
    for other in (trace_of([b"xy"], [3.0]), trace_of([b"x", b"z"], [3.0, 1.0])):
        with pytest.raises(ts.RequestError, match="by span or by line"):
            ts.token_difference_frame(a, other)


def test_the_verb_prints_lines_or_spans_of_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seed in (("one", 0), ("other", 1)):
        tiny_models.model("llama", seed).save_pretrained(tmp_path / name)
        tiny_models.tokenizer().save_pretrained(tmp_path / name)
    models = [str(tmp_path / "one"), str(tmp_path / "other")]
    assert main(["compare-models", *models, "x = 1\ny = 'é'\n", "--csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert table["text"].tolist() == ["x = 1", "y = 'é'"]
    assert (table["difference"] != 0).all()
    assert main(["compare-models", *models, "x = 1\n", "--table", "spans"]) == 0
    assert "bits_per_byte" in capsys.readouterr().out
