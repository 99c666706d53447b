"""Drawing a token: penalties and temperature, filters, then Gumbel-max with keyed noise.

Penalties and temperature are transformers' own processors on the model's device; the filters run
on the host (`filters`).

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
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
)

from tokenscope_core.decoding.filters import Scores, kept_tokens
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.metrics import no_numbers
from tokenscope_core.record.request import Sampling

_UNIFORM_STEP = 2.0**-53


def gumbel_noise(seed: int, position: int, token_ids: Ints) -> Floats:
    """Standard Gumbel noise for each of these token ids, int64 [n], at a position: float64 [n], to
    be added to log-probabilities in nats.

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
    """The tokens that can be drawn, int64 [n] ascending, and their log-probabilities, nats,
    float64 [n]."""

    token_ids: Ints
    logprobs: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A token chosen, its log-probability (nats) under the processed distribution, and what else
    could have been.

    `scores` float32 [V] are the processed logits, None where nothing was processed; `kept_ids`,
    int64 [n], are the tokens that passed the filters, ascending, None where there were none.
    """

    token_id: int
    logprob: float = 0.0
    scores: Scores | None = None
    kept_ids: Ints | None = None

    def kept(self, token_ids: Ints) -> NDArray[np.bool_]:
        """Which of these token ids, [...], neither a penalty nor a filter had ruled out; bool, of
        the same shape."""
        if self.scores is None:
            return np.ones(token_ids.shape, dtype=np.bool_)
        possible: NDArray[np.bool_] = self.scores[token_ids] > -np.inf
        if self.kept_ids is None:
            return possible
        place = np.searchsorted(self.kept_ids, token_ids).clip(max=len(self.kept_ids) - 1)
        return np.asarray(possible & (self.kept_ids[place] == token_ids))


class Sampler:
    """Chooses tokens for one request; immutable once built."""

    def __init__(self, sampling: Sampling, prompt_length: int = 0) -> None:
        """
        Args:
            sampling: how to choose.
            prompt_length: how many of the tokens before a position were not generated; the
                frequency and the presence penalty count the others.
        """
        self._sampling = sampling
        self._processors = _processors(sampling, prompt_length)

    @property
    def takes_favourite(self) -> bool:
        """Whether the choice is simply the raw favourite: greedy, with nothing processed."""
        return self._sampling.greedy and not self._processors

    def choose(
        self,
        logits: torch.Tensor,
        previous_ids: torch.Tensor,
        position: int,
        allowed: Ints | None = None,
    ) -> Choice:
        """The token for a position. When greedy its log-probability is 0: it is a certainty.

        Args:
            logits: [1, V], raw model output; any float dtype.
            previous_ids: int64 [1, position], all tokens before it.
            position: where the token will stand.
            allowed: the only ids that it can be, int64 [n]; None: all can.

        Raises:
            ModelError: the logits are not numbers.
            RequestError: no token is left to choose.
        """
        scores = self._scores(logits, previous_ids, allowed)
        if self._sampling.greedy:
            return Choice(int(scores.argmax()), scores=scores)
        kept_ids = kept_tokens(scores, self._sampling)
        support = _support(scores, kept_ids)
        noise = gumbel_noise(self._sampling.seed, position, support.token_ids)
        winner = int(np.argmax(support.logprobs + noise))
        return Choice(
            int(support.token_ids[winner]), float(support.logprobs[winner]), scores, kept_ids
        )

    def support(self, logits: torch.Tensor, previous_ids: torch.Tensor) -> Support:
        """The distribution that a token is drawn from, after penalties, temperature and filters.

        Args and raises: as `choose`: logits [1, V], of any float dtype, and the ids before them,
        int64 [1, n].
        """
        scores = self._scores(logits, previous_ids)
        return _support(scores, kept_tokens(scores, self._sampling))

    def _scores(
        self, logits: torch.Tensor, previous_ids: torch.Tensor, allowed: Ints | None = None
    ) -> Scores:
        """Scores [V] after penalties and temperature, with at least one token possible."""
        raw = logits.float()
        processed = raw
        if allowed is not None:
            within = torch.from_numpy(allowed[allowed < raw.shape[1]]).to(raw.device)
            processed = torch.full_like(raw, -torch.inf)
            processed[:, within] = raw[:, within]
        for processor in self._processors:
            processed = processor(previous_ids, processed)
        scores: Scores = processed[0].cpu().numpy()
        if np.isfinite(scores.max()):
            return scores
        if bool(torch.isfinite(raw.max())):
            ngram, suppressed = (
                self._sampling.no_repeat_ngram_size, len(self._sampling.suppress_tokens)
            )  # fmt: skip
            ruled_out = f"repeating any {ngram} tokens in a row" if ngram else ""
            if suppressed:
                ruled_out += f"{' or ' if ngram else ''}any of {suppressed:,} suppressed tokens"
            raise RequestError(
                asked=f"Token {previous_ids.shape[1]:,} was to be chosen without {ruled_out}.",
                found="That rules out every token the model knows.",
                action="Raise no_repeat_ngram_size, suppress fewer tokens, or ask for fewer new "
                "ones.",
            )
        raise no_numbers()


def _support(scores: Scores, kept_ids: Ints | None) -> Support:
    token_ids = np.arange(len(scores)) if kept_ids is None else kept_ids
    kept = scores if kept_ids is None else scores[kept_ids]
    shifted = kept.astype(np.float64) - kept.max()
    return Support(token_ids, shifted - math.log(np.exp(shifted).sum()))


class FrequencyPresencePenalty(LogitsProcessor):  # type: ignore[misc]
    """logit - count * frequency - (count > 0) * presence, over the tokens generated so far.

    As the OpenAI API defines its `frequency_penalty` and `presence_penalty`, which transformers
    lacks; the prompt does not count.
    """

    def __init__(self, frequency: float, presence: float, prompt_length: int) -> None:
        self._frequency = frequency
        self._presence = presence
        self._prompt_length = prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Logits float32 [1, V] with what was generated made less likely, in a new tensor;
        `input_ids` are all tokens so far, int64 [1, n]."""
        generated = input_ids[0, self._prompt_length :]
        ids, counts = torch.unique(generated, return_counts=True)
        lowered = scores.clone()
        lowered[0, ids] -= counts * self._frequency + self._presence
        return lowered


def _processors(sampling: Sampling, prompt_length: int) -> list[LogitsProcessor]:
    """What changes scores, in the order in which `generate` applies it; a caller's own processors,
    such as the frequency and presence penalty would be, come last before the temperature.

    Not a LogitsProcessorList, which inspects every processor's signature at every token.
    """
    chain: list[LogitsProcessor] = []
    if sampling.logit_bias:
        bias = [[[token_id], number] for token_id, number in sampling.logit_bias]
        chain.append(SequenceBiasLogitsProcessor(bias))
    if sampling.repetition_penalty != 1.0:
        chain.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.no_repeat_ngram_size:
        chain.append(NoRepeatNGramLogitsProcessor(sampling.no_repeat_ngram_size))
    if sampling.suppress_tokens:
        chain.append(SuppressTokensLogitsProcessor(sampling.suppress_tokens))
    if sampling.frequency_penalty or sampling.presence_penalty:
        chain.append(
            FrequencyPresencePenalty(
                sampling.frequency_penalty, sampling.presence_penalty, prompt_length
            )
        )
    if sampling.temperature not in (0.0, 1.0):
        chain.append(TemperatureLogitsWarper(sampling.temperature))
    return chain
