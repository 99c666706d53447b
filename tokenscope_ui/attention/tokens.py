"""The tokens of a text by name and place."""

from __future__ import annotations

import numpy as np

from tokenscope_core.caching import lru_cache
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.record.arrays import Ints
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.program import line_ends


def lines_of(trace: Trace) -> Ints:
    """The line each token begins in, by its number in the file, int64 [T]."""
    lines: Ints = trace.first_line + np.searchsorted(
        line_ends(trace), trace.byte_start, side="right"
    )
    return lines


@lru_cache(maxsize=8)
def labels(trace: Trace) -> list[str]:
    """What the tokens of a text are called beside a matrix."""
    pieces = trace.vocabulary.token_bytes
    return [on_one_line(pieces[i]) for i in trace.token_ids.tolist()]
