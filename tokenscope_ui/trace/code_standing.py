"""A program that grows: whether it can still become valid, what would break it, and what each place
stands in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tokenscope_core import Trace
from tokenscope_core.display.formatting import ABLE, UNABLE
from tokenscope_core.syntax.documents.detection import Detected
from tokenscope_core.syntax.documents.texts import language_label
from tokenscope_core.syntax.judging.scopes import Scope, open_at_end, scopes_of
from tokenscope_core.syntax.judging.validity import (
    Standing,
    breaking_pieces,
    standing_at,
    standings,
    validity,
)
from tokenscope_core.syntax.program import Program
from tokenscope_ui.trace.programs import program_of

BROKE = "the code breaks here: nothing that could follow makes it valid"
# Best first, for sorting.
STANDING_WORDS: dict[Standing, str] = {
    "complete": "valid as it is",
    "unfinished": ABLE,
    "broken": UNABLE,
}
_VERDICTS = {1: ABLE, 0: UNABLE}
_ENDS_REMEMBERED = 1_000
_at_end: OrderedDict[bytes, tuple[Standing | None]] = OrderedDict()


def known_language(program: Program) -> Detected | None:
    """The language a program is judged in; None where it is in none that we know."""
    return program.detected if program.detected.known else None


def read_as(found: Detected) -> str:
    """The language in words, with how sure it is."""
    return f"{language_label(found.language)}, {found.certainty}"


def breaks(program: Program) -> tuple[int, ...]:
    """The positions of the tokens at which code broke; empty where no language is known."""
    return tuple(broken.position for broken in validity(program).breaks)


def at_end(trace: Trace) -> Standing | None:
    """How all of a trace's code stands; of several fences the worst. None where there is no code
    in a known language, or where reading it took too long."""
    # Remembered apart, since a tree may have more branches than memory has room for programs.
    known = _at_end.get(trace.content)
    if known is not None:
        return known[0]
    verdicts = standings(program_of(trace))
    # What took too long to read may be worse than all the others.
    read = [verdict for verdict in verdicts if verdict is not None]
    settled = len(read) == len(verdicts) or "broken" in read
    worst = _worst(read) if read and settled else None
    _at_end[trace.content] = (worst,)
    # Several threads may be here: one step each.
    if len(_at_end) > _ENDS_REMEMBERED:
        _at_end.popitem(last=False)
    return worst


def _worst(verdicts: Sequence[Standing]) -> Standing:
    return max(verdicts, key=list(STANDING_WORDS).index)


def broken_since(program: Program, position: int) -> int | None:
    """The token at which the code that a position is in was broken, at or before it."""
    if validity(program).completable[position] != 0:
        return None
    return max((broke for broke in breaks(program) if broke <= position), default=None)


def takes_too_long(program: Program, position: int) -> bool:
    """Whether a position is in code that was not judged because reading it takes too long."""
    part = program.part_at(int(program.trace.byte_start[position]))
    return part is not None and part.region.start in validity(program).given_up


def standing(program: Program, position: int) -> Standing | None:
    """How the code stands up to the end of a token; None outside of code in a known language."""
    if validity(program).completable[position] < 0:
        return None
    if broken_since(program, position) is not None:
        return "broken"
    return standing_at(program, position)


def would_break(program: Program, position: int, text: bytes) -> bool | None:
    """Whether a text in place of a token would break the code; None where it is not judged."""
    return breaking_pieces(program, position, [text])[0]


def scopes(program: Program, position: int | None) -> tuple[Scope, ...]:
    """What a token stands in, the outermost first; at None what the end leaves open."""
    return open_at_end(program) if position is None else scopes_of(program, position)


def ends_of(trace: Trace, scope: Scope) -> tuple[int, ...]:
    """The tokens in which a scope begins and, as far as it is written, ends."""
    last = [] if scope.end is None else [scope.end - 1]
    ends = np.searchsorted(trace.byte_end, [scope.start, *last], side="right")
    return tuple(ends.tolist())


def verdict_runs(program: Program) -> pd.DataFrame:
    """Runs of positions of the same verdict: `first`, `after` (the one after the run), `verdict`.

    Positions outside of code, and all of a text in no known language, are in none.
    """
    values = validity(program).completable.astype(np.int64)
    first = np.flatnonzero(np.diff(values, prepend=-2))
    after = np.append(first[1:], len(values))[: len(first)]
    runs = pd.DataFrame({"first": first, "after": after, "value": values[first]})
    runs["verdict"] = runs["value"].map(_VERDICTS)
    return runs.dropna(subset="verdict")[["first", "after", "verdict"]].reset_index(drop=True)


def line_of(trace: Trace, byte: int) -> int:
    """The line that a byte is on."""
    return program_of(trace).line_of(byte)
