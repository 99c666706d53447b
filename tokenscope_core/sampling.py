"""Drawing a token: transformers' filters, then Gumbel-max with keyed noise.

The filters keep the tokens that transformers' processors keep. They run on the host, where the
noise is: numpy sorts a vocabulary in a twentieth of the time that torch needs on a CPU.

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
from numpy.typing import NDArray
from transformers.generation.logits_process import (
    LogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
)

from tokenscope_core.metrics import no_numbers
from tokenscope_core.request import Sampling
from tokenscope_core.steps import Floats, Ints

_UNIFORM_STEP = 2.0**-53


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

        Raises:
            ModelError: the logits are not numbers.
        """
        scores = self._scores(logits, previous_ids).cpu().numpy()
        highest = scores.max()
        if not np.isfinite(highest):
            raise no_numbers()
        token_ids = _kept(scores, self._sampling)
        kept = scores[token_ids].astype(np.float64) - highest
        return Support(token_ids, kept - math.log(np.exp(kept).sum()))

    def _scores(self, logits: torch.Tensor, previous_ids: torch.Tensor) -> torch.Tensor:
        """Scores [V], float32, after the penalty and the temperature."""
        scores = logits.float()
        for processor in self._processors:
            scores = processor(previous_ids, scores)
        return scores[0]


def _kept(scores: NDArray[np.float32], sampling: Sampling) -> Ints:
    """The tokens that pass the filters, in the order of their ids; at least one."""
    token_ids = np.arange(len(scores))
    if 0 < sampling.top_k < len(scores):
        # Tokens that tie with the last of the k are kept with it.
        token_ids = np.flatnonzero(scores >= np.partition(scores, -sampling.top_k)[-sampling.top_k])
    if sampling.top_p < 1.0:
        token_ids = token_ids[_nucleus(scores[token_ids], sampling.top_p)]
    if sampling.min_p > 0.0:
        lowest = float(scores.max()) + math.log(sampling.min_p)
        token_ids = token_ids[scores[token_ids] >= lowest]
    return token_ids


def _nucleus(scores: NDArray[np.float32], top_p: float) -> Ints:
    """Indices of the fewest most probable tokens that hold `top_p` of the probability.

    The token that crosses the threshold is among them (arXiv:1904.09751).
    """
    # Values are sorted, not indices: numpy does that several times faster.
    falling = np.sort(scores)[::-1].astype(np.float64)
    weights = np.exp(falling - falling[0])
    before = np.cumsum(weights) - weights
    count = max(1, int(np.count_nonzero(before < top_p * weights.sum())))
    last = falling[count - 1]
    higher, tied = np.flatnonzero(scores > last), np.flatnonzero(scores == last)
    return np.concatenate((higher, tied[: count - len(higher)]))


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
