"""How long the reading of a text may take.

A parser that follows many readings of a text at once, as for `A<A<A<` in C++, may take time that
grows with a power of the length. What took too long is given up and said to be missing.
"""

from __future__ import annotations

import time

from tree_sitter import Parser, Point, Tree

# Some five times what the slowest reading of usual code takes: a megabyte of Python, token by
# token, about 4 s.
SECONDS = 4.0
SECONDS_PER_MEGABYTE = 20.0
_CHUNK = 65_536


class OutOfTime(Exception):  # noqa: N818 (not an error: caught where it was begun)
    """The budget of a reading is spent."""


class Budget:
    """CPU seconds of this thread, from now on; a busy machine does not shorten them."""

    def __init__(self, seconds: float) -> None:
        self._until = time.thread_time() + seconds

    @classmethod
    def of(cls, text: bytes) -> Budget:
        """What the reading of a whole text may take."""
        return cls(SECONDS + SECONDS_PER_MEGABYTE * len(text) / 1e6)

    def share(self) -> Budget:
        """Half of what is left, so that one part of a text does not use up that of the next."""
        return Budget((self._until - time.thread_time()) / 2)

    def check(self) -> None:
        """Go on, or not.

        Raises:
            OutOfTime: it is spent.
        """
        if time.thread_time() >= self._until:
            raise OutOfTime


def parse_within(parser: Parser, text: bytes, budget: Budget, old: Tree | None = None) -> Tree:
    """Parse any bytes, on top of a tree if there is one.

    Raises:
        OutOfTime: it takes longer than the budget allows.
    """

    def read(at: int, _point: Point) -> bytes:
        return text[at : at + _CHUNK]

    def progress(_offset: int, _error: bool) -> bool:
        budget.check()
        return False

    budget.check()
    try:
        if old is None:
            return parser.parse(read, progress_callback=progress)
        return parser.parse(read, old, progress_callback=progress)
    except OutOfTime:
        parser.reset()  # or it would go on where it stopped
        raise
