"""Single positions as they come: the tokens of a model, and rows of a record in the making."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Source = Literal["prompt", "sampled", "forced"]
# The last two are read in engines' answers only: a filter of theirs ended it; they do not say.
FinishReason = Literal["length", "eos", "stop", "cancelled", "filtered", "unknown"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Kept = NDArray[np.int8]

# Of a candidate: whether the token could have been drawn from it. Missing where none was drawn.
KEPT, REMOVED, NOT_DRAWN = 1, 0, -1


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens a trace mentions: their exact bytes, and which of them are special.

    A special token (end of sequence, fill-in-the-middle marks) has a name but adds no bytes to
    the text. With `dummy_prefix` the tokenizer begins every text with a space that is not in it
    (SentencePiece). `unknown_ids` are tokens of which nobody said what bytes they add: they are
    counted among the special ones, and called by their ids.
    """

    token_bytes: Mapping[int, bytes]
    special_ids: frozenset[int] = frozenset()
    dummy_prefix: bool = False
    unknown_ids: frozenset[int] = frozenset()

    @property
    def known_bytes(self) -> Mapping[int, bytes]:
        """`token_bytes` without the tokens whose bytes are unknown."""
        if not self.unknown_ids:
            return self.token_bytes
        return {i: b for i, b in self.token_bytes.items() if i not in self.unknown_ids}

    def label(self, token_id: int) -> str:
        """The token as text, with bytes that form no whole character replaced by U+FFFD."""
        return self.token_bytes[token_id].decode("utf-8", errors="replace")

    def restricted_to(self, token_ids: Iterable[int]) -> Vocabulary:
        """The same tokens, only those named."""
        kept = set(token_ids)
        return Vocabulary(
            {token_id: self.token_bytes[token_id] for token_id in kept},
            self.special_ids & kept,
            self.dummy_prefix,
            self.unknown_ids & kept,
        )

    def pieces(self, token_ids: Iterable[int]) -> list[bytes]:
        """The bytes that each token of a whole text adds to it."""
        special, table = self.special_ids, self.token_bytes
        pieces = [b"" if token_id in special else table[token_id] for token_id in token_ids]
        if self.dummy_prefix:
            first = next((i for i, piece in enumerate(pieces) if piece), 0)
            pieces[first : first + 1] = [p.removeprefix(b" ") for p in pieces[first : first + 1]]
        return pieces


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
    candidate_kept: Kept
    finish_reason: FinishReason | None = None
    measured: bool = True

    def __len__(self) -> int:
        return len(self.token_ids)


@dataclass(frozen=True, slots=True, eq=False)
class TokenStep:
    """One position, as `stream` yields it; the fields mean what they mean in a trace."""

    position: int
    token_id: int
    token_bytes: bytes
    special: bool
    source: Source
    metrics: Mapping[str, float]
    candidate_ids: Ints
    candidate_logprobs: Floats
    candidate_kept: Kept
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
