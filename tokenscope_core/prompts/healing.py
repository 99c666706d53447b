"""Token healing: a prompt is cut where a person stopped typing, not where a token ends.

What follows `def f` may be one token with the `f`, and a prompt that ends in a space leaves the
model without most of its words, which begin with theirs. So the last tokens of a prompt are taken
back, and the first that are generated have to spell their bytes again, and may go on from there.
The idea is Scott Lundberg's, for the library guidance ("The Art of Prompt Design: Prompt Boundaries
and Token Healing", 2023).

The rule. A prompt is taken back to the first of its token boundaries from which one token of the
vocabulary spells all the rest of the prompt and more; to none where there is no such token. While
a part of the rest is left, a token may be drawn only if it begins with all that is left, or is the
one that stood there. Special tokens are neither taken back nor drawn meanwhile, and one token stays
for the model to go on from. Each token is chosen without looking at what the next ones could be.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tokenscope_core.record.arrays import Ints
from tokenscope_core.record.vocabulary import Vocabulary


class Spelling:
    """The tokens of a vocabulary by the bytes that they add to a text."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        unusable = vocabulary.special_ids | vocabulary.unknown_ids
        spelled = [
            (data, token_id)
            for token_id, data in vocabulary.token_bytes.items()
            if data and token_id not in unusable
        ]
        spelled.sort()
        self._bytes = [data for data, _ in spelled]
        self._ids = [token_id for _, token_id in spelled]
        self.longest = max(map(len, self._bytes), default=0)

    def beginning_with(self, data: bytes) -> list[int]:
        """The ids of the tokens that begin with these bytes, at least one."""
        after = data + b"\xff" * (self.longest + 1)
        return self._ids[bisect_left(self._bytes, data) : bisect_left(self._bytes, after)]

    def exactly(self, data: bytes) -> list[int]:
        """The ids of the tokens that are these bytes."""
        start = end = bisect_left(self._bytes, data)
        while end < len(self._bytes) and self._bytes[end] == data:
            end += 1
        return self._ids[start:end]

    def extends(self, data: bytes) -> bool:
        """Whether a token begins with these bytes and goes on."""
        return len(self.beginning_with(data)) > len(self.exactly(data))


@dataclass(frozen=True)
class Healing:
    """Of a prompt, how many of its tokens are `kept`, the ids `taken_back`, and the bytes of
    these."""

    kept: int
    taken_back: tuple[int, ...]
    vocabulary: Vocabulary

    @property
    def rest(self) -> bytes:
        """The bytes to be spelled again."""
        return b"".join(self.vocabulary.token_bytes[i] for i in self.taken_back)

    @cached_property
    def spelling(self) -> Spelling:
        """The tokens that they can be spelled with."""
        return Spelling(self.vocabulary)


def healed(vocabulary: Vocabulary, ids: Sequence[int], first: int) -> Healing:
    """Where a prompt is taken back to.

    Args:
        vocabulary: of the model.
        ids: of the prompt.
        first: where what was typed begins in it.
    """
    first = max(first, 1)
    # A text may begin with a space that nobody typed and that is not in its bytes.
    if vocabulary.dummy_prefix and all(i in vocabulary.special_ids for i in ids[:first]):
        first += 1
    spelling = Spelling(vocabulary)
    kept, rest = len(ids), b""
    for start in range(len(ids) - 1, first - 1, -1):
        if ids[start] in vocabulary.special_ids or ids[start] in vocabulary.unknown_ids:
            break
        rest = vocabulary.token_bytes[ids[start]] + rest
        if len(rest) >= spelling.longest:
            break
        if spelling.extends(rest):
            kept = start
    return Healing(kept, tuple(ids[kept:]), vocabulary)


class Respelling:
    """What of a prompt's end is still to be spelled, token by token."""

    def __init__(self, healing: Healing) -> None:
        self._healing = healing
        self._left = healing.taken_back

    def allowed(self) -> Ints | None:
        """The ids that may be drawn next, int64 [n], ascending; None where all may."""
        if not self._left:
            return None
        vocabulary, spelling = self._healing.vocabulary, self._healing.spelling
        rest = b"".join(vocabulary.token_bytes[i] for i in self._left)
        return np.array(sorted({self._left[0], *spelling.beginning_with(rest)}), dtype=np.int64)

    def feed(self, token_id: int) -> None:
        """Add a token. Another than the one that stood there spells all that is left, or was put
        there by a person; either way all is free after it."""
        self._left = self._left[1:] if self._left[:1] == (token_id,) else ()
