"""Whether the code of a trace parses."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from tree_sitter import Parser

from tokenscope_core.syntax.languages import grammar
from tokenscope_core.syntax.prefixes import GrowingText

Parses = Literal["yes", "unfinished", "no"]
LANGUAGE = "python"
_STATEMENT = b"\npass\n"
# Best first, for sorting.
ORDER: tuple[Parses, ...] = ("yes", "unfinished", "no")


@lru_cache(maxsize=1_000)
def parses(text: bytes) -> Parses:
    """Whether a text is valid Python, could still become it, or cannot any more."""
    python = grammar(LANGUAGE)
    if not GrowingText(python).feed(text):
        return "no"
    # tree-sitter takes `def f():` for whole. It is if a statement at the margin may follow.
    whole = GrowingText(python).feed(text + _STATEMENT)
    has_error = Parser(python.language).parse(text).root_node.has_error
    return "yes" if whole and not has_error else "unfinished"
