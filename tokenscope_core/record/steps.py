"""Single positions as they come: the tokens of a model, and rows of a record in the making."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tokenscope_core.record.arrays import Floats, Ints, KeptFlags
from tokenscope_core.record.vocabulary import Vocabulary

Source = Literal["prompt", "sampled", "forced"]
# The last two are read in engines' answers only: a filter of theirs ended it; they do not say.
FinishReason = Literal["length", "eos", "stop", "cancelled", "filtered", "unknown"]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The record of `n` consecutive positions, as the decode loop produces them.

    `metrics` maps each stored metric to a float64 array [n] (NaN where missing);
    `candidate_ids` is int64 [n, K] (-1 where missing), `candidate_logprobs` float64 [n, K],
    `candidate_kept` int8 [n, K] (`KEPT`, `REMOVED` by a penalty or filter, or `NOT_DRAWN`).
    `start` is the first of the positions. Tokens that are read before their figures are known come
    twice: without figures, which is when `measured` is false, then with them. `finish_reason` is
    set on a run's last rows only.
    """

    start: int
    token_ids: Ints
    source: Source
    metrics: Mapping[str, Floats]
    candidate_ids: Ints
    candidate_logprobs: Floats
    candidate_kept: KeptFlags
    finish_reason: FinishReason | None = None
    measured: bool = True

    def __len__(self) -> int:
        return len(self.token_ids)


@dataclass(frozen=True, slots=True, eq=False)
class TokenStep:
    """One position, as `stream` yields it; the fields mean what they mean in a trace.

    Its K candidates: `candidate_ids` int64 [K], `candidate_logprobs` float64 [K], nats,
    `candidate_kept` int8 [K].
    """

    position: int
    token_id: int
    token_bytes: bytes
    special: bool
    source: Source
    metrics: Mapping[str, float]
    candidate_ids: Ints
    candidate_logprobs: Floats
    candidate_kept: KeptFlags
    finish_reason: FinishReason | None = None


def latest(parts: Iterable[Rows]) -> list[Rows]:
    """The rows of a run in order of position; those with figures in place of those without."""
    return list({part.start: part for part in parts}.values())


def as_measured(parts: Iterable[Rows]) -> Iterator[Rows]:
    """The rows of a run in order of position, each as soon as it and all before it have figures."""
    waiting: dict[int, Rows] = {}
    position = 0
    for part in parts:
        if part.measured:
            waiting[part.start] = part
        while position in waiting:
            following = waiting.pop(position)
            position += len(following)
            yield following


def steps_of(rows: Rows, vocabulary: Vocabulary) -> Iterator[TokenStep]:
    """The single positions of `rows`."""
    last = len(rows) - 1
    for i, token_id in enumerate(rows.token_ids.tolist()):
        yield TokenStep(
            position=rows.start + i,
            token_id=token_id,
            token_bytes=vocabulary.token_bytes[token_id],
            special=token_id in vocabulary.special_ids,
            source=rows.source,
            metrics={name: float(column[i]) for name, column in rows.metrics.items()},
            candidate_ids=rows.candidate_ids[i],
            candidate_logprobs=rows.candidate_logprobs[i],
            candidate_kept=rows.candidate_kept[i],
            finish_reason=rows.finish_reason if i == last else None,
        )
