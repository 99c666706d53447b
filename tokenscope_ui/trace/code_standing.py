"""A trace as code that grows: whether it can still become valid, what would break it, and what
each place stands in. What the pages ask for at every rerun is computed once."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tokenscope_core import Trace
from tokenscope_core.record.steps import Ints
from tokenscope_core.syntax.documents.detection import Detected, language_of, regions
from tokenscope_core.syntax.documents.texts import language_label
from tokenscope_core.syntax.folding.frames import line_ends
from tokenscope_core.syntax.judging import scopes
from tokenscope_core.syntax.judging import validity as core
from tokenscope_core.syntax.judging.scopes import Scope
from tokenscope_core.syntax.judging.validity import Standing, Validity
from tokenscope_core.syntax.time_budget import Budget
from tokenscope_ui.drawing.formatting import ABLE, UNABLE

BROKE = "the code breaks here: nothing that could follow makes it valid"
# Best first, for sorting.
STANDING_WORDS: dict[Standing, str] = {
    "complete": "valid as it is",
    "unfinished": ABLE,
    "broken": UNABLE,
}
_VERDICTS = {1: ABLE, 0: UNABLE}
_ENDS_REMEMBERED = 1_000
_at_end: OrderedDict[str, tuple[Standing | None]] = OrderedDict()


def known_language(trace: Trace) -> Detected | None:
    """The language a trace is judged in; None where it is in none that we know."""
    found = language_of(trace)
    return found if found.known else None


def read_as(found: Detected) -> str:
    """The language in words, with how sure it is."""
    return f"{language_label(found.language)}, {found.certainty}"


@functools.lru_cache(maxsize=16)
def validity(trace: Trace, language: str) -> Validity:
    """`validity` of the core, remembered."""
    return core.validity(trace, language)


@functools.lru_cache(maxsize=16)
def breaks(trace: Trace) -> tuple[int, ...]:
    """The positions of the tokens at which code broke; empty where no language is known."""
    found = known_language(trace)
    if found is None:
        return ()
    return tuple(broken.position for broken in validity(trace, found.language).breaks)


def at_end(trace: Trace) -> Standing | None:
    """How all of a trace's code stands; of several fences the worst. None where there is no code
    in a known language, or where reading it took too long."""
    # Remembered by key, since a tree may have more branches than memory has room for traces.
    known = _at_end.get(trace.key)
    if known is not None:
        return known[0]
    found = known_language(trace)
    parts = () if found is None else regions(trace, found.language)
    budget = Budget.of(trace.text_bytes)
    verdicts = [
        core.standing(r.code(trace.text_bytes), r.language or "", budget.share()) for r in parts
    ]
    # What took too long to read may be worse than all the others.
    read = [verdict for verdict in verdicts if verdict is not None]
    settled = len(read) == len(verdicts) or "broken" in read
    worst = _worst(read) if read and settled else None
    _at_end[trace.key] = (worst,)
    # Several threads may be here: one step each.
    if len(_at_end) > _ENDS_REMEMBERED:
        _at_end.popitem(last=False)
    return worst


def _worst(verdicts: Sequence[Standing]) -> Standing:
    return max(verdicts, key=list(STANDING_WORDS).index)


def broken_since(trace: Trace, position: int) -> int | None:
    """The token at which the code that a position is in was broken, at or before it."""
    found = known_language(trace)
    if found is None or validity(trace, found.language).completable[position] != 0:
        return None
    return max((broke for broke in breaks(trace) if broke <= position), default=None)


def takes_too_long(trace: Trace, position: int) -> bool:
    """Whether a position is in code that was not judged because reading it takes too long."""
    found = known_language(trace)
    if found is None or not (given_up := validity(trace, found.language).given_up):
        return False
    at = int(trace.byte_start[position])
    code = regions(trace, found.language)
    return any(region.start in given_up and region.start <= at < region.end for region in code)


@functools.lru_cache(maxsize=64)
def standing_at(trace: Trace, position: int) -> Standing | None:
    """How the code stands up to the end of a token; None outside of code in a known language."""
    found = known_language(trace)
    if found is None or validity(trace, found.language).completable[position] < 0:
        return None
    if broken_since(trace, position) is not None:
        return "broken"
    return core.standing_at(trace, position, found.language)


@functools.lru_cache(maxsize=64)
def breaking(trace: Trace, position: int) -> tuple[bool | None, ...]:
    """Which candidates at a position would break the code; None for each that is not judged."""
    found = known_language(trace)
    if found is None:
        return (None,) * int(trace.candidate_ids.shape[1])
    return core.breaking_candidates(trace, position, found.language)


@functools.lru_cache(maxsize=64)
def would_break(trace: Trace, position: int, text: bytes) -> bool | None:
    """Whether a text in place of a token would break the code; None where it is not judged."""
    found = known_language(trace)
    if found is None:
        return None
    return core.breaking_pieces(trace, position, [text], found.language)[0]


@functools.lru_cache(maxsize=64)
def scopes_of(trace: Trace, position: int | None) -> tuple[Scope, ...]:
    """What a token stands in, the outermost first; at None what the end leaves open."""
    found = known_language(trace)
    if found is None:
        return ()
    if position is None:
        return scopes.open_at_end(trace, found.language)
    return scopes.scopes_of(trace, position, found.language)


def ends_of(trace: Trace, scope: Scope) -> tuple[int, ...]:
    """The tokens in which a scope begins and, as far as it is written, ends."""
    last = [] if scope.end is None else [scope.end - 1]
    return tuple(_token_at(trace, byte) for byte in (scope.start, *last))


def _token_at(trace: Trace, byte: int) -> int:
    return int(np.searchsorted(trace.byte_end, byte, side="right"))


def verdict_runs(trace: Trace) -> pd.DataFrame:
    """Runs of positions of the same verdict: `first`, `after` (the one after the run), `verdict`.

    Positions outside of code, and all of a text in no known language, are in none.
    """
    found = known_language(trace)
    completable: Sequence[int] | np.ndarray = []
    if found is not None:
        completable = validity(trace, found.language).completable
    values = np.asarray(completable, dtype=np.int64)
    first = np.flatnonzero(np.diff(values, prepend=-2))
    after = np.append(first[1:], len(values))[: len(first)]
    runs = pd.DataFrame({"first": first, "after": after, "value": values[first]})
    runs["verdict"] = runs["value"].map(_VERDICTS)
    return runs.dropna(subset="verdict")[["first", "after", "verdict"]].reset_index(drop=True)


def line_of(trace: Trace, byte: int) -> int:
    """The line that a byte is on."""
    return 1 + int(np.searchsorted(_line_ends(trace), byte, side="right"))


@functools.lru_cache(maxsize=16)
def _line_ends(trace: Trace) -> Ints:
    return line_ends(trace)
