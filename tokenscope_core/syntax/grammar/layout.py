"""Python's rules of lines and indentation, followed byte by byte.

tree-sitter-python takes unexpected indentation, dedentation to a column that was never left,
blocks that were never begun, lines that end in an operator or inside quotes and a `try` without a
handler as they come; Python does not (Language Reference 2.1, 2.4.1). This follows the rules on
the bytes alone: it knows strings, comments, brackets, joined lines and a few words, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

_TAB = 8
# What no statement ends in, and what begins those that end in a block.
_UNENDING = frozenset("+-/%@&|^~<>=!")
_UNENDING_WORDS = frozenset(
    ["and", "or", "not", "in", "is", "if", "else", "for", "while", "import", "from", "as", "lambda",
     "def", "class", "with", "assert", "del", "global", "nonlocal", "await", "elif", "async"]
)  # fmt: skip
_HEADERS = frozenset(
    ["if", "elif", "else", "for", "while", "try", "except", "finally", "with", "def", "class",
     "async"]
)  # fmt: skip
_HANDLERS = frozenset(["except", "finally"])


@dataclass(slots=True)
class PythonLayout:
    """Where in the layout a text has come to. `valid` stays False after the first bad line.

    `columns` are the indentations of the blocks around, each counted twice as CPython does: with
    tabs to multiples of eight, and with tabs as one column. `openers` are the words that began
    the statements they belong to.
    """

    valid: bool = True
    columns: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    openers: list[str] = field(default_factory=lambda: [""])
    mode: Literal["indentation", "code", "comment", "quotes", "string"] = "indentation"
    column: tuple[int, int] = (0, 0)
    expects_block: bool = False
    depth: int = 0  # of brackets
    quote: str = ""  # of the string we are in: one character, or three of them
    formatted: bool = False  # a string whose fields may go on over lines (PEP 701)
    run: int = 0  # of such characters read in a row
    escape: str = ""  # what is left of an escape: a backslash, or the \r of a line end
    last: str = ""  # of the logical line, spaces and comments left out
    word: str = ""  # the last word of the line, or what was read of it
    in_word: bool = False
    first_word: str | None = None  # of the line, once it is whole
    colon: bool = False  # was there one outside of brackets?
    needs_handler: bool = False

    def copy(self) -> PythonLayout:
        """An equal layout, to try a piece on."""
        return replace(self, columns=self.columns.copy(), openers=self.openers.copy())

    def feed(self, piece: bytes) -> bool:
        """Add a piece; returns `valid`."""
        for char in piece.decode("latin-1"):
            if self.escape:
                # A backslash takes the next character with it, and both of a \r\n.
                before, self.escape = self.escape, ""
                if before == "\\" and char == "\r":
                    self.escape = char
                    continue
                if before == "\\" or char == "\n":
                    continue
            match self.mode:
                case "indentation":
                    self._indentation(char)
                case "comment":
                    if char == "\n":
                        self._end_of_line()
                case "quotes":
                    self._quotes(char)
                case "string":
                    self._string(char)
                case _:
                    self._code(char)
        return self.valid

    def _indentation(self, char: str) -> None:
        wide, narrow = self.column
        if char == " ":
            self.column = (wide + 1, narrow + 1)
        elif char == "\t":
            self.column = ((wide // _TAB + 1) * _TAB, narrow + 1)
        elif char in "\n\f":
            self.column = (0, 0)
        elif char == "#":
            self.mode = "comment"
        elif char == "\\":
            self.escape = char
        elif char not in "\r\xef\xbb\xbf":  # a byte order mark is no indentation
            self._begin_line()
            self.mode = "code"
            self._code(char)

    def _begin_line(self) -> None:
        """Judge the indentation of the first line of a statement."""
        inner = self.columns[-1]
        if self.expects_block:
            self.valid &= self.column[0] > inner[0] and self.column[1] > inner[1]
            self.columns.append(self.column)
            self.openers.append(self.first_word or "")
        else:
            while len(self.columns) > 1 and self.column[0] < self.columns[-1][0]:
                self.columns.pop()
                if self.openers.pop() == "try":
                    # Its handler stands in the column of the try itself or nowhere.
                    self.valid &= self.column[0] >= self.columns[-1][0]
                    self.needs_handler = True
            self.valid &= self.column == self.columns[-1]
        self.expects_block = self.colon = False
        self.first_word = None

    def _end_of_line(self) -> None:
        self.mode = "code"
        if self.depth:
            return
        if self.last:
            named = self.word if self.last.isalnum() or self.last == "_" else ""
            unending = self.last in _UNENDING or named in _UNENDING_WORDS
            unending |= self.last == "*" and self.word != "import"
            headless = self.first_word in _HEADERS and not self.colon
            self.valid &= not unending and not headless
            self.expects_block = self.last == ":"
        self.mode, self.last, self.word, self.column = "indentation", "", "", (0, 0)

    def _end_word(self) -> None:
        """A word is whole, or what is no word stands in its place."""
        self.in_word = False
        if self.first_word is None:
            self.first_word = self.word
            self.valid &= not self.needs_handler or self.word in _HANDLERS
            self.needs_handler = False

    def _code(self, char: str) -> None:
        if char.isalnum() or char == "_" or char >= "\x80":
            self.word = self.word + char if self.in_word else char
            self.in_word, self.last = True, char
            return
        prefix = self.word if self.in_word else ""
        if self.in_word or (self.first_word is None and char not in " \t\f\r\n#\\"):
            self._end_word()
        if char == "\n":
            self._end_of_line()
        elif char == "#":
            self.mode = "comment"
        elif char == "\\":
            self.escape = char
        elif char not in " \t\f\r":
            self.last = char
            if char in "'\"":
                self.mode, self.quote, self.run = "quotes", char, 1
                self.formatted = "f" in prefix.lower()
            elif char in "([{":
                self.depth += 1
            elif char in ")]}":
                self.depth = max(0, self.depth - 1)
            elif char == ":" and not self.depth:
                self.colon = True

    def _quotes(self, char: str) -> None:
        """After an opening quote: one, two (an empty string) or three?"""
        if char == self.quote:
            self.run += 1
            if self.run == 3:
                self.mode, self.quote, self.run = "string", 3 * char, 0
        elif self.run == 1:
            self.mode, self.run = "string", 0
            self._string(char)
        else:
            self.mode, self.quote = "code", ""
            self._code(char)

    def _string(self, char: str) -> None:
        if char == "\\":
            self.escape, self.run = char, 0
        elif char == "\n" and len(self.quote) == 1:
            self.valid &= self.formatted
            self.mode, self.quote = "code", ""
            self._code(char)
        elif char == self.quote[0]:
            self.run += 1
            if self.run == len(self.quote):
                self.mode, self.quote = "code", ""
        else:
            self.run = 0
