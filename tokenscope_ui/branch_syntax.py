"""Whether the code of a trace parses."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from tokenscope_core import Trace
from tokenscope_core.syntax.detection import language_of
from tokenscope_core.syntax.validity import regions, standing

Parses = Literal["yes", "unfinished", "no"]
# Best first, for sorting.
ORDER: tuple[Parses, ...] = ("yes", "unfinished", "no")
_OF_STANDING: dict[str, Parses] = {"complete": "yes", "unfinished": "unfinished", "broken": "no"}


@lru_cache(maxsize=1_000)
def parses(trace: Trace) -> Parses | None:
    """Whether a trace's text is valid code, could still become it, or cannot any more.

    Of several fences the worst counts. None where there is no code in a known language.
    """
    found = language_of(trace)
    if found.maybe_prose:
        return None
    verdicts = [
        _OF_STANDING[standing(trace.text_bytes[r.start : r.end], r.language or "")]
        for r in regions(trace, found.language)
    ]
    return max(verdicts, key=ORDER.index, default=None)
