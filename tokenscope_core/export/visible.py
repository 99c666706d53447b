"""Bytes of tokens as a page can show them: nothing invisible, nothing that reorders a line."""

from __future__ import annotations

import unicodedata

_SHOWN_AS = {"\t": "→\t", "\n": "↵\n", "\r": "␍"}
_INVISIBLE = {"Cc", "Cf", "Co", "Cn", "Zl", "Zp"}


def visible_text(spelled: bytes) -> str:
    """The text, with line ends and tabs marked, other invisible characters as their code points in
    angle brackets, and bytes that are no whole character in hexadecimal."""
    return "".join(map(_visible, spelled.decode("utf-8", errors="surrogateescape")))


def _visible(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"⟨{code - 0xDC00:02X}⟩"
    if character in _SHOWN_AS:
        return _SHOWN_AS[character]
    return f"⟨U+{code:04X}⟩" if unicodedata.category(character) in _INVISIBLE else character
