"""Where each token of a text stands, as numbers that can be compared: same line, same function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core.steps import Ints
from tokenscope_core.syntax.detection import language_of
from tokenscope_core.syntax.frames import analyse, line_ends, syntax_frame
from tokenscope_core.trace import Trace

NOWHERE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The tokens of a text, int64 [T] each.

    `line`, `statement` (the innermost whole one) and `function` (the innermost, by its dotted name)
    are equal for tokens in the same and `NOWHERE` for tokens in none. Where the language is not
    known (None), no token is in a statement or function. Tokens are placed whole, as in
    `syntax_frame`.
    """

    token_ids: Ints
    prompt_length: int
    line: Ints
    statement: Ints
    function: Ints
    language: str | None = None

    @classmethod
    def of(cls, trace: Trace, language: str | None = None) -> Places:
        """Read them off a trace.

        Args:
            trace: any.
            language: as in `analyse`; None takes the trace's own, or none where that may be prose.

        Raises:
            RequestError: no such language.
        """
        line = np.searchsorted(line_ends(trace), trace.byte_start, side="right")
        if language is None and language_of(trace).maybe_prose:
            nowhere = np.full(len(trace), NOWHERE)
            return cls(trace.token_ids, trace.prompt_length, line, nowhere, nowhere)
        syntax = analyse(trace, language)
        frame = syntax_frame(syntax)
        return cls(
            trace.token_ids,
            trace.prompt_length,
            line,
            _statements(frame, len(trace.text_bytes)),
            _functions(frame),
            syntax.language,
        )


def _statements(frame: pd.DataFrame, text_bytes: int) -> Ints:
    start = frame["unit_start"].fillna(0).to_numpy(dtype=np.int64)
    end = frame["unit_end"].fillna(text_bytes).to_numpy(dtype=np.int64)
    # What is in no statement has the whole text for its unit.
    inside = (start > 0) | (end < text_bytes)
    return np.where(inside, start * (text_bytes + 1) + end, NOWHERE)


def _functions(frame: pd.DataFrame) -> Ints:
    name = frame["function"].replace("", None)
    return pd.factorize(name)[0].astype(np.int64)
