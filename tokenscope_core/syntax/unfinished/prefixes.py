"""Whether a text can still be completed to valid code, decided as it grows.

An LR parser never shifts a token that no sentence of its grammar could have there (the valid-prefix
property; Aho and Ullman 1972). So if a parser had a use for every token of an unfinished text, and
only then stopped for want of more, some continuation makes it valid; if it stopped earlier, none
does. tree-sitter recovers from errors and keeps quiet about where it first stopped, but its log
tells: that is read here. What remains is the last token, which may be half of one: it is tried
with the endings it could have.
"""

from __future__ import annotations

import copy
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tree_sitter import LogType, Parser, Point, Tree

from tokenscope_core.syntax.grammar.languages import Grammar
from tokenscope_core.syntax.grammar.layout import PythonLayout
from tokenscope_core.syntax.time_budget import Budget, parse_within
from tokenscope_core.syntax.unfinished.endings import Endings, closers_of, may_be_quoted, rests

_POSITION = re.compile(r"process version:\d+, version_count:\d+, state:\d+, row:(\d+), col:(\d+)")
# Spaces and joined lines: nothing that a parser could have had a use for.
_NOTHING = re.compile(rb"(?:\s|\\\r?\n|\\\Z)*")
_LINE_ENDS = ("_newline", "\n", "\\n")
# Beyond this many bytes the statements that are over are forgotten; small texts are read whole.
_REMEMBERED_BYTES = 2_048
_STRETCH = 1_024
# Texts remembered of one code, and their bytes together for each byte of it: one long literal is in
# all of them. Where there is more, every other one is forgotten.
_MOST_PREFIXES = 64
_MOST_BYTES_A_BYTE = 4


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
    reading the log where they make the text valid. `quoted`: a string or comment may
    still be open, as far as is known.
    """

    text: bytes = b""
    finish: bytes = b""
    quoted: bool = False
    brackets: bytes = b""
    ending: bytes = b""
    tree: Tree | None = None
    line_starts: list[int] = field(default_factory=lambda: [0])


class GrowingText:
    """A text read piece by piece. `viable` says whether it can still become valid code.

    Incremental: each piece is parsed on top of the tree of what came before, and top-level
    statements that are over are forgotten, since nothing that follows can depend on them. Once a
    text cannot become valid, nothing that follows changes that. Every method may raise `OutOfTime`
    where the budget is spent; the text is then as it was, or as far as it was read.
    """

    def __init__(self, grammar: Grammar, budget: Budget | None = None) -> None:
        self.grammar = grammar
        self.budget = budget or Budget(math.inf)
        self.viable = True
        self._parser = Parser(grammar.language)
        self._endings = Endings(grammar)
        self._state = _State()
        self._layout = PythonLayout() if grammar.name == "python" else None
        self._forget_at = _REMEMBERED_BYTES

    @property
    def remembered_bytes(self) -> int:
        """How many bytes of the text are not forgotten: they are read with every piece."""
        return len(self._state.text)

    def copy(self) -> GrowingText:
        """An equal text, to try pieces on."""
        twin = copy.copy(self)
        twin._layout = self._layout and self._layout.copy()
        return twin

    def feed(self, piece: bytes) -> bool:
        """Add a piece; returns `viable`."""
        # A stretch at a time, so that what is over is forgotten early. What is kept is read with
        # each: stretches as long as that make the time linear.
        at = 0
        while at < len(piece) and self.viable:
            stretch = piece[at : at + max(_STRETCH, self.remembered_bytes)]
            at += len(stretch)
            self._state, self.viable = self._read(stretch)
            if self._layout is not None:
                self.viable &= self._layout.feed(stretch)
            if self.viable and len(self._state.text) > self._forget_at:
                self._forget()
        return self.viable

    def allows(self, piece: bytes) -> bool:
        """Whether `viable` would still hold after that piece; nothing is added."""
        if not self.viable or not piece:
            return self.viable
        if self._layout is not None and not self._layout.copy().feed(piece):
            return False
        return self._read(piece)[1]

    def ending(self) -> bytes | None:
        """Something that would end the text as code without errors; None if we know nothing."""
        state = self._state
        if not self.viable:
            return None
        if state.tree is None or not state.tree.root_node.has_error:
            return state.ending
        # Tried on top of the text as it is; what is found is no part of it.
        twin, trial = self.copy(), copy.copy(state)
        finishes = dict.fromkeys((state.finish, state.ending, b"", *self._endings.closers))
        for finish in finishes:
            for inside, after in rests(self.grammar):
                for ending in _orders(finish, inside, state.brackets, after):
                    if twin._is_valid(state, trial, ending):
                        return ending
        return None

    def _forget(self) -> None:
        """Go on with the last two top-level statements alone: an `else` may follow the last."""
        text, tree = self._state.text, self._state.tree
        if tree is not None and not tree.root_node.has_error:
            begun = [
                node.start_byte
                for node in tree.root_node.children
                if not node.is_extra and node.start_point.column == 0
                and node.start_byte < len(text)
            ]  # fmt: skip
            if len(begun) > 1 and begun[-2] > 0:
                last, viable = self._read(text[begun[-2] :], _State())
                if viable:
                    self._state = last
        self._forget_at = max(_REMEMBERED_BYTES, 2 * len(self._state.text))

    def _read(self, piece: bytes, before: _State | None = None) -> tuple[_State, bool]:
        before = before or self._state
        at = len(before.text)
        breaks = [at + i + 1 for i, byte in enumerate(piece) if byte == ord("\n")]
        state = _State(
            text=before.text + piece,
            line_starts=before.line_starts + breaks if breaks else before.line_starts,
        )
        if before.finish:  # in a string, brackets are text
            state.finish, state.brackets = before.finish, before.brackets
            state.quoted = True
            if self._is_valid(before, state, state.finish + state.brackets):
                return state, True
            closed = any(
                self._is_valid(before, state, e) for e in dict.fromkeys((state.brackets, b""))
            )
            if not closed and self._uses_all(before, state, state.finish):
                return state, True
        state.finish, state.quoted = b"", False
        for state.brackets, ending in self._guesses(closers_of(before.brackets, piece)):
            if self._is_valid(before, state, ending):
                return state, True
        state.brackets = before.brackets if before.finish else closers_of(before.brackets, piece)
        quoted = before.quoted or may_be_quoted(before.text, piece)
        for finish in self._endings.finishes(state.text, quoted=quoted):
            if self._uses_all(before, state, finish):
                state.finish = finish if finish in self._endings.closers else b""
                opening = piece.rfind(finish) if state.finish and not before.finish else -1
                if opening >= 0:  # the brackets in an open string are text
                    state.brackets = closers_of(before.brackets, piece[:opening])
                state.quoted = True
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
            return parse_within(self._parser, readable, self.budget)
        old = before.text + before.ending
        tree = before.tree.copy()
        read = len(before.text)
        start = _point(before.line_starts, read, old)
        tree.edit(read, len(old), len(whole), start, _point_in(old), _point_in(whole))
        return parse_within(self._parser, readable, self.budget, tree)


class Prefixes:
    """How far a code has been read: texts at some of its bytes, so that what stands before a place
    need not be read from the start each time it is asked about. For one thread at a time."""

    def __init__(self, code: bytes, grammar: Grammar) -> None:
        self._code = code
        self._ends = [0]
        self._texts = [GrowingText(grammar)]

    def read(self, end: int, budget: Budget) -> GrowingText:
        """A text of one's own that has read the code up to a byte.

        Raises:
            OutOfTime: the budget is spent.
        """
        at = bisect_right(self._ends, end) - 1
        text = self._texts[at].copy()
        text.budget = budget
        text.feed(self._code[self._ends[at] : end])
        self.remember(end, text)
        return text

    def remember(self, end: int, text: GrowingText) -> None:
        """Go on from here when more is read: a text that has read the code up to a byte."""
        at = bisect_right(self._ends, end)
        if self._ends[at - 1] == end:
            return
        self._ends.insert(at, end)
        self._texts.insert(at, text.copy())
        while len(self._ends) > 1 and (
            len(self._ends) > _MOST_PREFIXES
            or self.remembered_bytes > _MOST_BYTES_A_BYTE * len(self._code)
        ):
            del self._ends[1::2], self._texts[1::2]

    @property
    def remembered_bytes(self) -> int:
        """The bytes of the code that its texts hold, as often as they hold them."""
        return sum(text.remembered_bytes for text in self._texts)


def reach(text: bytes, grammar: Grammar, budget: Budget) -> int:
    """Where the line begins in which a text breaks; its length where it does not.

    Raises:
        OutOfTime: the budget is spent.
    """
    growing, at = GrowingText(grammar, budget), 0
    for line in text.splitlines(keepends=True):
        if not growing.feed(line):
            break
        at += len(line)
    return at


def _orders(finish: bytes, inside: bytes, brackets: bytes, after: bytes) -> Iterable[bytes]:
    """Ways to put an ending together: the last token may stand in the brackets or hold them."""
    yield finish + inside + brackets + after
    if finish and brackets:
        yield inside + brackets + finish + after
    if b"}" in brackets:
        yield finish + inside + brackets.replace(b"}", b";}") + after


def _point(line_starts: list[int], offset: int, text: bytes) -> Point:
    row = bisect_right(line_starts, offset) - 1
    return Point(row, offset - line_starts[row])


def _point_in(text: bytes) -> Point:
    return Point(text.count(b"\n"), len(text) - text.rfind(b"\n") - 1)
