"""Draws follow the processed distribution, repeat exactly, and depend on nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import oracles
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

import tokenscope_core as ts
from tokenscope_core.decoding.sampling import Sampler, gumbel_noise

NOTHING = torch.empty((1, 0), dtype=torch.long)
LOGITS = torch.tensor([[2.0, 1.0, 0.5, 0.0, -1.0, -3.0]])


def processed(
    sampling: ts.Sampling, logits: torch.Tensor, previous_ids: torch.Tensor = NOTHING
) -> np.ndarray:
    """Scores [V] by transformers' own processors, in the order `generate` applies them."""
    chain = LogitsProcessorList()
    if sampling.logit_bias:
        biased = [[[i], number] for i, number in sampling.logit_bias]
        chain.append(SequenceBiasLogitsProcessor(biased))
    if sampling.repetition_penalty != 1.0:
        chain.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.no_repeat_ngram_size:
        chain.append(NoRepeatNGramLogitsProcessor(sampling.no_repeat_ngram_size))
    if sampling.suppress_tokens:
        chain.append(SuppressTokensLogitsProcessor(list(sampling.suppress_tokens)))
    chain.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        chain.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1.0:
        chain.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p:
        chain.append(MinPLogitsWarper(sampling.min_p))
    if sampling.typical_p < 1.0:
        chain.append(TypicalLogitsWarper(sampling.typical_p))
    scores: np.ndarray = chain(previous_ids, logits.clone())[0].double().numpy()
    return scores


def assert_same_law(
    sampling: ts.Sampling, logits: torch.Tensor, previous_ids: torch.Tensor = NOTHING
) -> None:
    support = Sampler(sampling).support(logits, previous_ids)
    expected = oracles.log_softmax(processed(sampling, logits, previous_ids))
    got = np.full(logits.shape[1], -np.inf)
    got[support.token_ids] = support.logprobs
    np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize(
    "sampling",
    [
        ts.Sampling(temperature=1.0),
        ts.Sampling(temperature=0.5),
        ts.Sampling(temperature=2.0, top_k=4),
        ts.Sampling(temperature=1.0, top_p=0.85),
        ts.Sampling(temperature=1.0, min_p=0.1),
        ts.Sampling(temperature=1.3, top_k=5, top_p=0.9, min_p=0.05, repetition_penalty=1.4),
        ts.Sampling(temperature=1.0, typical_p=0.6),
        ts.Sampling(temperature=1.5, typical_p=0.9, no_repeat_ngram_size=1),
        ts.Sampling(1.0, suppress_tokens=(0, 4), logit_bias={2: 1.5, 0: 3.0}, top_p=0.9),
    ],
)
def test_draws_follow_the_processed_distribution(sampling: ts.Sampling) -> None:
    """Pearson's chi-square at the 0.1 % level over 4,000 positions."""
    previous_ids = torch.tensor([[1, 3]])
    sampler, n = Sampler(sampling), 4000
    drawn = [sampler.choose(LOGITS, previous_ids, position).token_id for position in range(n)]
    expected = n * np.exp(oracles.log_softmax(processed(sampling, LOGITS, previous_ids)))
    counts = np.bincount(drawn, minlength=6)
    possible = expected > 0
    assert (counts[~possible] == 0).all(), "a token outside the kept set was drawn"
    statistic = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    critical = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52}
    assert statistic < critical[possible.sum() - 1]


def test_draws_over_seeds_follow_the_distribution_too() -> None:
    n = 4000
    drawn = [
        Sampler(ts.Sampling(1.0, seed=s)).choose(LOGITS, NOTHING, 7).token_id for s in range(n)
    ]
    expected = n * np.exp(oracles.log_softmax(LOGITS[0].double().numpy()))
    counts = np.bincount(drawn, minlength=6)
    assert ((counts - expected) ** 2 / expected).sum() < 20.52


def test_the_noise_is_standard_gumbel() -> None:
    noise = gumbel_noise(3, 11, np.arange(200_000))
    assert noise.mean() == pytest.approx(0.5772156649, abs=0.01)
    assert noise.var() == pytest.approx(np.pi**2 / 6, abs=0.03)
    assert np.isfinite(noise).all()


def test_noise_of_neighbouring_seeds_and_positions_is_unrelated() -> None:
    ids = np.arange(20_000)
    streams = [gumbel_noise(*key, ids) for key in ((0, 0), (0, 1), (1, 0), (1, 1), (2**62, 0))]
    assert np.abs(np.corrcoef(streams) - np.eye(5)).max() < 0.03


@given(
    seed=st.integers(0, 2**63 - 1),
    position=st.integers(0, 2**20),
    ids=st.lists(st.integers(0, 3000), min_size=1, max_size=20),
)
def test_noise_depends_on_seed_position_and_token_alone(
    seed: int, position: int, ids: list[int]
) -> None:
    alone = [gumbel_noise(seed, position, np.array([i]))[0] for i in ids]
    among_all = gumbel_noise(seed, position, np.arange(4000))[ids]
    assert alone == gumbel_noise(seed, position, np.array(ids)).tolist() == among_all.tolist()


def test_a_token_that_no_filter_removes_is_drawn_with_or_without_the_filter() -> None:
    """The noise belongs to the token: dropping losers cannot change the winner."""
    torch.manual_seed(2)
    logits = torch.randn(1, 500) * 3
    for position in range(200):
        free = Sampler(ts.Sampling(1.0)).choose(logits, NOTHING, position).token_id
        filtered = Sampler(ts.Sampling(1.0, top_k=100))
        if free in filtered.support(logits, NOTHING).token_ids:
            assert filtered.choose(logits, NOTHING, position).token_id == free


@given(
    logits=arrays(np.float32, (1, 40), elements=st.floats(-20, 20, width=16)),
    temperature=st.sampled_from([0.3, 1.0, 1.7]),
    top_k=st.integers(0, 45),
    min_p=st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    penalty=st.sampled_from([1.0, 0.7, 1.5]),
)
@example(np.zeros((1, 40), np.float32), 1.0, 3, 0.0, 1.0)
def test_top_k_and_min_p_keep_what_transformers_keeps(
    logits: np.ndarray, temperature: float, top_k: int, min_p: float, penalty: float
) -> None:
    sampling = ts.Sampling(temperature, top_k=top_k, min_p=min_p, repetition_penalty=penalty)
    previous_ids = torch.tensor([[0, 5, 5, 39]])
    scores = processed(ts.Sampling(temperature, repetition_penalty=penalty),
                       torch.from_numpy(logits), previous_ids)  # fmt: skip
    if min_p:  # where rounding decides, either answer is right
        assume((np.abs(scores - scores.max() - np.log(min_p)) > 1e-5).all() or min_p == 1.0)
    assert_same_law(sampling, torch.from_numpy(logits), previous_ids)


@given(
    seed=st.integers(0, 2**20),
    spread=st.sampled_from([0.1, 1.0, 4.0]),
    top_p=st.floats(0.01, 0.999),
    top_k=st.sampled_from([0, 1, 7, 300, 5000]),
    size=st.sampled_from([1, 5, 300, 2000]),
)
def test_top_p_keeps_what_transformers_keeps(
    seed: int, spread: float, top_p: float, top_k: int, size: int
) -> None:
    logits = spread * torch.randn(1, size, generator=torch.Generator().manual_seed(seed))
    scores = processed(ts.Sampling(0.8, top_k=min(top_k, size)), logits)
    mass = np.cumsum(np.exp(-np.sort(-oracles.log_softmax(scores))))
    assume((np.abs(mass - top_p) > 1e-5).all())  # where rounding decides, either is right
    assert_same_law(ts.Sampling(0.8, top_k=min(top_k, size), top_p=top_p), logits)


@given(
    seed=st.integers(0, 2**20),
    spread=st.sampled_from([0.1, 1.0, 4.0]),
    tied=st.booleans(),
    typical_p=st.floats(0.01, 0.999),
    top_k=st.sampled_from([0, 1, 7, 300]),
    top_p=st.sampled_from([1.0, 0.9]),
    size=st.sampled_from([1, 5, 300, 2000]),
)
def test_typical_p_keeps_what_transformers_keeps(
    seed: int, spread: float, tied: bool, typical_p: float, top_k: int, top_p: float, size: int
) -> None:
    logits = spread * torch.randn(1, size, generator=torch.Generator().manual_seed(seed))
    if tied:
        logits = logits.round()
    sampling = ts.Sampling(0.8, top_k=min(top_k, size), top_p=top_p, typical_p=typical_p)
    before = processed(dataclasses.replace(sampling, typical_p=1.0), logits)
    if top_p < 1.0:
        assume(not tied)  # of several that cross its threshold top-p may keep any
        assert_same_law(dataclasses.replace(sampling, typical_p=1.0), logits)
    assume(typical_p_is_clear(before, typical_p))
    assert_same_law(sampling, logits)


def typical_p_is_clear(scores: np.ndarray, typical_p: float) -> bool:
    """Whether rounding in float32 cannot decide which tokens are typical enough."""
    logprobs = oracles.log_softmax(scores)
    logprobs = logprobs[logprobs > -np.inf]
    distance = np.abs(logprobs - (np.exp(logprobs) * logprobs).sum())
    order = np.argsort(distance, kind="stable")
    mass = np.cumsum(np.exp(logprobs[order]))
    last = min((mass < typical_p).sum(), len(mass) - 1)
    gaps = np.abs(distance - distance[order[last]])
    unclear = (gaps > 0) & (gaps < 1e-5) & (logprobs != logprobs[order[last]])
    return bool((np.abs(mass - typical_p) > 1e-5).all() and not unclear.any())


def test_typical_p_may_remove_the_favourite() -> None:
    """The favourite's surprisal is farthest from the entropy of all."""
    logits = torch.tensor([[0.4, *[0.6 / 20] * 20]]).log()
    kept = Sampler(ts.Sampling(1.0, typical_p=0.5)).support(logits, NOTHING)
    assert 0 not in kept.token_ids
    assert len(kept.token_ids) == 20


@given(
    ids=st.lists(st.integers(0, 5), max_size=40),
    size=st.integers(1, 5),
    greedy=st.booleans(),
)
def test_no_repeat_ngram_rules_out_what_transformers_rules_out(
    ids: list[int], size: int, greedy: bool
) -> None:
    previous_ids = torch.tensor([ids], dtype=torch.long)
    expected = NoRepeatNGramLogitsProcessor(size)(previous_ids, LOGITS)[0]
    assume(torch.isfinite(expected).any())
    sampling = ts.Sampling(0.0 if greedy else 1.0, no_repeat_ngram_size=size)
    choice = Sampler(sampling).choose(LOGITS, previous_ids, len(ids))
    assert torch.isfinite(expected[choice.token_id])
    assert choice.kept(np.arange(6)).tolist() == torch.isfinite(expected).tolist()
    if greedy:
        assert choice.token_id == int(expected.argmax())


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_when_every_token_is_ruled_out_that_is_said(temperature: float) -> None:
    sampler = Sampler(ts.Sampling(temperature, no_repeat_ngram_size=1))
    with pytest.raises(ts.RequestError, match="rules out every token"):
        sampler.choose(LOGITS, torch.tensor([[0, 1, 2, 3, 4, 5]]), 6)


@given(
    prompt=st.lists(st.integers(0, 5), max_size=10),
    generated=st.lists(st.integers(0, 5), max_size=10),
    frequency=st.floats(-2, 2),
    presence=st.floats(-2, 2),
)
def test_frequency_and_presence_penalties_are_those_of_the_openai_api(
    prompt: list[int], generated: list[int], frequency: float, presence: float
) -> None:
    sampling = ts.Sampling(1.0, frequency_penalty=frequency, presence_penalty=presence)
    previous_ids = torch.tensor([prompt + generated], dtype=torch.long)
    support = Sampler(sampling, len(prompt)).support(LOGITS, previous_ids)
    counts = np.bincount(generated, minlength=6)
    lowered = LOGITS[0].double().numpy() - counts * frequency - (counts > 0) * presence
    np.testing.assert_allclose(support.logprobs, oracles.log_softmax(lowered), atol=1e-5)


def test_penalties_come_in_their_documented_order_before_the_temperature() -> None:
    sampling = ts.Sampling(0.5, repetition_penalty=2.0, frequency_penalty=1.0, presence_penalty=0.5)
    support = Sampler(sampling, 1).support(LOGITS, torch.tensor([[0, 1, 1, 5]]))
    repetition = np.array([2.0 / 2, 1.0 / 2, 0.5, 0.0, -1.0, -3.0 * 2])
    counted = repetition - [0, 2 * 1.0 + 0.5, 0, 0, 0, 1.0 + 0.5]
    np.testing.assert_allclose(support.logprobs, oracles.log_softmax(counted / 0.5), atol=1e-5)


def test_a_penalty_leaves_the_raw_metrics_alone(lm: ts.LanguageModel) -> None:
    sampling = ts.Sampling(frequency_penalty=2.0, presence_penalty=2.0, no_repeat_ngram_size=2)
    trace = ts.generate(lm, ts.Request("x = ", max_new_tokens=20, sampling=sampling))
    logprobs = oracles.log_softmax(oracles.full_pass(lm, trace.token_ids))
    expected = logprobs[np.arange(len(trace) - 1), trace.token_ids[1:]]
    np.testing.assert_allclose(trace.logprob[1:], expected, atol=5e-4)
    assert (trace.rank[trace.prompt_length :] > 1).any(), "a penalty changed a choice"


@pytest.mark.parametrize(
    "sampling",
    [
        ts.Sampling(1.0),
        ts.Sampling(1.0, top_k=3),
        ts.Sampling(1.3, top_p=0.6, no_repeat_ngram_size=2),
        ts.Sampling(1.0, min_p=0.2, typical_p=0.4),
        ts.Sampling(),
        ts.Sampling(repetition_penalty=1.3),
        ts.Sampling(no_repeat_ngram_size=2),
    ],
)
def test_which_candidates_could_have_been_drawn_is_on_record(
    any_lm: ts.LanguageModel, sampling: ts.Sampling
) -> None:
    request = ts.Request("def f(x):\n", max_new_tokens=15, sampling=sampling, candidates=12)
    trace = ts.generate(any_lm, request)
    assert (trace.candidate_kept[: trace.prompt_length] == -1).all(), "a prompt is not drawn"
    logits = oracles.full_pass(any_lm, trace.token_ids)
    for position in range(trace.prompt_length, len(trace)):
        previous = torch.tensor([trace.token_ids[:position].tolist()])
        # Greedy is tempered by nothing and filtered by nothing.
        law = dataclasses.replace(sampling, temperature=sampling.temperature or 1.0)
        scores = processed(law, torch.from_numpy(logits[[position - 1]]), previous)
        possible = scores[trace.candidate_ids[position]] > -np.inf
        assert trace.candidate_kept[position].tolist() == possible.tolist()
        taken = trace.candidate_ids[position] == trace.token_ids[position]
        assert (trace.candidate_kept[position][taken] == 1).all()


def test_top_p_keeps_the_token_that_crosses_the_threshold() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    kept = Sampler(ts.Sampling(1.0, top_p=0.6)).support(logits, NOTHING)
    assert sorted(kept.token_ids) == [0, 1]
    assert np.exp(kept.logprobs) == pytest.approx([0.625, 0.375])


def test_top_p_looks_as_far_as_it_must() -> None:
    flat = torch.zeros(1, 5000) + torch.linspace(0, 1e-3, 5000)
    kept = Sampler(ts.Sampling(1.0, top_p=0.9)).support(flat, NOTHING)
    assert len(kept.token_ids) == pytest.approx(4500, abs=2)


def test_tokens_tied_with_the_last_of_top_k_are_kept() -> None:
    logits = torch.tensor([[3.0, 1.0, 1.0, 1.0, 0.0]])
    kept = Sampler(ts.Sampling(1.0, top_k=2)).support(logits, NOTHING)
    assert sorted(kept.token_ids) == [0, 1, 2, 3]


def test_an_impossible_token_is_never_drawn() -> None:
    logits = torch.tensor([[-np.inf, 0.0, -np.inf, 0.0]])
    drawn = {Sampler(ts.Sampling(5.0)).choose(logits, NOTHING, i).token_id for i in range(100)}
    assert drawn == {1, 3}


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize(
    "sampling", [ts.Sampling(1.0), ts.Sampling(1.0, top_k=2), ts.Sampling(1.0, top_p=0.5)]
)
def test_nothing_is_drawn_from_what_is_not_a_number(sampling: ts.Sampling, broken: float) -> None:
    logits = torch.tensor([[0.0, broken, 1.0]])
    with pytest.raises(ts.ModelError, match="not a number"):
        Sampler(sampling).choose(logits, NOTHING, 0)


@pytest.mark.parametrize("temperature", [1e-6, 1e-3, 1e6])
def test_extreme_temperatures_draw_without_overflow(temperature: float) -> None:
    sampler = Sampler(ts.Sampling(temperature))
    drawn = [sampler.choose(LOGITS, NOTHING, i) for i in range(60)]
    assert np.isfinite([choice.logprob for choice in drawn]).all()
    assert len({choice.token_id for choice in drawn}) == (1 if temperature < 1 else 6)


def test_the_recorded_probability_is_that_of_the_processed_distribution(
    any_lm: ts.LanguageModel,
) -> None:
    sampling = ts.Sampling(0.8, top_k=30, top_p=0.9, repetition_penalty=1.2, seed=4)
    trace = ts.generate(any_lm, ts.Request("def f(x):", max_new_tokens=25, sampling=sampling))
    logits = oracles.full_pass(any_lm, trace.token_ids)
    for position in range(trace.prompt_length, len(trace)):
        previous = torch.tensor([trace.token_ids[:position].tolist()])
        scores = processed(sampling, torch.from_numpy(logits[[position - 1]]), previous)
        expected = oracles.log_softmax(scores)[trace.token_ids[position]]
        assert trace.sampled_logprob[position] == pytest.approx(expected, abs=5e-4)
        assert trace.sampled_logprob[position] != trace.logprob[position]


def test_equal_seeds_repeat_a_run_and_others_do_not(lm: ts.LanguageModel) -> None:
    def run(seed: int) -> ts.Trace:
        sampling = ts.Sampling(temperature=1.0, seed=seed)
        return ts.generate(lm, ts.Request("x = ", max_new_tokens=20, sampling=sampling))

    first, again, other = run(1), run(1), run(2)
    assert first.token_ids.tolist() == again.token_ids.tolist()
    np.testing.assert_array_equal(first.logprob, again.logprob)
    assert first.key == again.key != other.key
    assert first.token_ids.tolist() != other.token_ids.tolist()


def test_greedy_ignores_filters_and_seed(lm: ts.LanguageModel) -> None:
    filtered = ts.Sampling(temperature=0.0, top_k=3, top_p=0.1, min_p=0.5, seed=7)
    runs = [
        ts.generate(lm, ts.Request("x = ", max_new_tokens=20, sampling=sampling))
        for sampling in (ts.Sampling(), filtered)
    ]
    assert runs[0].token_ids.tolist() == runs[1].token_ids.tolist()
    start = runs[0].prompt_length
    assert (runs[1].sampled_logprob[start:] == 0).all(), "the favourite is a certainty"
