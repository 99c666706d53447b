"""Whether a trace's code could still become valid, position by position, and where it broke.

What "valid" means is the grammar's word, and for Python that of its rules of lines and indentation
too. A grammar is more lenient than a compiler: `i, -= 1`, `014`, `return**2` or a `return` outside
of functions pass. Measured on excerpts of Python 3.11's standard library, with CPython's parser as
the judge (`python -m benchmarks.syntax --judge --texts 250`): of 238,207 prefixes of valid code,
cut anywhere, none was called broken; of 157 texts with one token changed CPython took 79, none of
them called broken, and refused 78, all found, 61 at the changed token or the next.
In C and C++ a macro may stand for anything, which no grammar knows: where one may be the reason,
nothing is said. Of 59 headers of working programs none is called broken, and 37 are not judged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.errors import RequestError
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.documents.regions import CodeRegion
from tokenscope_core.syntax.documents.texts import MARKDOWN
from tokenscope_core.syntax.grammar import macros
from tokenscope_core.syntax.grammar.languages import ROWS, grammar
from tokenscope_core.syntax.grammar.tree import has_errors
from tokenscope_core.syntax.program import Part, Program
from tokenscope_core.syntax.time_budget import Budget, OutOfTime
from tokenscope_core.syntax.unfinished.prefixes import reach

Standing = Literal["complete", "unfinished", "broken"]
_STATEMENT = b"\npass\n"
# Tokens read at once: more where much is kept, be it ten thousand open brackets, since all of that
# is read with each run. A run that fails, which takes twenty times as long, is read in such parts.
_RUN, _BYTES_PER_TOKEN = 64, 32
_PARTS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Break:
    """A token after which a piece of code could no longer become valid.

    `position` is the token's; `byte_start` and `byte_end` the bytes of the code up to its end.
    """

    position: int
    byte_start: int
    byte_end: int


@dataclass(frozen=True, slots=True, eq=False)
class Validity:
    """For each of T positions whether the text up to it could still become valid code.

    `completable` is int8 [T]: 1 it can, 0 it cannot whatever follows, -1 where the question makes
    no sense (prose, code in a language without a grammar) and where reading took too long. A token
    of no bytes, or of none that are code, changes nothing. `breaks` has at most one entry for a
    text, one a region for Markdown; `given_up` are the `start` of the regions that were not read
    to the end, `preprocessed` those of the regions of C and C++ that are not judged further, since
    a macro or a condition may be what the grammar cannot parse.
    """

    completable: NDArray[np.int8]
    breaks: tuple[Break, ...]
    given_up: tuple[int, ...] = ()
    preprocessed: tuple[int, ...] = ()


def validity(trace: Trace | Program, language: str | None = None) -> Validity:
    """Read a trace, a run of tokens at a time, and token by token where it breaks.

    Linear in the length: some 10 microseconds a token of valid Python. What takes longer than its
    `Budget` is given up.

    Args:
        trace: any; a `Program` remembers what it comes to.
        language: one of `LANGUAGES`, or "markdown": each fenced region is judged by itself, its
            end as a place where the code could still go on; "text" is not judged. None: see
            `language_of`.

    Raises:
        RequestError: no such language.
    """
    program = Program.of(trace, language)
    return program.once("validity", lambda: _validity(program))


def _validity(program: Program) -> Validity:
    trace = program.trace
    verdicts = np.full(len(trace), -1, dtype=np.int8)
    breaks: list[Break] = []
    given_up: list[int] = []
    preprocessed: list[int] = []
    budget = Budget.of(trace.text_bytes)
    for part in program.parts:
        region = part.region
        inside = (trace.byte_end > region.start) & (trace.byte_start < region.end)
        inside |= trace.special & (trace.byte_start >= region.start)
        inside &= trace.byte_start <= region.end
        positions = np.flatnonzero(inside)
        ends = region.in_code(trace.byte_end[positions]).tolist()
        viable, judged = _viable_tokens(part, ends, budget.share())
        verdicts[positions[:viable]] = 1
        if not judged:
            given_up.append(region.start)
        elif viable < len(positions) and _preprocessed(part, ends[viable - 1] if viable else 0):
            preprocessed.append(region.start)
        elif viable < len(positions):
            verdicts[positions[viable:]] = 0
            position = int(positions[viable])
            end = min(int(trace.byte_end[position]), region.end)
            breaks.append(Break(position, region.start, end))
    return Validity(verdicts, tuple(breaks), tuple(given_up), tuple(preprocessed))


def _preprocessed(part: Part, at: int, code: bytes | None = None) -> bool:
    """Whether the preprocessor may be why a code, or another in its place, breaks at a byte."""
    code = part.code if code is None else code
    return ROWS[part.language].preprocessed and macros.may_explain(code, at)


def _viable_tokens(part: Part, ends: Sequence[int], budget: Budget) -> tuple[int, bool]:
    """How many of consecutive tokens can be read before the text is broken, and whether that is
    known: not where it took too long.

    What can be completed could be completed before: only a run that fails is read again, in parts.

    Args:
        part: the code.
        ends: where in it each token ends, the first beginning with it.
        budget: for all of them.
    """
    text = part.prefixes.read(0, budget)
    at, failed, run = 0, 0, 1
    while at < len(ends):
        if at >= failed:
            run = max(_RUN, text.remembered_bytes // _BYTES_PER_TOKEN)
        end = min(at + run, len(ends))
        before = text.copy()
        try:
            viable = text.feed(part.code[ends[at - 1] if at else 0 : ends[end - 1]])
        except OutOfTime:
            return at, False
        if viable:
            at = end
            part.prefixes.remember(ends[end - 1], text)
        elif end - at == 1:
            return at, True
        else:
            text, failed, run = before, end, max(1, (end - at) // _PARTS)
    return at, True


def standing(text: bytes, language: str, budget: Budget | None = None) -> Standing | None:
    """Whether a code in one of `LANGUAGES` is complete, could become it, or cannot any more.

    None where reading it took longer than the budget, `Budget.of` the text unless one is given,
    and where a macro may explain what is broken.
    """
    part = Part.of(CodeRegion.whole(0, len(text), language, closed=False), text)
    return _standing(part, len(part.code), budget or Budget.of(text))


def _standing(part: Part, end: int, budget: Budget) -> Standing | None:
    """The standing of a code up to a byte of it."""
    read, text = grammar(part.language), part.code[:end]
    try:
        growing = part.prefixes.read(end, budget)
        if not growing.viable:
            at = reach(text, read, budget) if ROWS[part.language].preprocessed else 0
            return None if _preprocessed(part, at, text) else "broken"
        # tree-sitter takes `def f():` for whole. It is if a statement at the margin may follow.
        if part.language == "python" and not growing.feed(_STATEMENT):
            return "unfinished"
        return "unfinished" if has_errors(text, read, budget) else "complete"
    except OutOfTime:
        return None


def standings(trace: Trace | Program, language: str | None = None) -> tuple[Standing | None, ...]:
    """The `standing` of each stretch of code of a trace in a known language, in order."""
    program = Program.of(trace, language)
    return program.once("standings", lambda: _standings(program))


def _standings(program: Program) -> tuple[Standing | None, ...]:
    read = validity(program)
    # From here on: the time that validity took is its own.
    budget = Budget.of(program.trace.text_bytes)
    broken = {found.byte_start for found in read.breaks}
    unknown = {*read.given_up, *read.preprocessed}
    found: list[Standing | None] = []
    for part in program.parts:
        if part.region.start in broken:
            found.append("broken")
        elif part.region.start in unknown:
            found.append(None)
        else:
            found.append(_standing(part, len(part.code), budget.share()))
    return tuple(found)


def standing_at(
    trace: Trace | Program, position: int, language: str | None = None
) -> Standing | None:
    """The standing of a trace's code up to the end of a token, inside its fence for Markdown.

    None where the question makes no sense (prose, a fence's own line, an unknown language) and
    where reading took too long.
    """
    program = Program.of(trace, language)
    return program.once(("standing", position), lambda: _standing_at(program, position))


def _standing_at(program: Program, position: int) -> Standing | None:
    part = program.part_at(int(program.trace.byte_start[position]))
    if part is None:
        return None
    end = int(part.region.in_code(program.trace.byte_end[[position]])[0])
    return _standing(part, end, Budget.of(part.code[:end]))


def breaking_candidates(
    trace: Trace | Program, position: int, language: str | None = None
) -> tuple[bool | None, ...]:
    """Which candidates at a position would make the code impossible to complete.

    One entry a candidate, in their order, as in `breaking_pieces`; None, too, for a special token
    and where no candidate is recorded.

    Args:
        trace: any.
        position: of the token the candidates stand for.
        language: as in `validity`.

    Raises:
        RequestError: no such position or language.
    """
    program = Program.of(trace, language)
    trace = program.trace
    _check(trace, position)
    special, table = trace.vocabulary.special_ids, trace.vocabulary.token_bytes
    pieces = [
        None if token_id < 0 or token_id in special else table[token_id]
        for token_id in trace.candidate_ids[position].tolist()
    ]
    return breaking_pieces(program, position, pieces)


def breaking_pieces(
    trace: Trace | Program,
    position: int,
    pieces: Sequence[bytes | None],
    language: str | None = None,
) -> tuple[bool | None, ...]:
    """Which texts, put in place of a token, would make the code impossible to complete.

    Some 50 ms for 20 pieces at 2,000 tokens, most of it for those that break it. One entry a piece:
    True it would, False it would not, None where that makes no sense (no piece given, prose, a
    fence's own marks, code broken already), where it depends on what a line becomes that has only
    begun, and for those that there was not time enough to try.

    Raises:
        RequestError: no such position or language.
    """
    program, wanted = Program.of(trace, language), tuple(pieces)
    _check(program.trace, position)
    return program.once(
        ("breaking", position, wanted), lambda: _breaking(program, position, wanted)
    )


def _breaking(
    program: Program, position: int, pieces: tuple[bytes | None, ...]
) -> tuple[bool | None, ...]:
    trace = program.trace
    place = trace.byte_start[[position]]
    at = int(place[0])
    part = program.part_at(at, end_included=True)
    found: list[bool | None] = [None] * len(pieces)
    if part is None:
        return tuple(found)
    fence = b"`" if program.language == MARKDOWN else None
    with contextlib.suppress(OutOfTime):
        end = int(part.region.in_code(place)[0])
        text = part.prefixes.read(end, Budget.of(trace.text_bytes[:at]))
        for number, piece in enumerate(pieces if text.viable else ()):
            if piece is None or (fence and piece.lstrip().startswith(fence)):
                continue
            code = part.region.piece(at, piece)
            if code is None:
                continue
            allowed = text.allows(code)
            if allowed or not _preprocessed(part, end, part.code[:end] + code):
                found[number] = not allowed
    return tuple(found)


def _check(trace: Trace, position: int) -> None:
    if not 0 <= position < len(trace):
        raise RequestError(
            asked=f"The candidates at position {position} were asked for.",
            found=f"The trace has positions 0 to {len(trace) - 1}.",
            action="Ask for one of those.",
        )
