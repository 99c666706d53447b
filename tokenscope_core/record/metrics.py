"""The metrics of a batch of distributions, fused: few passes over the vocabulary.

Definitions and sources are in `metric_registry`. Everything is computed in float32 or better
from the logits, whatever precision the model runs in: bfloat16 carries about three digits.

With z = logit - largest logit, the sums S = Σ e^z, Σ z e^z and Σ z² e^z over the vocabulary are
all that is needed of it: ln p = z - ln S, entropy = ln S - E[z], varentropy = E[z²] - E[z]².
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch

from tokenscope_core.errors import ModelError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.metric_registry import MEASURED

# e^z is 0 in float32 long before; a finite z keeps z e^z at 0 where a logit is -inf.
_LOWEST = -1000.0
# Half a megabyte of float32.
_BLOCK_NUMBERS = 128 * 1024
# From here on finding the highest logits by blocks is the faster way on a CPU.
_LARGE_VOCABULARY = 16 * 1024
_TOP_BLOCK = 128


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """What n distributions and the tokens taken from them amount to, on the host.

    `columns` maps each name of `MEASURED` to float64 [n]; `candidate_ids` int64 [n, K] and
    `candidate_logprobs` float64 [n, K] hold the K most probable tokens, most probable first.
    All numbers are exact in float32, which is how they are stored.
    """

    columns: dict[str, Floats]
    candidate_ids: Ints
    candidate_logprobs: Floats

    def row(self, index: int) -> Measures:
        """The measures of one distribution."""
        here = slice(index, index + 1)
        return Measures(
            {name: column[here] for name, column in self.columns.items()},
            self.candidate_ids[here],
            self.candidate_logprobs[here],
        )


class Distributions:
    """n next-token distributions, ready to choose from and to measure."""

    def __init__(self, logits: torch.Tensor, candidates: int) -> None:
        """Find the most probable tokens.

        Args:
            logits: [n, V], any float dtype; raw model output.
            candidates: K, how many of the most probable tokens to keep (at most V are kept).
        """
        self.logits = logits.float()
        vocabulary_size = logits.shape[-1]
        self._width = min(candidates, vocabulary_size)
        # Ordered by logit: logprobs are rounded, which would tie tokens the model tells apart.
        kept = min(max(candidates, 2), vocabulary_size)
        self._highest, self._highest_ids = highest(self.logits, kept)

    def favourites(self) -> list[int]:
        """The most probable token of each distribution; of several the one with lowest id, as
        `argmax` has it."""
        best: list[int] = self._highest_ids[:, 0].tolist()
        for row, highest in enumerate(self._highest[:, :2].tolist()):
            if len(highest) > 1 and highest[0] == highest[1]:
                best[row] = int(self.logits[row].argmax())
        return best

    def measure(self, token_ids: torch.Tensor) -> Measures:
        """Measure the distributions and the tokens taken from them, int64 [n]; of fewer tokens the
        first distributions.

        Raises:
            ModelError: the logits are not numbers.
        """
        if len(token_ids) < len(self.logits):
            return self._part(slice(0, len(token_ids))).measure(token_ids)
        kept = self._highest.shape[-1]
        taken = self.logits.gather(-1, token_ids.unsqueeze(-1))
        # One transfer, whatever the device; ids below 2**24 are exact in float32.
        packed = torch.cat((taken, self._sums(), self._highest, self._highest_ids.float()), dim=-1)
        host = packed.cpu().numpy().astype(np.float64)
        if np.isnan(host).any():
            host[:, 1:4] = self._sums(lowest=_LOWEST).cpu().numpy()
            if np.isnan(host).any():
                raise no_numbers()

        taken_logits, highest = host[:, :1], host[:, 4 : 4 + kept]
        total, first, second = host[:, 1], host[:, 2], host[:, 3]
        log_total, mean = np.log(total), first / total
        normaliser = (highest[:, 0] + log_total)[:, None]
        top_logprobs = highest - normaliser
        probs = np.exp(top_logprobs[:, :2])
        return Measures(
            columns={
                "logprob": _rounded((taken_logits - normaliser)[:, 0]),
                "entropy": _rounded(log_total - mean),
                "varentropy": _rounded(np.maximum(second / total - mean * mean, 0.0)),
                "margin": _rounded(probs[:, 0] - probs[:, 1] if kept > 1 else probs[:, 0]),
                "rank": self._rank(taken, taken_logits, highest),
            },
            candidate_ids=host[:, 4 + kept : 4 + kept + self._width].astype(np.int64),
            candidate_logprobs=_rounded(top_logprobs[:, : self._width]),
        )

    def row(self, index: int) -> Distributions:
        """One of the distributions."""
        return self._part(slice(index, index + 1))

    def _part(self, rows: slice) -> Distributions:
        part = copy.copy(self)
        part.logits = self.logits[rows]
        part._highest, part._highest_ids = self._highest[rows], self._highest_ids[rows]
        return part

    def _sums(self, lowest: float | None = None) -> torch.Tensor:
        """Σ e^z, Σ z e^z and Σ z² e^z over the vocabulary, [n, 3]; z at least `lowest`."""
        blocks = zip(self._blocks(self.logits), self._blocks(self._highest), strict=True)
        return torch.cat([_block_sums(b - top[:, :1], lowest) for b, top in blocks])

    def _rank(self, taken: torch.Tensor, taken_logits: Floats, highest: Floats) -> Floats:
        """1 + the number of higher logits; the whole vocabulary is read only where the token
        taken lies below all that were kept."""
        rank = 1.0 + (highest > taken_logits).sum(axis=1)
        below = np.flatnonzero(taken_logits[:, 0] < highest[:, -1])
        if len(below):
            rank[below] = 1.0 + _count_higher(self.logits, taken, below)
        return np.asarray(rank)

    def _blocks(self, rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Rows in blocks over which several passes stay in a processor's cache."""
        length = max(1, _BLOCK_NUMBERS // self.logits.shape[-1])
        if len(rows) <= length or rows.device.type != "cpu":
            return (rows,)
        return torch.split(rows, length)


def measure(logits: torch.Tensor, token_ids: torch.Tensor, candidates: int) -> Measures:
    """Measure distributions, given as logits [n, V], and the tokens taken from them, int64 [n].

    Args and raises: as `Distributions`.
    """
    return Distributions(logits, candidates).measure(token_ids)


def missing(count: int, candidates: int) -> Measures:
    """The measures of `count` positions that no distribution precedes."""
    return Measures(
        columns={name: np.full(count, np.nan) for name in MEASURED},
        candidate_ids=np.full((count, candidates), -1, dtype=np.int64),
        candidate_logprobs=np.full((count, candidates), np.nan),
    )


def _block_sums(shifted: torch.Tensor, lowest: float | None) -> torch.Tensor:
    if lowest is not None:
        shifted.clamp_(min=lowest)
    weights = shifted.exp()
    total = weights.sum(dim=-1, keepdim=True)
    first = weights.mul_(shifted).sum(dim=-1, keepdim=True)
    second = weights.mul_(shifted).sum(dim=-1, keepdim=True)
    return torch.cat((total, first, second), dim=-1)


def highest(logits: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `count` highest of each row of logits [n, V], in their dtype, and their ids, int64: both
    [n, count], highest first.

    Of a large vocabulary each row is read once, for the maximum of every block: none but the
    blocks with the highest maxima can hold the highest logits.
    """
    rows, size = logits.shape
    blocks = size // _TOP_BLOCK
    if size < _LARGE_VOCABULARY or count > blocks:
        values, ids = torch.topk(logits, count, dim=-1)
        return values, ids
    whole = blocks * _TOP_BLOCK
    maxima = logits[:, :whole].view(rows, blocks, _TOP_BLOCK).amax(dim=-1)
    starts = torch.topk(maxima, count, dim=-1).indices.unsqueeze(-1) * _TOP_BLOCK
    columns = (starts + torch.arange(_TOP_BLOCK, device=logits.device)).flatten(1)
    rest = torch.arange(whole, size, device=logits.device).expand(rows, -1)
    columns = torch.cat((columns, rest), dim=1)
    values, places = torch.topk(logits.gather(1, columns), count, dim=-1)
    return values, columns.gather(1, places)


def _count_higher(logits: torch.Tensor, taken: torch.Tensor, rows: Ints) -> Ints:
    """How many logits of some rows of [n, V] are higher than that of the token taken [n, 1]."""
    if logits.device.type != "cpu":
        here = torch.from_numpy(rows).to(logits.device)
        return (logits[here] > taken[here]).sum(dim=-1).cpu().numpy()
    # numpy counts booleans several times faster than torch sums them.
    numbers, limits = logits.numpy(), taken[:, 0].numpy()
    counts = [np.count_nonzero(numbers[row] > limits[row]) for row in rows.tolist()]
    return np.array(counts, dtype=np.int64)


def _rounded(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)


def no_numbers() -> ModelError:
    """The error for logits that no probabilities can be computed from."""
    return ModelError(
        asked="The next token's probabilities were to be computed.",
        found="The model's output is not a number (NaN or infinite).",
        action="Load it in float32: half precision overflows in some models.",
    )
