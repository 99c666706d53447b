"""Sums over any range of a text's bytes, from running totals: each in constant time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.trace import Trace

# Running totals carry an error of some 1e-12; the least share, of a token of a kilobyte, is 1e-3.
_DIGITS = 9
NO_SHARE = 1e-9
# A token that a model rules out is infinitely surprising.
INFINITIES = (np.inf, -np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """The W tokens that have bytes, of which some count.

    `position` and `end` (the byte after each) are int64 [W], `width` its bytes, `counted` bool
    [W]. A range of bytes holds of each token the share of its bytes that lies inside.
    """

    position: Ints
    end: Ints
    width: Ints
    counted: NDArray[np.bool_]

    @classmethod
    def of(cls, trace: Trace, counted: NDArray[np.bool_]) -> Totals:
        """Of a trace, where `counted`, bool [T], says which tokens count."""
        width = trace.byte_end - trace.byte_start
        written = np.flatnonzero(width > 0)
        return cls(written, trace.byte_end[written], width[written], counted[written])

    def bytes(self, start: Ints, end: Ints) -> Ints:
        """How many bytes that count each of N ranges holds, from `start` to `end` (bytes, int64
        [N], as in what follows); int64 [N]."""
        return np.rint(self._between(self.counted * self.width, start, end)).astype(np.int64)

    def tokens(self, start: Ints, end: Ints) -> Floats:
        """How many tokens that count, in parts of tokens, float64 [N]; whole numbers where they are
        whole."""
        found = self._between(self.counted.astype(np.float64), start, end)
        return np.asarray(np.round(found, _DIGITS))

    def sums(self, value: Floats, start: Ints, end: Ints) -> Floats:
        """The sum over the tokens that count of share times value, float64 [N], in the unit of the
        values; `value` is [T], any number but NaN. A range is infinite by what lies in it, and
        never by what lies before it."""
        value = np.where(self.counted, value[self.position], 0.0)
        found = self._between(np.where(np.isinf(value), 0.0, value), start, end)
        for infinity in INFINITIES:
            at = value == infinity
            if at.any():
                found[self._between(at, start, end) > NO_SHARE] += infinity
        return found

    def place(self, byte: Ints) -> tuple[Ints, Floats]:
        """The index of the token that each byte lies in, int64 [n] (W at the end), and which share
        of it lies before, float64 [n]; `byte` are offsets in the text, int64 [n]."""
        token = np.searchsorted(self.end, byte, side="right")
        inside = np.minimum(token, max(len(self.end) - 1, 0))
        if not len(self.end):
            return token, np.zeros(len(byte))
        begun = (byte - (self.end - self.width)[inside]) / self.width[inside]
        return token, np.where(token < len(self.end), begun, 0.0)

    def _between(self, amount: Floats | Ints | NDArray[np.bool_], start: Ints, end: Ints) -> Floats:
        total = np.concatenate([[0.0], np.cumsum(amount)])
        own = np.append(amount, 0.0)
        (a, before_a), (b, before_b) = self.place(start), self.place(end)
        found: Floats = total[b] + own[b] * before_b - total[a] - own[a] * before_a
        return found
