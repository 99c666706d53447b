"""Where each token of a text stands, as numbers that can be compared: same line, same function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core.steps import Ints
from tokenscope_core.syntax.frames import Syntax, analyse, line_ends, syntax_frame
from tokenscope_core.trace import Trace

NOWHERE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The tokens of a text, int64 [T] each.

    `line`, `statement` (the innermost whole one) and `function` (the innermost, by its dotted name)
    are equal for tokens in the same and `NOWHERE` for tokens in none; without a known language no
    token is in a statement or function. Tokens are placed whole, as in `syntax_frame`.
    """

    token_ids: Ints
    prompt_length: int
    line: Ints
    statement: Ints
    function: Ints
    language: str | None = None

    @classmethod
    def of(cls, trace: Trace | Syntax, language: str | None = "python") -> Places:
        """Read them off a trace, or off what `analyse` made of it.

        Raises:
            RequestError: no such language.
        """
        if isinstance(trace, Trace) and language is not None:
            trace = analyse(trace, language)
        if isinstance(trace, Trace):
            statement = function = np.full(len(trace), NOWHERE)
        else:
            language, frame = trace.language, syntax_frame(trace)
            statement, function = _statements(frame, len(trace.trace.text_bytes)), _functions(frame)
            trace = trace.trace
        line = np.searchsorted(line_ends(trace), trace.byte_start, side="right")
        return cls(trace.token_ids, trace.prompt_length, line, statement, function, language)


def _statements(frame: pd.DataFrame, text_bytes: int) -> Ints:
    start = frame["unit_start"].fillna(0).to_numpy(dtype=np.int64)
    end = frame["unit_end"].fillna(text_bytes).to_numpy(dtype=np.int64)
    # What is in no statement has the whole text for its unit.
    inside = (start > 0) | (end < text_bytes)
    return np.where(inside, start * (text_bytes + 1) + end, NOWHERE)


def _functions(frame: pd.DataFrame) -> Ints:
    name = frame["function"].replace("", None)
    return pd.factorize(name)[0].astype(np.int64)
