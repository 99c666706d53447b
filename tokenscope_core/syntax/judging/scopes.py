"""What a place in a program stands in, and where each of these is expected to end.

From the tree alone: an end that is written is known; of what is still open, the tree says what
must come for it to end, not when.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.documents.regions import CodeRegion
from tokenscope_core.syntax.grammar.categories import CategoryMap, words
from tokenscope_core.syntax.grammar.languages import Grammar, grammar
from tokenscope_core.syntax.grammar.levels import ANONYMOUS, scope_name
from tokenscope_core.syntax.program import Part, Program
from tokenscope_core.syntax.unfinished.completion import Completed, completed

Certainty = Literal["certain", "likely", "weak"]
Kind = Literal["scope", "bracket", "string", "comment"]

_PAIRS = {"(": ")", "[": "]", "{": "}"}
_STRINGS = words("""
    string string_literal raw_string raw_string_literal interpreted_string_literal
    template_string character_literal char_literal rune_literal
""")
_COMMENTS = frozenset(["comment", "line_comment", "block_comment"])


@dataclass(frozen=True, slots=True)
class Scope:
    """Something that begins at byte `start` and is not over at the place asked about.

    `name` is what to call it ("function fib", "if", "(", "string"). `end` is the byte after it,
    None where the text ends before; `needs` is what must be written for it to end, "" where a
    line further out, or nothing at all, is enough. `certainty`: "certain" where the tree has the
    end, or shows that the text does not reach it; "likely" where the end of the text could not be
    read; "weak" in code that is broken. `reason` says why, as a clause.
    """

    kind: Kind
    name: str
    start: int
    end: int | None
    needs: str
    certainty: Certainty
    reason: str


def scopes_at(text: bytes, at: int, language: str) -> tuple[Scope, ...]:
    """The scopes, brackets, strings and comments that hold the byte `at`, the outermost first.

    At the end of the text, or in blank space, those which the last word before leaves open.

    Raises:
        RequestError: no such language.
    """
    read = grammar(language)
    done = completed(text, read)
    at = min(at, len(text))
    place = len(text[: at + 1].rstrip()) - 1
    if place < 0:
        return ()
    found = _on_the_way(done, place, text, read)
    return tuple(scope for scope in found if scope.end is None or scope.end > at)


def scopes_of(
    trace: Trace | Program, position: int, language: str | None = None
) -> tuple[Scope, ...]:
    """The scopes around the last byte of a token, the outermost first; see `scopes_at`.

    Bytes are those of the trace's text. Empty in prose and in code of an unknown language.
    """
    program = Program.of(trace, language)
    trace = program.trace
    at = max(int(trace.byte_start[position]), int(trace.byte_end[position]) - 1)
    return program.once(("scopes", at), lambda: _scopes(program.part_at(at), at))


def open_at_end(trace: Trace | Program, language: str | None = None) -> tuple[Scope, ...]:
    """What the end of a trace's text leaves open, the outermost first."""
    program = Program.of(trace, language)
    end = len(program.trace.text_bytes)
    last = next((part for part in program.parts if part.region.end == end), None)
    return program.once("open at end", lambda: _scopes(last, end))


def _scopes(part: Part | None, at: int) -> tuple[Scope, ...]:
    """The scopes around a byte of the text, in bytes of it."""
    if part is None:
        return ()
    place = int(part.region.in_code(np.array([at]))[0])
    return _in_text(scopes_at(part.code, place, part.language), part.region)


def _in_text(scopes: Sequence[Scope], region: CodeRegion) -> tuple[Scope, ...]:
    """Scopes of a region's code, in bytes of the text."""
    starts = region.starts_in_text(np.array([scope.start for scope in scopes], dtype=np.int64))
    ends = region.ends_in_text(np.array([scope.end or 0 for scope in scopes], dtype=np.int64))
    return tuple(
        replace(scope, start=start, end=None if scope.end is None else end)
        for scope, start, end in zip(scopes, starts.tolist(), ends.tolist(), strict=True)
    )


def _on_the_way(done: Completed, place: int, text: bytes, read: Grammar) -> Iterator[Scope]:
    nodes, table = done.nodes, read.categories
    row: int | None = 0
    around: Scope | None = None  # the scope whose own braces the next ones may be
    while row is not None:
        scope = None if table is None else _scope(row, done, text, table)
        if scope is not None:
            yield scope
            around = scope
        below = None
        opener: int | None = None
        for child in nodes.children(row):
            if nodes.start[child] > place:
                break
            kind = nodes.kind[child]
            if nodes.is_leaf(child) and kind[-1:] in _PAIRS:
                opener = child
            elif opener is not None and kind == _PAIRS[nodes.kind[opener][-1:]]:
                opener = opener if nodes.end[child] > place else None
            if nodes.end[child] > place:
                below = child
        if opener is not None:
            bracket = _bracket(row, opener, done)
            if around is None or bracket.name != "{" or not _is_body(bracket, around):
                yield bracket
            around = None
        row = below


def _scope(row: int, done: Completed, text: bytes, table: CategoryMap) -> Scope | None:
    nodes = done.nodes
    kind = nodes.kind[row]
    if kind in _STRINGS and not nodes.is_leaf(row):
        return _quoted(row, done, text)
    if kind in _STRINGS or kind in _COMMENTS:
        return _token(row, done, text)
    label = table.scopes.get(kind)
    if label is None or not nodes.named[row]:
        return None
    name = scope_name(row, nodes, text, table)
    called = label if name in (None, ANONYMOUS) else f"{label} {name}"
    closer = nodes.last[row]
    around = nodes.parent[closer]
    braced = nodes.kind[closer] == "}" and row in (around, nodes.parent[around])
    return _made("scope", called, row, closer, "}" if braced else "", done, text)


def _made(
    kind: Kind, name: str, row: int, closer: int, needs: str, done: Completed, text: bytes
) -> Scope:
    """A scope that a node spans; `closer` is the row of what ends it."""
    nodes = done.nodes
    end: int | None = nodes.end[row]
    if needs:
        over = nodes.end[closer] <= done.length and closer not in nodes.missing
    else:  # a block of lines: over where something else follows
        over = nodes.end[row] < done.length and bool(text[nodes.end[row] :].strip())
    if not over:
        end = None
    certainty, reason = _sureness(row, done, written=over)
    return Scope(kind, name, nodes.start[row], end, "" if over else needs, certainty, reason)


def _sureness(row: int, done: Completed, *, written: bool) -> tuple[Certainty, str]:
    if done.nodes.in_error[row]:
        return "weak", "the code around it cannot be parsed"
    if written:
        return "certain", "its end is in the text"
    if not done.viable:
        return "weak", "the code is broken further on or here"
    if not done.whole:
        return "likely", "the end of the text could not be read"
    return "certain", "the text ends before it"


def _quoted(row: int, done: Completed, text: bytes) -> Scope:
    """A string with its quotes in the tree."""
    nodes = done.nodes
    children = list(nodes.children(row))
    first, last = children[0], children[-1]
    mark = text[nodes.start[first] : nodes.end[first]].decode("utf-8", "replace")
    needs = mark.lstrip("bBfFrRuUtTlL8@$") or mark
    alone = nodes.kind[nodes.parent[row]] == "expression_statement"
    name = "docstring" if alone and len(needs) == 3 else "string"
    return _made("string", name, row, last, needs, done, text)


def _token(row: int, done: Completed, text: bytes) -> Scope:
    """A string or comment that is one token."""
    nodes = done.nodes
    begun = text[nodes.start[row] : nodes.start[row] + 3]
    if nodes.kind[row] in _COMMENTS:
        needs = "*/" if begun.startswith(b"/*") else "\n"
        return _made("comment", "comment", row, row, needs, done, text)
    return _made("string", "string", row, row, begun[:1].decode("ascii", "replace"), done, text)


def _is_body(bracket: Scope, scope: Scope) -> bool:
    """Whether a brace is that of a function or block, which has been named already."""
    return (bracket.end, bracket.needs) == (scope.end, scope.needs) and scope.kind == "scope"


def _bracket(row: int, opener: int, done: Completed) -> Scope:
    """The bracket that is open in a node."""
    nodes = done.nodes
    needs = _PAIRS[nodes.kind[opener][-1:]]
    closer = next(
        (c for c in nodes.children(row) if c > opener and nodes.kind[c] == needs
         and c not in nodes.missing and nodes.end[c] <= done.length),
        None,
    )  # fmt: skip
    certainty, reason = _sureness(row, done, written=closer is not None)
    end = None if closer is None else nodes.end[closer]
    return Scope(
        "bracket", nodes.kind[opener], nodes.start[opener], end, needs if end is None else "",
        certainty, reason,
    )  # fmt: skip
