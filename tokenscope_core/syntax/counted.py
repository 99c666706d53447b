"""Which tokens of a text count in an aggregate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.record.trace import Trace

Counted = Literal["generated", "prompt", "all"]


def which_count(trace: Trace, counted: Counted) -> Counted:
    """What is really counted: of a text that was given and scored, in which no token was
    generated, "generated" means all of them."""
    nothing_generated = not (trace.source != "prompt").any()
    return "all" if counted == "generated" and nothing_generated else counted


def counted_tokens(trace: Trace, counted: Counted) -> NDArray[np.bool_]:
    """Which tokens count, bool [T]."""
    found = which_count(trace, counted)
    if found == "all":
        return np.ones(len(trace), dtype=np.bool_)
    return np.asarray((trace.source == "prompt") == (found == "prompt"))


def counted_words(traces: Iterable[Trace], counted: Counted) -> str:
    """What is counted of several: one of `Counted`, or how many are counted whole."""
    found = [which_count(trace, counted) for trace in traces]
    kinds = set(found) or {counted}
    if len(kinds) == 1:
        return kinds.pop()
    whole = found.count("all")
    return f"generated; all of {whole} text{'' if whole == 1 else 's'} without any"
