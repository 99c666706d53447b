"""A trace read as a program: one value, made once and handed to all who ask something of it.

What is asked of it is computed when it is first asked for, within the time a reading may take, and
remembered as long as the value lives: its language, its stretches of code and how far they have
been read, and what `judging` and `folding` make of these.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tokenscope_core.record.arrays import Ints
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.documents.detection import Detected, language_of, regions
from tokenscope_core.syntax.documents.regions import CodeRegion
from tokenscope_core.syntax.grammar.languages import grammar
from tokenscope_core.syntax.unfinished.prefixes import Prefixes

Value = TypeVar("Value")
# Answers remembered at once. Most are about one position, and a page asks about one at a time.
_MOST_ANSWERS = 128
# Measured with everything read that the pages show: a tree's columns take the most.
_BYTES_PER_BYTE = 80
_LEAST_BYTES = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A stretch of a text that is code in a known language.

    `region` is where it stands, `code` what a parser reads of it, `prefixes` how far it was read.
    """

    region: CodeRegion
    code: bytes
    prefixes: Prefixes

    @classmethod
    def of(cls, region: CodeRegion, text: bytes) -> Part:
        """A region of a text, nothing of it read yet."""
        code = region.code(text)
        return cls(region, code, Prefixes(code, grammar(region.language or "")))

    @property
    def language(self) -> str:
        """One of `LANGUAGES`."""
        return self.region.language or ""


class Program:
    """A trace in a language. Safe in several threads: what one computes, others wait for."""

    def __init__(self, trace: Trace, language: str | None = None) -> None:
        """
        Args:
            trace: any.
            language: one of `known_languages`; None takes the trace's own, see `language_of`.
        """
        self.trace = trace
        self._given = language
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.RLock()

    @classmethod
    def of(cls, trace: Trace | Program, language: str | None = None) -> Program:
        """A trace as a program; a program as it is, where no other language is asked for."""
        if isinstance(trace, Program):
            return trace if language in (None, trace.language) else cls(trace.trace, language)
        return cls(trace, language)

    @property
    def detected(self) -> Detected:
        """The trace's own language, how sure that is and why; some 15 ms at first."""
        return self.once("detected", lambda: language_of(self.trace))

    @property
    def language(self) -> str:
        """The language it is read in."""
        return self._given or self.detected.language

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its stretches of code in a known language, in order.

        Raises:
            RequestError: no such language.
        """
        text = self.trace.text_bytes
        return self.once(
            "parts",
            lambda: tuple(Part.of(region, text) for region in regions(self.trace, self.language)),
        )

    def part_at(self, byte: int, *, end_included: bool = False) -> Part | None:
        """The stretch of code that a byte of the text is in, or with its end at or behind which
        it stands; None in prose and in code of an unknown language."""
        for part in self.parts:
            start, end = part.region.start, part.region.end
            if start <= byte < end or (end_included and byte == end):
                return part
        return None

    @property
    def line_ends(self) -> Ints:
        """The bytes after which a new line begins, ascending, int64 [lines]."""
        return self.once("line ends", lambda: line_ends(self.trace))

    def line_of(self, byte: int) -> int:
        """The line that a byte is on, by its number in the file, or from 1."""
        return self.trace.first_line + int(np.searchsorted(self.line_ends, byte, side="right"))

    def once(self, what: Hashable, make: Callable[[], Value]) -> Value:
        """What `make` returns, made once for each `what` and remembered."""
        with self._lock:
            if what not in self._answers:
                self._answers[what] = make()
                if len(self._answers) > _MOST_ANSWERS:
                    self._answers.popitem(last=False)
            self._answers.move_to_end(what)
            found: Value = self._answers[what]
            return found

    @property
    def nbytes(self) -> int:
        """About the memory it takes once all of it has been read, its trace included."""
        return self.trace.nbytes + _LEAST_BYTES + _BYTES_PER_BYTE * len(self.trace.text_bytes)


def line_ends(trace: Trace) -> Ints:
    """The bytes after which a new line begins, int64 [lines]: after a line feed, a carriage return,
    or both."""
    text = np.frombuffer(trace.text_bytes, dtype=np.uint8)
    feed, carriage = text == ord("\n"), text == ord("\r")
    return np.flatnonzero(feed | (carriage & ~np.append(feed[1:], False))) + 1
