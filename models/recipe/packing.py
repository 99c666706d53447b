"""From documents to training rows: segments, fill-in-the-middle, bin packing."""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from . import tokenizer as vocabulary

Ids = NDArray[np.uint16]

NOT_A_TARGET = 0x8000
"""Set on a stored token id that is read as input and never asked for as a prediction."""

_BATCH = 512
_BUFFER = 8192
_SHORTEST_FIM = 192
_FIM_OVERHEAD = 16


@dataclass(frozen=True)
class Segment:
    """Token ids after a document start. `closed`: an end token is the right thing to predict next.

    It is where a file ends and where a filled-in middle ends; not where a long file was cut.
    """

    ids: Ids
    closed: bool


def fill_in_the_middle(text: str, generator: random.Random) -> tuple[str, str, str]:
    """(prefix, middle, suffix), cut at two uniformly drawn characters (arXiv:2207.14255)."""
    start, end = sorted(generator.randint(0, len(text)) for _ in range(2))
    return text[:start], text[start:end], text[end:]


def cuts(newline: NDArray[np.bool_], top_level: NDArray[np.bool_], limit: int) -> list[int]:
    """Ends of pieces of at most `limit` tokens.

    `newline[i]`: token i ends a line; `top_level[i]`: and token i + 1 starts an unindented one.
    A piece ends at the last top-level line in the last two fifths of its room, failing that at the
    last line end, failing that where the room ends.
    """
    count = len(newline)
    line_ends = np.flatnonzero(newline) + 1
    block_ends = np.flatnonzero(top_level) + 1
    ends: list[int] = []
    start = 0
    while count - start > limit:
        furthest = start + limit
        end = furthest
        for candidates, earliest in (
            (block_ends, start + limit * 3 // 5),
            (line_ends, start + 1),
        ):
            place = int(np.searchsorted(candidates, furthest, side="right"))
            if place and candidates[place - 1] >= earliest:
                end = int(candidates[place - 1])
                break
        ends.append(end)
        start = end
    return [*ends, count] if count > start else ends


class Segmenter:
    """Cuts documents into segments that fit a row of `context` tokens."""

    def __init__(self, tokenizer: Tokenizer, context: int, fim_rate: float, seed: int) -> None:
        self._tokenizer = tokenizer
        self._context = context
        self._fim_rate = fim_rate
        self._generator = random.Random(seed)
        texts = [tokenizer.decode([token]) for token in range(tokenizer.get_vocab_size())]
        self._newline = np.array([text.endswith("\n") for text in texts])
        self._inner = np.array([text[:1] in {" ", "\t", ")", "]", "}", "#"} for text in texts])
        self._special = [vocabulary.special_id(tokenizer, name) for name in vocabulary.SPECIAL]

    def _encode(self, texts: Sequence[str]) -> list[Ids]:
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [np.array(item.ids, dtype=np.uint16) for item in encoded]

    def segments(self, texts: Iterable[str]) -> Iterator[Segment]:
        """All segments of the documents; each document is in FIM order as a whole or not at all."""
        remaining = iter(texts)
        while batch := list(islice(remaining, _BATCH)):
            batch = [text for text in batch if not any(name in text for name in vocabulary.SPECIAL)]
            for ids in self._encode(batch):
                if self._generator.random() < self._fim_rate:
                    yield from self._fim(ids)
                else:
                    pieces = list(self._pieces(ids, self._context - 1))
                    for number, piece in enumerate(pieces, start=1):
                        yield Segment(piece, closed=number == len(pieces))

    def _pieces(self, ids: Ids, limit: int) -> Iterator[Ids]:
        newline = self._newline[ids]
        top_level = newline.copy()
        top_level[:-1] &= ~self._inner[ids[1:]]
        start = 0
        for end in cuts(newline, top_level, limit):
            yield ids[start:end]
            start = end

    def _fim(self, ids: Ids) -> Iterator[Segment]:
        _, _, prefix_id, middle_id, suffix_id = self._special
        longest = self._context - 1 - _FIM_OVERHEAD
        limit = self._generator.randint(min(_SHORTEST_FIM, longest), longest)
        parts: list[str] = []
        for piece in self._pieces(ids, limit):
            parts.extend(
                fill_in_the_middle(self._tokenizer.decode(piece.tolist()), self._generator)
            )
        encoded = self._encode(parts)
        for prefix, middle, suffix in zip(*(encoded[i::3] for i in range(3)), strict=True):
            whole = np.concatenate(
                [[prefix_id], prefix, [suffix_id], suffix, [middle_id], middle]
            ).astype(np.uint16)
            yield Segment(whole[: self._context - 1], closed=len(whole) < self._context)


def pack(segments: Iterable[Segment], context: int, end_id: int, pad_id: int) -> Iterator[Ids]:
    """Rows [context], each of whole segments: best fit, longest first, over a moving buffer."""
    remaining = iter(segments)
    while buffer := list(islice(remaining, _BUFFER)):
        buffer.sort(key=lambda segment: -len(segment.ids))
        rows: list[list[Segment]] = []
        room: list[tuple[int, int]] = []  # (free tokens, row), ascending
        for segment in buffer:
            needed = len(segment.ids) + 1
            place = bisect_left(room, (needed, -1))
            if place == len(room):
                rows.append([segment])
                free, row = context, len(rows) - 1
            else:
                free, row = room.pop(place)
                rows[row].append(segment)
            if free > needed:
                insort(room, (free - needed, row))
        for members in rows:
            yield _row(members, context, end_id, pad_id)


def copying_row(generator: np.random.Generator, context: int, vocab_size: int) -> Ids:
    """A row [context] of random "names", each used again and again, to practise copying.

    Only what can be known is asked for: a name's tokens after its first, from its second use on.
    Such rows make induction heads (arXiv:2209.11895) appear early in a short training.
    """
    first = len(vocabulary.SPECIAL)
    names = [
        generator.integers(first, vocab_size, generator.integers(2, 13))
        for _ in range(generator.integers(4, 40))
    ]
    parts: list[NDArray[np.int64]] = [np.array([NOT_A_TARGET])]
    used: set[int] = set()
    length = 1
    while length < context:
        which = int(generator.integers(len(names)))
        unknown = slice(0, 1) if which in used else slice(None)
        part = names[which].copy()
        part[unknown] |= NOT_A_TARGET
        used.add(which)
        parts.append(part)
        length += len(part)
    return np.concatenate(parts)[:context].astype(np.uint16)


def _row(members: Sequence[Segment], context: int, end_id: int, pad_id: int) -> Ids:
    row = np.full(context, pad_id | NOT_A_TARGET, dtype=np.uint16)
    place, closed = 0, False
    for segment in members:
        row[place] = end_id if closed else end_id | NOT_A_TARGET
        row[place + 1 : place + 1 + len(segment.ids)] = segment.ids
        place += 1 + len(segment.ids)
        closed = segment.closed
    if place < context and closed:
        row[place] = end_id
    return row
