"""Stretches of a text that are code, and what in them is not: margins, prompts, output."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from tokenscope_core.record.arrays import Ints
from tokenscope_core.syntax.grammar.languages import ROWS

Span = tuple[int, int]

_LONE_CR = re.compile(rb"\r(?!\n)")
# Of what no line of code begins with, that which may stand before it.
_MARGIN = b" \t>."


@dataclass(frozen=True, slots=True)
class CodeRegion:
    """A stretch of a text that holds one piece of code: bytes `start` to `end` of the text.

    `language` is one of `LANGUAGES`, or None where it is in another or an unknown one. `closed`
    says whether the stretch is over. `spans` are the bytes in it that are code, in order and not
    touching; the rest is set aside: the margin of a fence in a list or a quote, the prompts and
    the output of a session.
    """

    start: int
    end: int
    language: str | None
    closed: bool
    spans: tuple[Span, ...]

    @classmethod
    def whole(cls, start: int, end: int, language: str | None, *, closed: bool) -> CodeRegion:
        """A stretch that is code from end to end."""
        return cls(start, end, language, closed, ((start, end),))

    def code(self, text: bytes) -> bytes:
        """The code as a parser may have it: line ends are such, nothing stands between."""
        code = b"".join([text[start:end] for start, end in self.spans])
        ends_lines = self.language is not None and ROWS[self.language].cr_ends_lines
        return with_line_feeds(code) if ends_lines else code

    def restricted_to(self, spans: Iterable[Span], *, language: str | None) -> CodeRegion:
        """The stretch with less of its code: spans of the code, each within one line."""
        kept = np.array(list(spans), dtype=np.int64).reshape(-1, 2)
        starts, ends = self.starts_in_text(kept[:, 0]), self.ends_in_text(kept[:, 1])
        found = zip(starts.tolist(), ends.tolist(), strict=True)
        return replace(self, language=language, spans=merged(found))

    def in_code(self, at: Ints) -> Ints:
        """How many bytes of the code stand before each of these bytes of the text, int64 [n]."""
        starts, ends, before = self._table()
        if not len(starts):
            return np.zeros(len(at), dtype=np.int64)
        span = np.maximum(np.searchsorted(starts, at, side="right") - 1, 0)
        inside = np.clip(at, starts[span], ends[span]) - starts[span]
        return np.asarray(before[span] + inside, dtype=np.int64)

    def starts_in_text(self, at: Ints) -> Ints:
        """Where in the text each of these bytes of the code stands, int64 [n]; the end of the
        stretch for those after it."""
        return self._in_text(at, "right")

    def ends_in_text(self, at: Ints) -> Ints:
        """Where in the text those bytes of the code end that have so many up to their end,
        int64 [n]."""
        return self._in_text(at, "left")

    def gaps(self) -> Iterator[Span]:
        """What is set aside, in order."""
        at = self.start
        for start, end in (*self.spans, (self.end, self.end)):
            if start > at:
                yield at, start
            at = end

    def piece(self, at: int, piece: bytes) -> bytes | None:
        """What of a piece would be code if it stood in the text from byte `at` on.

        None where that depends on what the line after it turns out to be.
        """
        if len(self.spans) == 1 and self.spans[0][0] == self.start:
            return piece
        margin = not any(start <= at < end or at == end < self.end for start, end in self.spans)
        lines = piece.splitlines(keepends=True)
        if margin and at < self.end:
            return None if piece.strip(_MARGIN) else b""
        if len(lines) > 1 and not b"".join(lines[1:]).strip(_MARGIN):
            return lines[0]
        return piece if len(lines) < 2 else None

    def _in_text(self, at: Ints, side: str) -> Ints:
        starts, ends, before = self._table()
        if not len(starts):
            return np.full(len(at), self.start, dtype=np.int64)
        after = side == "right"
        span = np.searchsorted(before, at, side="right" if after else "left") - 1
        span = np.clip(span, 0, len(starts) - 1)
        found = np.minimum(starts[span] + at - before[span], ends[span])
        return np.asarray(found, dtype=np.int64)

    def _table(self) -> tuple[Ints, Ints, Ints]:
        """Starts and ends of the spans, and how many bytes of code come before each."""
        table = np.array(self.spans, dtype=np.int64).reshape(-1, 2)
        widths = table[:, 1] - table[:, 0]
        return table[:, 0], table[:, 1], np.cumsum(widths) - widths


def with_line_feeds(code: bytes) -> bytes:
    """The same with a line feed for each carriage return that ends a line by itself."""
    return _LONE_CR.sub(b"\n", code) if b"\r" in code else code


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order, those that touch put together and empty ones left out."""
    found: list[Span] = []
    for start, end in spans:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        elif end > start:
            found.append((start, end))
    return tuple(found)


def line_spans(text: bytes, start: int, end: int) -> Iterator[Span]:
    """The lines of a stretch of a text with their ends: a line feed, a carriage return, or both."""
    at = start
    for line in text[start:end].splitlines(keepends=True):
        yield at, at + len(line)
        at += len(line)
