"""Traces read as programs: one value a trace and language, shared by all pages and visitors."""

from __future__ import annotations

from tokenscope_core import Trace
from tokenscope_core.syntax.program import Program
from tokenscope_ui.server.lru_cache import Remembered

_MOST_BYTES = 100 * 10**6
_programs: Remembered[Program] = Remembered(_MOST_BYTES)


def program_of(trace: Trace, language: str | None = None) -> Program:
    """A trace as a program in that language; at None in its own.

    Found by all that the trace holds: a file that somebody brings may have other figures under the
    key of a run, and so has a run that is still being measured.
    """
    if language is not None:
        own = program_of(trace)
        if own.language == language:
            return own
    made = Program(trace, language)
    return _programs.setdefault((trace.content, language), made, made.nbytes)
