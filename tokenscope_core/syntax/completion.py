"""The shortest way we know to end an unfinished text so that it parses: its tree is then whole.

A parser that recovers from the missing end of a text may take the words of an open string for
names, or a block's statements out of their function. With an ending put after it none of that
happens, and what reaches into the ending is what was still open.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from tokenscope_core.syntax.languages import Grammar
from tokenscope_core.syntax.layout import Layout
from tokenscope_core.syntax.prefixes import GrowingText
from tokenscope_core.syntax.tree import NodeTable, parse


@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """The tree of a text with an ending that is no part of it.

    `length` is the text's own, in bytes. `viable` says whether the text can become valid code at
    all, `whole` whether the tree is without errors.
    """

    nodes: NodeTable
    length: int
    viable: bool
    whole: bool


@functools.lru_cache(maxsize=16)
def completed(text: bytes, grammar: Grammar) -> Completed:
    """Parse a text as if it were finished, as far as that is possible.

    A text that is broken, or whose end we do not find, is parsed with an open string closed and
    nothing else.
    """
    growing = GrowingText(grammar)
    viable = growing.feed(text)
    ending = growing.ending() if viable else None
    whole = ending is not None
    nodes = parse(text + (_closing_quote(text, grammar) if ending is None else ending), grammar)
    return Completed(nodes, len(text), viable, whole)


def _closing_quote(text: bytes, grammar: Grammar) -> bytes:
    """What ends a Python string that is open at the end of a text."""
    if grammar.name != "python":
        return b""
    layout = Layout()
    layout.feed(text)
    return layout.quote.encode() if layout.mode == "string" else b""
