"""Every metric against float64 written from its definition, and against cases worked by hand."""

from __future__ import annotations

import math
import warnings

import numpy as np
import oracles
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tokenscope_core as ts
from tokenscope_core.record.arrays import NOT_DRAWN
from tokenscope_core.record.metric_registry import BY_NAME, NATS_PER_BIT, STORED, missing_reason
from tokenscope_core.record.metrics import Distributions, Measures, highest, measure
from tokenscope_core.record.steps import Rows
from tokenscope_core.record.vocabulary import Vocabulary

TEXT = "def add(a, b):\n    return a + b  # é\n"
RAW = [m.name for m in ts.METRICS if m.distribution == "raw" and m.storage != "accumulated"]


def measure_one(logits: list[float], taken: int = 0, candidates: int = 20) -> Measures:
    return measure(torch.tensor([logits]), torch.tensor([taken]), candidates)


def trace_of(logits: torch.Tensor, taken: list[int], candidates: int = 20) -> ts.Trace:
    """A trace of distributions [T, V], as if a model had produced them."""
    vocabulary_size = logits.shape[1]
    measures = measure(logits, torch.tensor(taken), candidates)
    absent = np.full(len(taken), np.nan)
    return ts.Trace.from_rows(
        ts.Request(prompt=""),
        ts.ModelIdentity("uniform", "hash", vocabulary_size),
        Vocabulary({i: b"%d" % i for i in range(vocabulary_size)}),
        [
            Rows(
                start=0,
                token_ids=np.array(taken),
                source="prompt",
                metrics={name: measures.columns.get(name, absent) for name in STORED},
                candidate_ids=measures.candidate_ids,
                candidate_logprobs=measures.candidate_logprobs,
                candidate_kept=np.full(measures.candidate_ids.shape, NOT_DRAWN, np.int8),
            )
        ],
        "length",
    )


def test_every_raw_metric_of_real_logits_agrees_with_float64(any_lm: ts.LanguageModel) -> None:
    trace = ts.score(any_lm, TEXT, candidates=7)
    logits = oracles.full_pass(any_lm, trace.token_ids)
    for position in range(1, len(trace)):
        # rank is judged on the float32 logits below: a float64 pass may order near-ties otherwise
        expected = oracles.metrics_of(logits[position - 1], trace.token_ids[position], 7)
        for name in set(RAW) - {"rank"}:
            got = trace.column(name)[position]
            assert got == pytest.approx(expected[name], abs=2e-4, rel=2e-4), (name, position)


@given(
    logits=arrays(np.float32, (3, 50), elements=st.floats(-30, 30, width=32)),
    taken=st.lists(st.integers(0, 49), min_size=3, max_size=3),
)
def test_every_raw_metric_of_any_logits_agrees_with_float64(
    logits: np.ndarray, taken: list[int]
) -> None:
    trace = trace_of(torch.from_numpy(logits), taken, candidates=5)
    for row, token_id in enumerate(taken):
        expected = oracles.metrics_of(logits[row], token_id, 5)
        for name in RAW:
            got = trace.column(name)[row]
            assert got == pytest.approx(expected[name], abs=2e-5, rel=2e-5), (name, row)


def test_candidates_are_the_most_probable_tokens_in_order(any_lm: ts.LanguageModel) -> None:
    trace = ts.score(any_lm, TEXT, candidates=9)
    logprobs = oracles.log_softmax(oracles.full_pass(any_lm, trace.token_ids))[:-1]
    at_candidates = np.take_along_axis(logprobs, trace.candidate_ids[1:], axis=1)
    np.testing.assert_allclose(trace.candidate_logprobs[1:], at_candidates, atol=2e-4)
    np.testing.assert_allclose(at_candidates, -np.sort(-logprobs, axis=1)[:, :9], atol=2e-4)


@pytest.mark.parametrize("n", [2, 7, 1000])
def test_uniform_over_n(n: int) -> None:
    trace = trace_of(torch.full((3, n), 3.25), [0, n // 2, n - 1], candidates=n)
    assert trace.entropy == pytest.approx(math.log(n))
    assert trace.surprisal == pytest.approx(math.log(n))
    assert trace.perplexity() == pytest.approx(n)
    assert trace.top_entropy == pytest.approx(math.log(n))
    for name, value in {
        "rank": 1, "varentropy": 0, "margin": 0, "typicality": 0, "entropy_norm": 1,
        "top_mass": 1, "min_p_ratio": 1,
    }.items():  # fmt: skip
        assert trace.column(name) == pytest.approx(value, abs=1e-5), name


def test_a_certain_token_leaves_nothing_to_measure() -> None:
    certain = torch.tensor([[-math.inf, 5.0, -math.inf, -math.inf]])
    trace = trace_of(certain, [1], candidates=4)
    for name in ("surprisal", "entropy", "varentropy", "typicality", "top_entropy", "entropy_norm"):
        assert trace.column(name)[0] == 0, name
        assert math.copysign(1, trace.column(name)[0]) == 1, f"{name} is -0.0, printed as such"
    for name in ("prob", "margin", "rank", "top_mass", "min_p_ratio"):
        assert trace.column(name)[0] == 1, name


def test_an_impossible_token_is_infinitely_surprising() -> None:
    trace = trace_of(torch.tensor([[-math.inf, 0.0, 0.0]]), [0])
    assert trace.surprisal[0] == math.inf
    assert trace.prob[0] == trace.min_p_ratio[0] == 0
    assert trace.rank[0] == 3
    assert trace.entropy[0] == pytest.approx(math.log(2))


def test_tied_tokens_share_the_better_rank() -> None:
    logits = [1.0, 2.0, 2.0, 3.0, 1.0]
    ranks = [measure_one(logits, taken).columns["rank"][0] for taken in range(5)]
    assert ranks == [4, 2, 2, 1, 4]


def test_rank_tells_apart_logits_that_differ_in_their_last_bit() -> None:
    low = np.float32(0.1)
    high = np.nextafter(low, np.float32(1.0))
    measures = measure_one([float(low), float(high), 25.0], taken=0)
    assert measures.columns["rank"][0] == 3
    assert measures.candidate_ids[0].tolist() == [2, 1, 0]


def test_half_precision_logits_are_measured_in_float32() -> None:
    torch.manual_seed(0)
    logits = (4 * torch.randn(5, 300)).bfloat16()
    taken = torch.arange(5)
    coarse, exact = measure(logits, taken, 10), measure(logits.float(), taken, 10)
    for name in exact.columns:
        np.testing.assert_array_equal(coarse.columns[name], exact.columns[name], err_msg=name)
    expected = oracles.metrics_of(logits[0].double().numpy(), 0, 10)
    assert coarse.columns["entropy"][0] == pytest.approx(expected["entropy"], abs=1e-5)


@pytest.mark.parametrize("spread", [0.01, 1.0, 5.0, 20.0])
def test_a_large_vocabulary_is_summed_without_losing_digits(spread: float) -> None:
    torch.manual_seed(3)
    logits = spread * torch.randn(1, 50_000) - 40.0
    columns = measure(logits, torch.tensor([17]), 20).columns
    expected = oracles.metrics_of(logits[0].double().numpy(), 17, 20)
    for name, column in columns.items():
        assert column[0] == pytest.approx(expected[name], abs=1e-5, rel=1e-5), name


def test_many_distributions_at_once_are_measured_as_one_by_one() -> None:
    torch.manual_seed(4)
    logits, taken = 3 * torch.randn(40, 9000), torch.randint(0, 9000, (40,))
    together = measure(logits, taken, 5)
    for row in range(40):
        alone = measure(logits[row : row + 1], taken[row : row + 1], 5)
        np.testing.assert_array_equal(together.candidate_ids[row], alone.candidate_ids[0])
        for name, column in together.columns.items():
            assert column[row] == pytest.approx(alone.columns[name][0], abs=1e-6), name


def test_a_masked_vocabulary_beside_an_ordinary_one_is_measured() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0], [0.0, -math.inf, 0.0]])
    columns = measure(logits, torch.tensor([2, 0]), 2).columns
    assert columns["entropy"] == pytest.approx([0.8323957, math.log(2)], abs=1e-6)
    assert columns["varentropy"][1] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("broken", [[math.nan, 0.0], [math.inf, 0.0], [-math.inf, -math.inf]])
def test_a_model_that_gives_no_numbers_is_named(broken: list[float]) -> None:
    with pytest.raises(ts.ModelError, match="not a number"):
        measure_one(broken)


def test_the_favourite_of_tied_tokens_is_the_first_as_for_argmax() -> None:
    torch.manual_seed(6)
    for _ in range(20):
        logits = torch.randn(1, 300)
        tied = torch.randperm(300)[:3]
        logits[0, tied] = 9.0
        assert Distributions(logits, 20).favourites() == [int(tied.min())]


@pytest.mark.parametrize("candidates", [1, 2, 3, 200])
def test_no_more_candidates_than_tokens(candidates: int) -> None:
    measures = measure_one([0.0, 1.0, 2.0], taken=0, candidates=candidates)
    width = min(candidates, 3)
    assert measures.candidate_ids.tolist() == [[2, 1, 0][:width]]
    assert measures.candidate_logprobs.shape == (1, width)
    assert measures.columns["margin"][0] == pytest.approx((math.e**2 - math.e) / 11.107337, 1e-5)


def test_a_vocabulary_of_one_token_is_certain() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace = trace_of(torch.tensor([[7.0]]), [0])
        assert trace.margin[0] == trace.prob[0] == trace.rank[0] == 1
        assert trace.entropy[0] == trace.surprisal[0] == 0
        assert np.isnan(trace.entropy_norm[0]), "a share of ln 1 = 0 is not defined"


def test_the_candidates_mass_never_exceeds_one() -> None:
    torch.manual_seed(1)
    trace = trace_of(torch.randn(200, 30), [0] * 200, candidates=30)
    assert trace.top_mass.max() <= 1.0


def test_perplexity_is_the_exponential_of_mean_nats_over_the_span(lm: ts.LanguageModel) -> None:
    trace = ts.score(lm, TEXT)
    mean_nats = -trace.logprob[3:8].mean()
    assert trace.perplexity(3, 8) == pytest.approx(math.exp(mean_nats))
    assert trace.perplexity(3, 8) == pytest.approx(2 ** (mean_nats / NATS_PER_BIT))


def test_perplexity_leaves_out_what_is_missing(lm: ts.LanguageModel) -> None:
    trace = ts.score(lm, TEXT)
    assert trace.perplexity() == pytest.approx(trace.perplexity(1))
    assert math.isnan(trace.perplexity(0, 1))


def test_what_precedes_nothing_has_no_metric(any_lm: ts.LanguageModel) -> None:
    trace = ts.generate(any_lm, ts.Request(TEXT, max_new_tokens=2))
    assert trace.context_length[0] == 0
    for metric in ts.METRICS:
        assert np.isnan(trace.column(metric.name)[0]) or metric.name == "context_length"
        assert missing_reason(metric.name, position=0, source="prompt")
    for name in RAW:
        assert not np.isnan(trace.column(name)[1:]).any(), name


def test_an_unknown_metric_is_a_key_error(lm: ts.LanguageModel) -> None:
    with pytest.raises(KeyError):
        ts.score(lm, "x").column("text")


def test_the_registry_has_every_metric_once() -> None:
    assert len(BY_NAME) == len(ts.METRICS)
    assert set(STORED) <= set(BY_NAME)


@pytest.mark.parametrize("size", [300, 16_384, 16_500, 50_001])
@pytest.mark.parametrize("count", [1, 2, 20, 200])
def test_the_highest_of_a_vocabulary_of_any_size_are_found(size: int, count: int) -> None:
    generator = torch.Generator().manual_seed(size + count)
    logits = torch.randn(5, size, generator=generator)
    logits[1] = logits[1].sort().values  # all in the last blocks
    logits[2, : size // 2] = -torch.inf
    logits[3] = logits[3].round()  # many ties
    values, ids = highest(logits, count)
    expected = logits.sort(dim=-1, descending=True).values[:, :count]
    assert torch.equal(values, expected)
    assert torch.equal(logits.gather(1, ids), expected)
    assert all(len(set(row)) == count for row in ids.tolist())


def test_ranks_in_a_large_vocabulary_count_all_higher_tokens() -> None:
    logits = torch.randn(4, 20_000, generator=torch.Generator().manual_seed(1))
    taken = torch.tensor([5, 19_999, 0, 7])
    rank = measure(logits, taken, 20).columns["rank"]
    expected = [1 + int((row > row[i]).sum()) for row, i in zip(logits, taken, strict=True)]
    assert rank.tolist() == expected
