"""Where the preprocessor of C and C++ may stand behind what its grammar cannot parse.

A macro may stand for anything, an attribute, a brace, half a declaration, and usually comes from a
file that is not in the text; a branch of an `#if` may open what another one closes. What a
compiler accepts is then no question of the grammar.
"""

from __future__ import annotations

import re

_CONDITION = re.compile(rb"^[ \t]*#[ \t]*if", re.MULTILINE)
_DEFINED = re.compile(rb"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
# A statement or a line of the preprocessor is over.
_OVER = re.compile(rb"[;{}]|^[ \t]*#(?:[^\n\\]|\\.)*\n", re.MULTILINE | re.DOTALL)
_NAME = re.compile(rb"\b[A-Za-z_]\w*\b")
_LIKE_A_MACRO = re.compile(rb"_*[A-Z][A-Z0-9_]{2,}|__\w+")
# Written so, but known to be values and types.
_USUAL = frozenset(
    b"NULL EOF FILE BUFSIZ EXIT_SUCCESS EXIT_FAILURE RAND_MAX INT_MAX INT_MIN UINT_MAX LONG_MAX "
    b"LONG_MIN CHAR_BIT SIZE_MAX DBL_MAX DBL_MIN FLT_MAX SEEK_SET SEEK_CUR SEEK_END".split()
)


def may_explain(code: bytes, at: int) -> bool:
    """Whether a macro or a condition may be why a code breaks at a byte: there is a condition
    before it, or what looks like a macro in its statement or before that on its line."""
    line_end = code.find(b"\n", at)
    before = code[: len(code) if line_end < 0 else line_end]
    if _CONDITION.search(before):
        return True
    # What breaks at a semicolon or a brace breaks for what stands before it.
    begun = max((over.end() for over in _OVER.finditer(before, 0, at)), default=0)
    defined = set(_DEFINED.findall(before))
    return any(
        name in defined or (_LIKE_A_MACRO.fullmatch(name) and name not in _USUAL)
        for name in _NAME.findall(before[begun:])
    )
