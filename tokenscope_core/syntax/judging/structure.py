"""What a program's structure gives away while it is written: names nobody has defined (Python).

From the visible text alone, so each mark says how sure it is. A name that a prompt leaves out, or
that a later line will define, looks the same as one the model made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from tokenscope_core.caching import lru_cache
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.counted import counted_tokens
from tokenscope_core.syntax.documents.regions import CodeRegion
from tokenscope_core.syntax.grammar.languages import grammar
from tokenscope_core.syntax.grammar.layout import PythonLayout
from tokenscope_core.syntax.grammar.maps.python import BUILTINS
from tokenscope_core.syntax.grammar.names import Names, Use, names_of
from tokenscope_core.syntax.grammar.tree import NodeTable
from tokenscope_core.syntax.program import Program
from tokenscope_core.syntax.unfinished.completion import Completed, completed

Finding = Literal["call of an unknown name", "unknown name", "used before it is defined"]
Certainty = Literal["likely", "possible", "weak"]

PYTHON = "python"
_IMPLICIT = re.compile(r"__\w+__|_")
_REFLECTION = frozenset(["exec", "globals", "locals", "vars", "setattr", "eval"])
_CAUGHT = frozenset([b"NameError", b"UnboundLocalError"])
_LATER = frozenset(["function_definition", "lambda"])
_LOOPS = frozenset(["for_statement", "while_statement"])


@dataclass(frozen=True, slots=True)
class NameMark:
    """A name at bytes `start` to `end` for which the visible text has no definition.

    `certainty`: "likely" where the code runs as it is read and nothing hides a definition;
    "possible" where what is still to come could bring one; "weak" where a star import, reflection
    or a syntax error nearby could explain it. `reason` says which, as a clause.
    """

    start: int
    end: int
    name: str
    finding: Finding
    certainty: Certainty
    reason: str


@dataclass(frozen=True, slots=True)
class Known:
    """What other code of the same text brings: names it binds, those that code further on binds,
    and whether a star import is among it."""

    names: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    star_import: bool = False


@lru_cache(maxsize=32)
def name_marks(text: bytes, known: Known = Known()) -> tuple[NameMark, ...]:
    """The marks of a Python text, finished or not, in order.

    An unfinished text is read as if it were finished (see `completion`). A name that what follows
    may yet bind or go on to spell is not judged: the last one of the text, one inside a bracket
    that is open, and one that may become the target of an assignment. Nor is one whose NameError
    the code itself catches.

    Args:
        text: the code.
        known: what other code brings with it.
    """
    done = completed(text, grammar(PYTHON))
    names = names_of(done.nodes, text)
    last, statements = _last_line(text), _statements(done.nodes)
    return tuple(
        mark
        for use, mark in _marks(names, done, _caught(done.nodes, text), known)
        if not done.viable or last.judges(use, done.nodes, statements)
    )


def _bound(text: bytes) -> Known:
    """What a Python text brings to those after it."""
    names = names_of(completed(text, grammar(PYTHON)).nodes, text)
    return Known(frozenset(names.scopes[0].bound), star_import=names.star_import)


def mark_frame(
    trace: Trace | Program, language: str | None = None, *, generated_only: bool = True
) -> pd.DataFrame:
    """The marks of a trace's Python code, one row a mark.

    Columns: `position` (of the token in which the name begins), `byte_start`, `byte_end`, `name`,
    `finding`, `certainty`, `reason`. Definitions in the prompt count, and those of a fence in the
    fences after it; marks in the prompt only when asked, or where nothing was generated.

    Args:
        trace: any.
        language: as in `validity`; there are no marks where nothing in it is Python.
        generated_only: leave out the marks in the prompt.

    Raises:
        RequestError: no such language.
    """
    program = Program.of(trace, language)
    trace, found = program.trace, []
    for region, code, known in _python_of(program):
        marks = name_marks(code, known)
        starts = region.starts_in_text(np.array([mark.start for mark in marks], dtype=np.int64))
        ends = region.ends_in_text(np.array([mark.end for mark in marks], dtype=np.int64))
        found += [
            replace(mark, start=start, end=end)
            for mark, start, end in zip(marks, starts.tolist(), ends.tolist(), strict=True)
        ]
    table = pd.DataFrame(
        [asdict(mark) for mark in found],
        columns=["start", "end", "name", "finding", "certainty", "reason"],
    )
    position = np.searchsorted(trace.byte_end, table["start"].to_numpy(np.int64), side="right")
    table.insert(0, "position", position)
    if generated_only:
        table = table[counted_tokens(trace, "generated")[position]]
    renamed = table.rename(columns={"start": "byte_start", "end": "byte_end"})
    return renamed.reset_index(drop=True)


def python_code(trace: Trace | Program, language: str | None = None) -> tuple[bytes, ...]:
    """The Python in a trace: all of it, or what its fences hold.

    Raises:
        RequestError: no such language.
    """
    return tuple(code for _, code, _ in _python_of(Program.of(trace, language)))


def _python_of(program: Program) -> Sequence[tuple[CodeRegion, bytes, Known]]:
    """Each stretch of Python in a trace with its code and what the others bring to it."""
    found = [part for part in program.parts if part.language == PYTHON]
    codes = [part.code for part in found]
    brought = [_bound(code) for code in codes] if len(codes) > 1 else [Known()]
    parts = []
    before, star = frozenset[str](), False
    for number, part in enumerate(found):
        later = frozenset[str]().union(*(known.names for known in brought[number + 1 :]))
        parts.append((part.region, part.code, Known(before, later, star)))
        before |= brought[number].names
        star |= brought[number].star_import
    return parts


@dataclass(frozen=True, slots=True)
class _LastLine:
    """The logical line that a text ends in: where it begins, and whether brackets are open."""

    start: int
    end: int
    open: bool

    def judges(self, use: Use, nodes: NodeTable, statements: Sequence[str]) -> bool:
        """Whether it is settled what a name stands for, given the statement each row is in."""
        if nodes.start[use.row] < self.start:
            return True
        if self.open or nodes.end[use.row] >= self.end:
            return False
        return use.called or statements[use.row] != "expression_statement"


def _statements(nodes: NodeTable) -> list[str]:
    """The kind of the nearest statement around each row."""
    found: list[str] = []
    for kind, parent in zip(nodes.kind, nodes.parent, strict=True):
        found.append(kind if parent < 0 or kind.endswith("_statement") else found[parent])
    return found


def _last_line(text: bytes) -> _LastLine:
    layout, start, at = PythonLayout(), 0, 0
    for line in text.splitlines(keepends=True):
        layout.feed(line)
        at += len(line)
        if layout.mode == "indentation" and not layout.depth and line.endswith(b"\n"):
            start = at
    return _LastLine(start, len(text), bool(layout.depth) or layout.mode in ("quotes", "string"))


def _caught(nodes: NodeTable, text: bytes) -> list[bool]:
    """Which rows stand in a `try` that expects a name not to be there."""
    caught: list[bool] = []
    for kind, parent in zip(nodes.kind, nodes.parent, strict=True):
        above = parent >= 0 and caught[parent] and kind not in _LATER
        tried = parent >= 0 and nodes.kind[parent] == "try_statement" and kind == "block"
        caught.append(above or (tried and _expects_no_name(parent, nodes, text)))
    return caught


def _expects_no_name(statement: int, nodes: NodeTable, text: bytes) -> bool:
    for clause in nodes.children(statement):
        if nodes.kind[clause] not in ("except_clause", "except_group_clause"):
            continue
        row = clause
        while row <= nodes.last[clause] and nodes.kind[row] != "block":
            if text[nodes.start[row] : nodes.end[row]] in _CAUGHT:
                return True
            row += 1
    return False


def _marks(
    names: Names, done: Completed, caught: Sequence[bool], known: Known
) -> Iterator[tuple[Use, NameMark]]:
    nodes = done.nodes
    reflection = any(use.called and use.name in _REFLECTION for use in names.uses)
    for use in names.uses:
        # What belongs to the ending is no part of the text; what is only unfinished, no error.
        if nodes.start[use.row] >= done.length or (done.viable and nodes.in_error[use.row]):
            continue
        if _IMPLICIT.fullmatch(use.name) or caught[use.row]:
            continue
        found = names.visible(use, nodes.start[use.row])
        if found is None:
            if use.name not in BUILTINS and use.name not in known.names:
                yield use, _unknown(use, names, nodes, reflection, known)
        elif found is names.scopes[use.scope] and use.name not in BUILTINS and not use.typed:
            start = nodes.start[use.row]
            if start < found.bound[use.name] and not _comprehended(use, names):
                yield use, _early(use, nodes)


def _unknown(use: Use, names: Names, nodes: NodeTable, reflection: bool, known: Known) -> NameMark:
    certainty: Certainty
    if nodes.in_error[use.row]:
        certainty, reason = "weak", "the code around it cannot be parsed"
    elif names.star_import or known.star_import:
        certainty, reason = "weak", "a star import may have brought it"
    elif reflection:
        certainty, reason = "weak", "names may be made at run time here"
    elif use.name in known.later:
        certainty, reason = "possible", "code further on defines it"
    elif _deferred(use, names) or use.typed:
        certainty, reason = "possible", "a later line may still define it"
    else:
        certainty, reason = "likely", "nothing before it defines or imports it"
    finding: Finding = "call of an unknown name" if use.called else "unknown name"
    return NameMark(nodes.start[use.row], nodes.end[use.row], use.name, finding, certainty, reason)


def _early(use: Use, nodes: NodeTable) -> NameMark:
    above = nodes.parent[use.row]
    while above > 0 and nodes.kind[above] not in (*_LOOPS, "function_definition"):
        above = nodes.parent[above]
    certainty: Certainty
    if nodes.in_error[use.row]:
        certainty, reason = "weak", "the code around it cannot be parsed"
    elif nodes.kind[above] in _LOOPS:
        certainty, reason = "possible", "an earlier round of the loop may have defined it"
    else:
        certainty, reason = "likely", "the only definitions of it come later"
    return NameMark(
        nodes.start[use.row], nodes.end[use.row], use.name, "used before it is defined",
        certainty, reason,
    )  # fmt: skip


def _deferred(use: Use, names: Names) -> bool:
    """Whether the code runs later than it is read: it stands in a function."""
    index = use.scope
    while index >= 0:
        if names.scopes[index].kind == "function":
            return True
        index = names.scopes[index].outer
    return False


def _comprehended(use: Use, names: Names) -> bool:
    """A comprehension names its variables after it uses them."""
    return names.scopes[use.scope].kind == "comprehension"
