"""A text cut into pieces: every byte in exactly one leaf of the syntax tree or one named gap."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenscope_core.record.arrays import Ints
from tokenscope_core.syntax.grammar.categories import GAPS, words
from tokenscope_core.syntax.grammar.languages import Grammar
from tokenscope_core.syntax.grammar.levels import Levels, levels_of
from tokenscope_core.syntax.grammar.tree import NodeTable, parse
from tokenscope_core.syntax.time_budget import Budget

# Nodes whose own text has no leaf, in the grammars of `languages`: never a gap, even if blank.
CONTENT = words("""
    string string_content string_fragment string_literal raw_string raw_string_content
    raw_string_literal ansi_c_string interpreted_string_literal multiline_string_fragment
    template_string character_literal char_literal rune_literal regex regex_pattern heredoc_body
    heredoc_content format_specifier jsx_text comment line_comment block_comment doc_comment
    preproc_arg
""")
# What joins two lines, where the grammar has no leaf for it.
CONTINUATION = "line_continuation"
# What grammars pass over as space besides what Python strips from bytes.
_BLANK = " \t\r\n\f\v\x85\xa0\u1680\u2028\u2029\u202f\u205f\u2060\u200b\u3000\ufeff"
_RUN = re.compile(rb"\\(?:\r\n|[\r\n])|[\r\n]+|(?:[^\r\n\\]|\\(?![\r\n]))+")
_JOINED = re.compile(rb"\\(?:\r\n|[\r\n])")


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """P pieces in the order of the text, without holes and without overlap.

    `start` and `end` are bytes, int64 [P]. `levels` has a row a piece: `leaf` (the node kind, or
    "whitespace", "newline", "indentation", "line_continuation", "unparsed"), `category`,
    `statement`, `scope`, `function` (as in `levels`), `unit_start` and `unit_end` (bytes of the
    nearest whole statement around, the whole text where there is none), `error` (inside what could
    not be parsed).
    `missing` are the byte offsets at which the parser made up a token to go on, with its kind.
    `unit` and `body`, int64 [P], number the whole statements and the functions: equal for pieces in
    the same, whatever they are called, and -1 for those in none. `unread` are the bytes, from and
    to, of code that took too long to parse: of its pieces, a line each, nothing is known.
    """

    start: Ints
    end: Ints
    levels: pd.DataFrame
    missing: tuple[tuple[int, str], ...]
    unit: Ints
    body: Ints
    unread: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """The P pieces of a stretch of a text, in bytes of the whole text: `Pieces` without a table.

    `start`, `end`, `unit`, `body` are int64 [P], `columns` by name what `levels` holds, [P] each.

    A table takes a millisecond to make, however short, and an answer may have thousands of fences.
    """

    start: Ints
    end: Ints
    columns: dict[str, Sequence[str] | Ints | NDArray[np.bool_]]
    missing: tuple[tuple[int, str], ...]
    unit: Ints
    body: Ints
    unread: tuple[tuple[int, int], ...] = ()


def joined(parts: Sequence[Stretch]) -> Pieces:
    """The pieces of consecutive stretches, at least one."""
    kept = [part for part in parts if len(part.start)] or parts[:1]
    columns = {name: _column([part.columns[name] for part in kept]) for name in kept[0].columns}
    return Pieces(
        np.concatenate([part.start for part in kept]),
        np.concatenate([part.end for part in kept]),
        pd.DataFrame(columns),
        tuple(chain.from_iterable(part.missing for part in kept)),
        _numbered([part.unit for part in kept]),
        _numbered([part.body for part in kept]),
        tuple(chain.from_iterable(part.unread for part in kept)),
    )


def _column(parts: list[Sequence[str] | Ints | NDArray[np.bool_]]) -> object:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return pd.Series(list(chain.from_iterable(parts)), dtype="str")


def _numbered(parts: list[Ints]) -> Ints:
    """Numbers of parts as those of the whole; -1 stays."""
    first, found = 0, []
    for part in parts:
        found.append(np.where(part >= 0, part + first, -1))
        first += int(part.max(initial=-1)) + 1
    return np.concatenate(found)


def cut(text: bytes, grammar: Grammar) -> Pieces:
    """Parse a text, however long that takes, and cut it into pieces."""
    return joined([stretch(text, grammar, 0, Budget(math.inf))])


def stretch(text: bytes, grammar: Grammar, offset: int, budget: Budget) -> Stretch:
    """Parse a text and cut it into pieces. Time linear in its length, as a rule.

    Args:
        text: the code.
        grammar: of its language.
        offset: where in the whole text it begins, in bytes.
        budget: for the parser.

    Raises:
        OutOfTime: the parser takes longer than the budget allows.
    """
    nodes = parse(text, grammar, budget)
    return _stretch(nodes, levels_of(nodes, text, grammar), text, grammar.name, offset)


def _stretch(nodes: NodeTable, levels: Levels, text: bytes, language: str, offset: int) -> Stretch:
    starts: list[int] = []
    ends: list[int] = []
    rows: list[int] = []
    leaf: list[str] = []
    category: list[str] = []
    for start, end, row, name in _named_spans(nodes, text):
        starts.append(start)
        ends.append(end)
        rows.append(row)
        leaf.append(name or nodes.kind[row])
        if name == CONTINUATION:
            category.append("whitespace")
        else:
            category.append(name if name in GAPS else "error" if name else levels.category[row])
    at = np.array(rows, dtype=np.int64)
    unit = np.array(levels.unit, dtype=np.int64)[at] if len(at) else at
    node_start = np.array(nodes.start, dtype=np.int64)
    node_end = np.array(nodes.end, dtype=np.int64)
    columns: dict[str, Sequence[str] | Ints | NDArray[np.bool_]] = {
        "language": [language] * len(rows),
        "leaf": leaf,
        "category": category,
        "statement": [levels.statement[row] for row in rows],
        "scope": [levels.scope[row] for row in rows],
        "function": [levels.function[row] for row in rows],
        "unit_start": offset + np.where(unit >= 0, node_start[unit], 0),
        "unit_end": offset + np.where(unit >= 0, node_end[unit], len(text)),
        "error": np.array([nodes.in_error[row] for row in rows], dtype=np.bool_)
        | np.array([name == "unparsed" for name in leaf], dtype=np.bool_),
    }
    return Stretch(
        start=offset + np.array(starts, dtype=np.int64),
        end=offset + np.array(ends, dtype=np.int64),
        columns=columns,
        missing=tuple((offset + nodes.start[row], nodes.kind[row]) for row in nodes.missing),
        unit=unit,
        body=np.array([levels.body[row] for row in rows], dtype=np.int64),
    )


def _named_spans(nodes: NodeTable, text: bytes) -> Iterator[tuple[int, int, int, str]]:
    """(start, end, row, name) of each piece; the name is empty for what the node itself is."""
    for start, end, row in _spans(nodes, len(text)):
        kind = nodes.kind[row]
        if nodes.is_leaf(row) or kind in CONTENT:
            yield start, end, row, ""
            continue
        if not _is_blank(text[start:end]):
            yield start, end, row, "" if row and nodes.named[row] else "unparsed"
            continue
        for run in _RUN.finditer(text, start, end):
            at = run.start()
            if text[at : at + 1] == b"\\":
                name = CONTINUATION
            elif text[at : at + 1] in b"\r\n":
                name = "newline"
            elif at == 0 or text[at - 1 : at] in b"\r\n":
                name = "indentation"
            else:
                name = "whitespace"
            yield at, run.end(), row, name


def _is_blank(piece: bytes) -> bool:
    piece = _JOINED.sub(b"", piece)
    return not piece.strip() or not piece.decode("utf-8", "replace").strip(_BLANK)


def _spans(nodes: NodeTable, length: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, row): each byte with the innermost node around it, in order.

    Between two leaves the text belongs to the nodes that end there, then to the node that holds
    both, then to those that begin.
    """
    at = 0
    parent, start, end, last = nodes.parent, nodes.start, nodes.end, nodes.last
    for row in range(len(nodes)):
        # What lies before this node belongs to its parent.
        if start[row] > at:
            yield at, start[row], max(parent[row], 0)
            at = start[row]
        if last[row] != row:
            continue
        if end[row] > at:
            yield at, end[row], row
            at = end[row]
        # Going up from a last child: what is left of each node that ends here is its own.
        above = row
        while parent[above] >= 0 and last[parent[above]] == row:
            above = parent[above]
            if end[above] > at:
                yield at, end[above], above
                at = end[above]
    if length > at:
        yield at, length, 0
