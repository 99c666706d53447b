"""Characters that a page or a terminal would hide, reorder or obey, spelled out."""

from __future__ import annotations

import unicodedata

_SHOWN_AS = {"\t": "→\t", "\n": "↵\n", "\r": "␍"}
_HIDDEN = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp", "Zs"}
# Default_Ignorable_Code_Point (Unicode 16, DerivedCoreProperties) in no category above.
_IGNORABLE = (
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF),
)  # fmt: skip
# Names of the control characters in ISO 646 (ASCII).
_CONTROLS = (
    "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI "
    "DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
)
_CONTROL_NAMES = _CONTROLS.split(" ")


def name_of_hidden(character: str) -> str | None:
    """The name of a character that cannot be seen or does something to a line: `ESC`, `U+202E`,
    of half a surrogate pair that stands for a byte its hexadecimal digits; None of any other, the
    space included."""
    code = ord(character)
    if character == " ":
        return None
    if code < len(_CONTROL_NAMES):
        return _CONTROL_NAMES[code]
    if code == 0x7F:
        return "DEL"
    if 0xDC80 <= code <= 0xDCFF:
        return f"{code - 0xDC00:02X}"
    hidden = unicodedata.category(character) in _HIDDEN
    if hidden or any(low <= code <= high for low, high in _IGNORABLE):
        return f"U+{code:04X}"
    return None


def visible_text(spelled: bytes) -> str:
    """The text, with line ends and tabs marked, other hidden characters by name in angle brackets,
    and bytes that are no whole character in hexadecimal."""
    return "".join(map(_visible, spelled.decode("utf-8", errors="surrogateescape")))


def on_one_line(spelled: bytes) -> str:
    """The same with nothing left to guess, spaces too: `··→x↵`."""
    return visible_text(spelled).replace("→\t", "→").replace("↵\n", "↵").replace(" ", "·")


def _visible(character: str) -> str:
    if character in _SHOWN_AS:
        return _SHOWN_AS[character]
    name = name_of_hidden(character)
    return character if name is None else f"⟨{name}⟩"
