"""Few places worth a look: what hindsight found, by lexeme, the clearest in each function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core.branches.hindsight import BREAKS, Hindsight
from tokenscope_core.branches.prefilter import in_prose
from tokenscope_core.record.arrays import Ints
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.folding.frames import analyse, labelling_pairs, syntax_frame
from tokenscope_core.syntax.grammar.categories import GAPS
from tokenscope_core.syntax.program import Program

# From how many nats on another token is worth a look; benchmarks/hindsight says what that finds.
DEFAULT_THRESHOLD = 8.0
PER_FUNCTION, PER_SCREEN = 3, 10


@dataclass(frozen=True, slots=True)
class Mark:
    """A place where the rest speaks for another token.

    `position` is the token's, `first` and `after` bound the lexeme that it is part of; `choice`,
    `rest` and `log_odds` are as in `Hindsight`, in nats; `function` is the dotted name of the
    function it stands in, empty outside of all; `line` is its line, from the number of the first.
    """

    position: int
    alternative_id: int
    choice: float
    rest: float
    first: int
    after: int
    function: str
    line: int

    @property
    def log_odds(self) -> float:
        """choice + rest, nats."""
        return self.choice + self.rest


def marks(
    trace: Trace | Program,
    found: Hindsight,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    per_function: int | None = PER_FUNCTION,
    most: int | None = PER_SCREEN,
    prose: bool = False,
) -> tuple[Mark, ...]:
    """The places worth a look, the clearest first: of the tokens of a lexeme the one with the
    largest log-odds.

    Args:
        trace: what was looked at.
        found: by `hindsight`. Alternatives that would break the syntax make no mark, and neither
            do gaps between lexemes.
        threshold: the least log-odds, nats.
        per_function: at most so many in a function; None is all.
        most: at most so many; None is all.
        prose: whether definition names, docstrings and comments are marked too.
    """
    program = Program.of(trace)
    frame = found.frame()
    frame = frame[(frame["log_odds"] >= threshold) & (found.breaks != BREAKS)]
    if frame.empty:
        return ()
    syntax = syntax_frame(program)
    left_out = syntax["category"].isin(GAPS).to_numpy(dtype=bool)
    if not prose:
        left_out = left_out | in_prose(program)
    frame = frame[~left_out[frame["position"].to_numpy()]]
    frame = frame.sort_values("log_odds", ascending=False, kind="stable")
    return tuple(_clearest(program, frame, syntax, per_function, most))


def _clearest(
    program: Program,
    frame: pd.DataFrame,
    syntax: pd.DataFrame,
    per_function: int | None,
    most: int | None,
) -> Iterator[Mark]:
    lexemes = lexeme_of(program)
    seen: set[int] = set()
    in_function: Counter[str] = Counter()
    for row in frame.to_dict("records"):
        position = int(row["position"])
        lexeme = int(lexemes[position])
        name = syntax["function"].iloc[position]
        function = name if isinstance(name, str) else ""
        full = per_function is not None and in_function[function] >= per_function
        if lexeme in seen or full:
            continue
        seen.add(lexeme)
        in_function[function] += 1
        first, after = np.searchsorted(lexemes, [lexeme, lexeme + 1])
        yield Mark(
            position=position,
            alternative_id=int(row["alternative_id"]),
            choice=float(row["choice"]),
            rest=float(row["rest"]),
            first=int(first),
            after=int(after),
            function=function,
            line=program.line_of(int(program.trace.byte_start[position])),
        )
        if len(seen) == most:
            return


def lexeme_of(program: Program) -> Ints:
    """The number of the lexeme that each token is part of, int64 [T], rising from 0: tokens side
    by side that are labelled by one piece of the text are one lexeme."""
    syntax = analyse(program)
    chosen = labelling_pairs(syntax.pieces, syntax.alignment)
    piece = np.full(len(program.trace), -1, dtype=np.int64)
    piece[syntax.alignment.token[chosen]] = syntax.alignment.piece[chosen]
    begins = (np.diff(piece, prepend=-2) != 0) | (piece < 0)
    return np.cumsum(begins) - 1
