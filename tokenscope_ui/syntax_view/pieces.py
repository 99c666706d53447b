"""A program cut into pieces that a person points at: statements, lines, functions, or parts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from tokenscope_core import Trace
from tokenscope_core.caching import lru_cache
from tokenscope_core.record.arrays import Ints
from tokenscope_core.syntax.alignment import align
from tokenscope_core.syntax.folding.aggregation import Level
from tokenscope_core.syntax.folding.frames import Syntax
from tokenscope_core.syntax.folding.statements import statement_of_pieces
from tokenscope_core.syntax.grammar.pieces import Pieces
from tokenscope_core.syntax.program import line_ends

Kind = Literal["statement", "line", "function", "part"]


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A text in S spans without holes; one or more spans make up a piece.

    `start` and `end` are bytes, `piece` the index of each span's piece, all int64 [S]. `labels`
    names the pieces, in the order in which they begin.
    """

    start: Ints
    end: Ints
    piece: Ints
    labels: tuple[Hashable, ...]

    def __len__(self) -> int:
        return len(self.start)

    @property
    def place(self) -> Ints:
        """Which run of spans of the same piece each span is in, int64 [S], ascending."""
        return np.cumsum(np.diff(self.piece, prepend=self.piece[:1]) != 0, dtype=np.int64)

    def span_at(self, byte: int) -> int | None:
        """The span that holds a byte."""
        if not len(self) or not 0 <= byte < self.end[-1]:
            return None
        return int(np.searchsorted(self.end, byte, side="right"))

    def bounds(self, span: int) -> tuple[int, int]:
        """The bytes of the whole place that a span is in."""
        spans = np.flatnonzero(self.place == self.place[span])
        return int(self.start[spans[0]]), int(self.end[spans[-1]])

    def split(self, at: Sequence[int] | Ints) -> Cut:
        """The same pieces, their spans cut at further bytes."""
        inside = np.asarray(at, dtype=np.int64)
        inside = inside[(inside > 0) & (inside < self.end[-1])] if len(self) else inside[:0]
        ends = np.union1d(self.end, inside)
        starts = np.concatenate([[0], ends[:-1]]).astype(np.int64) if len(ends) else ends
        piece = self.piece[np.searchsorted(self.end, starts, side="right")]
        return replace(self, start=starts, end=ends, piece=piece)

    def as_syntax(self, trace: Trace) -> Syntax:
        """The pieces as a level of their own, under the name of "function", for `aggregate`."""
        levels = pd.DataFrame(
            {
                "function": self.piece, "leaf": "", "category": "", "error": False,
                "unit_start": self.start, "unit_end": self.end,
            }
        )  # fmt: skip
        pieces = Pieces(self.start, self.end, levels, (), self.piece, self.piece)
        return Syntax(trace, "", pieces, align(trace.byte_end, self.end))


@lru_cache(maxsize=16)
def cut(syntax: Syntax, kind: Kind, level: Level) -> Cut:
    """Cut a program into whole statements, lines or functions, or into the parts of a level.

    What belongs to which statement: see `statement_of_pieces`.
    """
    if kind == "line" or (kind == "part" and level == "line"):
        return _lines(syntax.trace)
    if kind == "statement":
        return _runs(syntax.pieces, statement_of_pieces(syntax), None)
    codes, names = pd.factorize(syntax.pieces.levels[level if kind == "part" else kind])
    return _runs(syntax.pieces, codes.astype(np.int64), names.tolist())


def _runs(pieces: Pieces, key: Ints, names: Sequence[Hashable] | None) -> Cut:
    """Neighbours of the same key as one span; pieces are numbered as they begin."""
    first = np.flatnonzero(np.diff(key, prepend=-1))
    last = np.append(first[1:], len(key))[: len(first)] - 1
    piece, keys = pd.factorize(key[first])
    labels = range(len(keys)) if names is None else [names[k] for k in keys.tolist()]
    return Cut(pieces.start[first], pieces.end[last], piece.astype(np.int64), tuple(labels))


def _lines(trace: Trace) -> Cut:
    ends = np.unique(np.append(line_ends(trace), len(trace.text_bytes)))
    ends = ends[ends > 0]
    starts = np.concatenate([[0], ends])[: len(ends)].astype(np.int64)
    return Cut(starts, ends, np.arange(len(ends)), tuple(range(1, len(ends) + 1)))
