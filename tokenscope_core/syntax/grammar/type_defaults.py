"""Defaults of type parameters, `class A[T = int]` (PEP 696), for a grammar that lacks them.

To the grammar a type parameter with a bound, `T: int`, is one of the same shape: a colon in place
of the equals sign, byte for byte.
"""

from __future__ import annotations

import re

_COLON = ord(":")
_HEAD = re.compile(rb"\b(?:class|def|type)[ \t]+[^\W\d][\w\x80-\xff]*[ \t]*\[")
_TOKEN = re.compile(
    rb"(?P<skip>#[^\r\n]*|'''(?:\\.|[^\\])*?(?:'''|\Z)|\"\"\"(?:\\.|[^\\])*?(?:\"\"\"|\Z)"
    rb"|'(?:\\.|[^'\\\r\n])*'?|\"(?:\\.|[^\"\\\r\n])*\"?|[!<>:]=)"
    rb"|(?P<head>\b(?:class|def|type)[ \t]+[^\W\d][\w\x80-\xff]*[ \t]*\[)"
    rb"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<comma>,)|(?P<default>=(?:\s*\*)?)",
    re.DOTALL,
)


def as_bounds(text: bytes) -> bytes:
    """The text with a colon for each equals sign that gives a type parameter its default.

    What becomes of a byte depends on those before it alone, so that a growing text stays as it is.
    """
    if not _HEAD.search(text):
        return text
    found: bytearray | None = None
    depth, given = 0, False
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if not depth:
            if kind == "head":
                depth, given = 1, False
        elif kind in ("head", "open"):
            depth += 1
        elif kind == "close":
            depth -= 1
        elif depth == 1 and kind == "comma":
            given = False
        elif (
            depth == 1
            and kind == "default"
            and found is not None
            and found[token.start() - 1] == _COLON
        ):
            found[token.start()] = _COLON  # two in a row are no `:=`
        elif depth == 1 and kind == "default" and not given:
            given = True
            found = bytearray(text) if found is None else found
            found[token.start()] = _COLON
            if token.end() - token.start() > 1:  # a starred default: what is unpacked says enough
                found[token.end() - 1] = ord(" ")
    return text if found is None else bytes(found)
