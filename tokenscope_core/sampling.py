"""Drawing a token: transformers' own filters, then Gumbel-max with keyed noise.

The noise is a pure function of (seed, position, token): the draw is exact, reproducible,
independent of batching, and the same on both sides of a fork, so that two branches differ
because of the intervention and not because of new luck (counterfactual token generation,
arXiv:2409.17027; Oberst and Sontag 2019).
"""

from __future__ import annotations

import numpy as np
import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from tokenscope_core.request import Sampling
from tokenscope_core.steps import Floats

_UNIFORM_STEP = 2.0**-53


def gumbel_noise(seed: int, position: int, vocabulary_size: int) -> Floats:
    """Standard Gumbel noise for each token at a position, float64 [V].

    Philox, a counter-based generator, keyed by seed and position and counted by token: the value
    for a token depends on nothing else (Salmon et al. 2011). The upper 53 bits of each word give
    a uniform value strictly between 0 and 1.
    """
    generator = np.random.Philox(key=np.array([seed, position], dtype=np.uint64))
    words = generator.random_raw(vocabulary_size) >> np.uint64(11)
    uniform = (words.astype(np.float64) + 0.5) * _UNIFORM_STEP
    noise: Floats = -np.log(-np.log(uniform))
    return noise


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
        if self.takes_favourite:
            return int(logits.argmax(dim=-1)), 0.0
        scores = self._processors(previous_ids, logits.float())
        if self._sampling.greedy:
            return int(scores.argmax(dim=-1)), 0.0
        logprobs = torch.log_softmax(scores[0], dim=-1)
        kept = torch.nonzero(logprobs > -torch.inf).squeeze(-1).cpu().numpy()
        kept_logprobs = logprobs.cpu().numpy()[kept]
        noise = gumbel_noise(self._sampling.seed, position, logprobs.shape[-1])[kept]
        winner = int(np.argmax(kept_logprobs.astype(np.float64) + noise))
        return int(kept[winner]), float(kept_logprobs[winner])


def _processors(sampling: Sampling) -> LogitsProcessorList:
    """transformers' processors for what is switched on, in the order `generate` applies them."""
    chain = LogitsProcessorList()
    if sampling.repetition_penalty != 1.0:
        chain.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.greedy:
        return chain
    if sampling.temperature != 1.0:
        chain.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k > 0:
        chain.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1.0:
        chain.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p > 0.0:
        chain.append(MinPLogitsWarper(sampling.min_p))
    return chain
