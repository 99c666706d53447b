"""Whether a text can still be completed to valid code, decided as it grows.

An LR parser never shifts a token that no sentence of its grammar could have there (the valid-prefix
property; Aho and Ullman 1972). So if a parser had a use for every token of an unfinished text, and
only then stopped for want of more, some continuation makes it valid; if it stopped earlier, none
does. tree-sitter recovers from errors and keeps quiet about where it first stopped, but its log
tells: that is read here. What remains is the last token, which may be half of one: it is tried
with the endings it could have.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import LogType, Parser, Point, Tree

from tokenscope_core.syntax.languages import Grammar
from tokenscope_core.syntax.layout import Layout

_POSITION = re.compile(r"process version:\d+, version_count:\d+, state:\d+, row:(\d+), col:(\d+)")
# What can follow where a number, an escape or a character has only begun.
_NUMBER = re.compile(rb"[0-9][0-9a-zA-Z_.]*[-+]?$")
_ESCAPE = re.compile(rb"\\[xuUN0-9]?\{?[0-9a-fA-F]*$")
# Spaces and joined lines: nothing that a parser could have had a use for.
_NOTHING = re.compile(rb"(?:\s|\\\r?\n|\\\Z)*")
_LINE_ENDS = ("_newline", "\n", "\\n")
_WORD_END = re.compile(rb"[A-Za-z0-9_$#@]+$")
# Tokens of fixed text that grammars name, so that they are not in the list of fixed tokens.
_NAMED_TOKENS = (b"...", b"//")


@dataclass(slots=True)
class _Log:
    """Listens to a parse until its first error.

    tree-sitter follows several readings at once and gives up those that fail while another still
    works; it "resumes" one only when all have failed. The reading that came farthest is the
    verdict.
    """

    at: tuple[int, int] = (0, 0)
    farthest: tuple[int, int] = (-1, -1)
    lookahead: str = ""
    stopped: bool = False

    def __call__(self, kind: LogType, message: str) -> None:
        if self.stopped:
            return
        if message.startswith("process"):
            found = _POSITION.match(message)
            if found:
                self.at = (int(found[1]), int(found[2]))
        elif message.startswith("detect_error"):
            if self.at >= self.farthest:
                self.farthest, self.lookahead = self.at, message.partition("lookahead:")[2]
        elif message.startswith("resume"):
            self.stopped = True


@dataclass(slots=True)
class _State:
    """A text, the ending it was parsed with that is no part of it, and the tree of both.

    `finish` is that of the last token, `brackets` close what seems open: guesses that save
    reading the log where they make the text valid.
    """

    text: bytes = b""
    finish: bytes = b""
    brackets: bytes = b""
    ending: bytes = b""
    tree: Tree | None = None
    line_starts: list[int] = field(default_factory=lambda: [0])


class GrowingText:
    """A text read piece by piece. `viable` says whether it can still become valid code.

    Incremental: each piece is parsed on top of the tree of what came before. Once a text cannot
    become valid, nothing that follows changes that.
    """

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.viable = True
        self._parser = Parser(grammar.language)
        self._closers = [closer.encode() for closer in grammar.closers]
        self._token_endings = _token_endings(grammar)
        self._state = _State()
        self._layout = Layout() if grammar.name == "python" else None

    def feed(self, piece: bytes) -> bool:
        """Add a piece; returns `viable`."""
        if self.viable and piece:
            self._state, self.viable = self._read(piece)
            if self._layout is not None:
                self.viable &= self._layout.feed(piece)
        return self.viable

    def allows(self, piece: bytes) -> bool:
        """Whether `viable` would still hold after that piece; nothing is added."""
        if not self.viable or not piece:
            return self.viable
        if self._layout is not None and not self._layout.copy().feed(piece):
            return False
        return self._read(piece)[1]

    def _read(self, piece: bytes) -> tuple[_State, bool]:
        before = self._state
        at = len(before.text)
        breaks = [at + i + 1 for i, byte in enumerate(piece) if byte == ord("\n")]
        state = _State(
            text=before.text + piece,
            line_starts=before.line_starts + breaks if breaks else before.line_starts,
        )
        if before.finish:  # in a string, brackets are text
            state.finish, state.brackets = before.finish, before.brackets
            if self._is_valid(before, state, state.finish + state.brackets):
                return state, True
            closed = any(
                self._is_valid(before, state, e) for e in dict.fromkeys((state.brackets, b""))
            )
            if not closed and self._uses_all(before, state, state.finish):
                return state, True
        state.finish = b""
        for state.brackets, ending in self._guesses(_closed(before.brackets, piece)):
            if self._is_valid(before, state, ending):
                return state, True
        state.brackets = before.brackets if before.finish else _closed(before.brackets, piece)
        for finish in self._finishes(state.text):
            if self._uses_all(before, state, finish):
                state.finish = finish if finish in self._closers else b""
                return state, True
        return state, False

    def _guesses(self, brackets: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Endings that often make an unfinished text valid, so that the log need not be read.

        Each with what in it closes the brackets.
        """
        yield brackets, brackets
        if brackets:
            yield b"", b""
        for inside, after in self.grammar.fillers:
            yield brackets, inside.encode() + brackets + after.encode()

    def _is_valid(self, before: _State, state: _State, ending: bytes) -> bool:
        state.tree = self._parse(before, state.text + ending)
        state.ending = ending
        return not state.tree.root_node.has_error

    def _uses_all(self, before: _State, state: _State, ending: bytes) -> bool:
        """Has the parser a use for every token of the text, if this ending follows?"""
        whole = state.text + ending
        log = _Log()
        self._parser.logger = log
        try:
            state.tree, state.ending = self._parse(before, whole), ending
        finally:
            del self._parser.logger
        if not log.stopped:
            return True
        row, column = log.farthest
        offset = state.line_starts[row] + column if row < len(state.line_starts) else len(whole)
        rest = state.text[offset:]
        if not _NOTHING.fullmatch(rest):
            return False
        # A line end that means something is a token too, not the want of one.
        return not (log.lookahead in _LINE_ENDS and b"\n" in rest)

    def _parse(self, before: _State, whole: bytes) -> Tree:
        readable = self.grammar.readable(whole)
        if before.tree is None:
            return self._parser.parse(readable)
        old = before.text + before.ending
        tree = before.tree.copy()
        kept = len(before.text)
        start = _point(before.line_starts, kept, old)
        tree.edit(kept, len(old), len(whole), start, _point_in(old), _point_in(whole))
        return self._parser.parse(readable, tree)

    def _finishes(self, text: bytes) -> Iterator[bytes]:
        """What might finish a last token that is only half there, likeliest first."""
        yield b""
        fills = _half_character(text)
        yield from fills
        if not fills and (escape := _ESCAPE.search(text)):
            digits = (b"0" * n for n in range(1, 11 - len(escape[0])))
            fills = [b"n", *digits, b"0}", b"SPACE}", b"{SPACE}"]
        elif text.endswith(b"}"):
            fills = [b"}"]  # half of an escaped brace in a format string
        for fill in (b"", *fills):
            yield from (fill + closer for closer in self._closers)
        if _NUMBER.search(text):
            yield b"0"
        if word := _WORD_END.search(text):
            yield from self._token_endings.get(word[0], ())
        yield b"x"
        for length in range(1, 5):
            if not word or length > len(word[0]):
                yield from self._token_endings.get(text[-length:], ())
        if text.endswith(b"\\"):
            yield b"\n"


_PAIRS = {ord("("): b")", ord("["): b"]", ord("{"): b"}"}


def _closed(brackets: bytes, piece: bytes) -> bytes:
    """The brackets that would close what is open, strings and comments not looked at."""
    for byte in piece:
        if byte in _PAIRS:
            brackets = _PAIRS[byte] + brackets
        elif brackets and byte == brackets[0]:
            brackets = brackets[1:]
    return brackets


def _point(line_starts: list[int], offset: int, text: bytes) -> Point:
    row = bisect_right(line_starts, offset) - 1
    return Point(row, offset - line_starts[row])


def _point_in(text: bytes) -> Point:
    return Point(text.count(b"\n"), len(text) - text.rfind(b"\n") - 1)


def _token_endings(grammar: Grammar) -> dict[bytes, list[bytes]]:
    """What is left of each fixed token after each way to begin it."""
    endings: dict[bytes, list[bytes]] = {}
    kinds = zip(grammar.kind_names, grammar.kind_is_named, strict=True)
    fixed = [kind.encode() for kind, named in kinds if not named and kind.strip()]
    for token in (*fixed, *_NAMED_TOKENS):
        for cut in range(1, len(token)):
            rest = endings.setdefault(token[:cut], [])
            if token[cut:] not in rest:
                rest.append(token[cut:])
    return endings


def _half_character(text: bytes) -> list[bytes]:
    """What could complete a UTF-8 character that has only begun: a letter, or anything."""
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if byte & 0xC0 == 0x80:
            continue
        width = 2 if byte & 0xE0 == 0xC0 else 3 if byte & 0xF0 == 0xE0 else 4
        lacking = width - back
        if byte >= 0xC0 and lacking > 0:
            return [filler * lacking for filler in (b"\xaa", b"\x90", b"\xbf", b"\x80")]
        return []
    return []
