"""Drawing a token: transformers' filters on the highest scores, then Gumbel-max with keyed noise.

The filters keep the tokens that transformers' processors keep, but look at the highest scores
alone where those decide: sorting the whole vocabulary costs more than measuring it.

The noise is a pure function of (seed, position, token): the draw is exact, reproducible,
independent of batching, and the same on both sides of a fork, so that two branches differ
because of the intervention and not because of new luck (counterfactual token generation,
arXiv:2409.17027; Oberst and Sontag 2019).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from transformers.generation.logits_process import (
    LogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
)

from tokenscope_core.request import Sampling
from tokenscope_core.steps import Floats, Ints

_UNIFORM_STEP = 2.0**-53
# How many of the highest scores are looked at first where no top-k says how many can be kept.
_FIRST_LOOK = 256


def gumbel_noise(seed: int, position: int, token_ids: Ints) -> Floats:
    """Standard Gumbel noise for each of these tokens at a position, float64 [n].

    Philox, a counter-based generator, keyed by seed and position and counted by token: the value
    for a token depends on nothing else (Salmon et al. 2011). The upper 53 bits of each word give
    a uniform value strictly between 0 and 1.
    """
    generator = np.random.Philox(key=np.array([seed, position], dtype=np.uint64))
    words = generator.random_raw(int(token_ids.max()) + 1)[token_ids] >> np.uint64(11)
    uniform = (words.astype(np.float64) + 0.5) * _UNIFORM_STEP
    noise: Floats = -np.log(-np.log(uniform))
    return noise


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """The tokens that can be drawn, int64 [n], and their log-probabilities, nats, float64 [n]."""

    token_ids: Ints
    logprobs: Floats


class Sampler:
    """Chooses tokens for one request; immutable once built."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._processors = _processors(sampling)

    @property
    def takes_favourite(self) -> bool:
        """Whether the choice is simply the raw favourite: greedy, with nothing processed."""
        return self._sampling.greedy and not self._processors

    def choose(
        self, logits: torch.Tensor, previous_ids: torch.Tensor, position: int
    ) -> tuple[int, float]:
        """The token for a position, and its log-probability (nats) under the processed
        distribution: 0 when greedy, which is a certainty.

        Args:
            logits: [1, V], raw model output.
            previous_ids: int64 [1, position], all tokens before it.
            position: where the token will stand.
        """
        if self._sampling.greedy:
            return int(self._scores(logits, previous_ids).argmax()), 0.0
        support = self.support(logits, previous_ids)
        noise = gumbel_noise(self._sampling.seed, position, support.token_ids)
        winner = int(np.argmax(support.logprobs + noise))
        return int(support.token_ids[winner]), float(support.logprobs[winner])

    def support(self, logits: torch.Tensor, previous_ids: torch.Tensor) -> Support:
        """The distribution that a token is drawn from, after penalty, temperature and filters.

        Args: as `choose`.
        """
        scores = self._scores(logits, previous_ids)
        sampling, size = self._sampling, len(scores)
        if not (sampling.top_k or sampling.top_p < 1.0 or sampling.min_p):
            return _normalised(np.arange(size), scores.cpu().numpy().astype(np.float64))
        # One more than top-k keeps, to see whether others tie with the last.
        reach = min(sampling.top_k + 1 if sampling.top_k else _FIRST_LOOK, size)
        token_ids, highest = _highest(scores, reach)
        kept = self._kept(scores, highest)
        if kept == reach < size:
            token_ids, highest = _highest(scores, size)
            kept = self._kept(scores, highest)
        return _normalised(token_ids[:kept], highest[:kept])

    def _scores(self, logits: torch.Tensor, previous_ids: torch.Tensor) -> torch.Tensor:
        """Scores [V], float32, after the penalty and the temperature."""
        scores = logits.float()
        for processor in self._processors:
            scores = processor(previous_ids, scores)
        return scores[0]

    def _kept(self, scores: torch.Tensor, highest: Floats) -> int:
        """How many of the highest scores, in falling order, pass the filters; at least one."""
        sampling = self._sampling
        kept = len(highest)
        if 0 < sampling.top_k < kept:
            kept = int(np.count_nonzero(highest >= highest[sampling.top_k - 1]))
        if sampling.top_p < 1.0:
            weights = np.exp(highest[:kept] - highest[0])
            everything = weights.sum() if sampling.top_k else _mass(scores, highest[0])
            before = np.cumsum(weights) - weights
            # The token that crosses the threshold has less than top_p before it: it is kept.
            kept = int(np.count_nonzero(before < sampling.top_p * everything))
        if sampling.min_p > 0.0:
            lowest = highest[0] + math.log(sampling.min_p)
            kept = int(np.count_nonzero(highest[:kept] >= lowest))
        return max(kept, 1)


def _highest(scores: torch.Tensor, count: int) -> tuple[Ints, Floats]:
    top = torch.topk(scores, count)
    return top.indices.cpu().numpy(), top.values.cpu().numpy().astype(np.float64)


def _mass(scores: torch.Tensor, favourite: float) -> float:
    """Sum of exp(score - favourite) over the vocabulary."""
    return float((scores - favourite).exp_().sum(dtype=torch.float64))


def _normalised(token_ids: Ints, scores: Floats) -> Support:
    shifted = scores - scores.max()
    return Support(token_ids, shifted - math.log(np.exp(shifted).sum()))


def _processors(sampling: Sampling) -> list[LogitsProcessor]:
    """transformers' processors for what changes scores, in the order `generate` applies them.

    Not a LogitsProcessorList, which inspects every processor's signature at every token.
    """
    chain: list[LogitsProcessor] = []
    if sampling.repetition_penalty != 1.0:
        chain.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.temperature not in (0.0, 1.0):
        chain.append(TemperatureLogitsWarper(sampling.temperature))
    return chain
