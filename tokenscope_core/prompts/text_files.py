"""A file's bytes as a text to score: exactly what is in it, or a refusal that says why not.

Line ends stay as they are. A byte order mark is no part of a text, which is said where there was
one.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from tokenscope_core.display.formatting import count_text
from tokenscope_core.errors import RequestError

# Longest first: UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file as text: its `name`, its `text` with the line ends it has, and `notes`, sentences on
    what is not as everybody might think."""

    name: str
    text: str
    notes: tuple[str, ...] = ()

    @property
    def line_count(self) -> int:
        """How many lines it has: a line ends after its line feed, the last also without one."""
        return self.text.count("\n") + bool(self.text and not self.text.endswith("\n"))

    def lines(self, first: int, last: int) -> str:
        """The text of the lines from `first` to `last`, both counted from 1 and included."""
        start = _begin_of(self.text, first)
        return self.text[start : _begin_of(self.text, last + 1)]


def text_file(name: str, raw: bytes) -> TextFile:
    """The file of these bytes.

    Raises:
        RequestError: they are not UTF-8, nor what a byte order mark says they are.
    """
    notes: list[str] = []
    mark, encoding = next((pair for pair in _MARKS if raw.startswith(pair[0])), (b"", "utf-8"))
    try:
        text = raw[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise _not_text(name, raw, encoding, len(mark) + error.start) from None
    if mark:
        notes.append(
            f"It begins with a byte order mark ({encoding.upper()}), which is not part of the text."
        )
    ends = text.count("\r\n")
    if ends:
        kept = "all of its" if ends == text.count("\n") else f"{ends:,} of its"
        notes.append(
            f"Line ends are kept: {kept} {count_text(text.count(chr(10)), 'line')} end in CR LF."
        )
    return TextFile(name, text, tuple(notes))


def _not_text(name: str, raw: bytes, encoding: str, at: int) -> RequestError:
    line = raw.count(b"\n", 0, at) + 1
    binary = b"\0" in raw
    return RequestError(
        asked=f"“{name}” was to be read as text.",
        found=f"Byte {at + 1:,} (0x{raw[at]:02X}), in line {line:,}, is not {encoding.upper()}"
        + (", and there are NUL bytes: it seems to be no text at all." if binary else "."),
        action="Choose a text file."
        if binary
        else "Convert it to UTF-8, for example: iconv -f WINDOWS-1252 -t UTF-8 FILE.",
    )


def _begin_of(text: str, line: int) -> int:
    """Where a line begins in a text, or its end."""
    at = 0
    for _ in range(line - 1):
        found = text.find("\n", at)
        if found < 0:
            return len(text)
        at = found + 1
    return at
