"""Which tokens of two texts are the same: the fewest changes that lead from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from tokenscope_core.record.arrays import Ints

Kind = Literal["same", "changed", "only a", "only b"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Run:
    """Tokens `start_a` to `end_a` (exclusive) of a, facing `start_b` to `end_b` of b.

    `same`: equally many, with the same ids. `changed`: others stand there, on either side at least
    one. `only a`, `only b`: the other side has none.
    """

    kind: Kind
    start_a: int
    end_a: int
    start_b: int
    end_b: int


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Two token sequences laid side by side, in R rows and in runs.

    A row holds a pair of tokens, or a single one that faces nothing. In a changed run the tokens
    face each other in order; those the longer side has more are `only` its own. `kind` is a text
    [R]; `position_a` and `position_b` are int64 [R], -1 where that side has none, else ascending.
    """

    runs: tuple[Run, ...]
    kind: NDArray[np.str_]
    position_a: Ints
    position_b: Ints

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def shared_prefix(self) -> int:
        """How many tokens both begin with."""
        first = self.runs[0] if self.runs else None
        return first.end_a if first and first.kind == "same" else 0


def align(a: Sequence[int], b: Sequence[int]) -> Alignment:
    """Lay two sequences of token ids side by side.

    As few tokens as possible are changed, left out or put in (Levenshtein 1966), and what both
    begin and end with stays the same. Matching the longest block first, as difflib does, goes
    astray where a text repeats itself, which is what models do. 8,000 tokens of a text take some
    10 ms on one core.
    """
    opcodes = Levenshtein.opcodes(a, b)
    runs = []
    for same, group in groupby(opcodes, key=lambda opcode: opcode.tag == "equal"):
        parts = list(group)
        bounds = parts[0].src_start, parts[-1].src_end, parts[0].dest_start, parts[-1].dest_end
        runs.append(Run("same" if same else _difference(*bounds), *bounds))
    return _laid_out(tuple(runs))


def _difference(start_a: int, end_a: int, start_b: int, end_b: int) -> Kind:
    if start_b == end_b:
        return "only a"
    return "only b" if start_a == end_a else "changed"


def _laid_out(runs: tuple[Run, ...]) -> Alignment:
    kinds: list[Kind] = []
    columns: tuple[list[int], list[int]] = [], []
    for run in runs:
        count_a, count_b = run.end_a - run.start_a, run.end_b - run.start_b
        paired, longer = min(count_a, count_b), max(count_a, count_b)
        kinds += [run.kind] * paired
        kinds += ["only a" if count_a > count_b else "only b"] * (longer - paired)
        for column, start, count in (
            (columns[0], run.start_a, count_a),
            (columns[1], run.start_b, count_b),
        ):
            column += [*range(start, start + count), *[-1] * (longer - count)]
    kind = np.array(kinds, dtype=np.str_)
    position_a, position_b = (np.array(column, dtype=np.int64) for column in columns)
    for array in (kind, position_a, position_b):
        array.flags.writeable = False
    return Alignment(runs, kind, position_a, position_b)
