"""The shortest way we know to end an unfinished text so that it parses: its tree is then whole.

A parser that recovers from the missing end of a text may take the words of an open string for
names, or a block's statements out of their function. With an ending put after it none of that
happens, and what reaches into the ending is what was still open.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenscope_core.caching import lru_cache
from tokenscope_core.syntax.grammar.languages import Grammar
from tokenscope_core.syntax.grammar.layout import PythonLayout
from tokenscope_core.syntax.grammar.tree import NodeTable, no_tree, parse
from tokenscope_core.syntax.time_budget import Budget, OutOfTime
from tokenscope_core.syntax.unfinished.prefixes import GrowingText


@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """The tree of a text with an ending that is no part of it.

    `length` is the text's own, in bytes. `viable` says whether the text can become valid code at
    all, `whole` whether the tree is without errors. `given_up`: it took too long to read, and
    nothing is known of it.
    """

    nodes: NodeTable
    length: int
    viable: bool
    whole: bool
    given_up: bool = False


@lru_cache(maxsize=16)
def completed(text: bytes, grammar: Grammar) -> Completed:
    """Parse a text as if it were finished, as far as that is possible.

    A text that is broken, or whose end we do not find, is parsed with an open string closed and
    nothing else.
    """
    budget = Budget.of(text)
    try:
        return _completed(text, grammar, budget)
    except OutOfTime:
        return Completed(no_tree(), len(text), viable=False, whole=False, given_up=True)


def _completed(text: bytes, grammar: Grammar, budget: Budget) -> Completed:
    growing = GrowingText(grammar, budget)
    viable = growing.feed(text)
    ending = growing.ending() if viable else None
    whole = ending is not None
    closed = text + (_closing_quote(text, grammar) if ending is None else ending)
    return Completed(parse(closed, grammar, budget), len(text), viable, whole)


def _closing_quote(text: bytes, grammar: Grammar) -> bytes:
    """What ends a Python string that is open at the end of a text."""
    if grammar.name != "python":
        return b""
    layout = PythonLayout()
    layout.feed(text)
    return layout.quote.encode() if layout.mode == "string" else b""
