"""At which tokens hindsight is worth its cost: those more surprising than the model expected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.folding.frames import syntax_frame
from tokenscope_core.syntax.program import Program

# Surprisal less entropy (typicality, arXiv:2202.00666), nats.
LEAST_TYPICALITY = 1.0
# What people name and tell: surprising, and seldom wrong.
PROSE = frozenset({"comment", "docstring", "function name", "class name", "parameter"})


def askable(trace: Trace) -> list[int]:
    """The positions that have another candidate and a rest in their window, ascending."""
    other = (trace.candidate_ids >= 0) & (trace.candidate_ids != trace.token_ids[:, None])
    can = other.any(axis=1) & ~np.isnan(trace.logprob)
    can[-1:] = False
    can[trace.seams - 1] = False
    found: list[int] = np.flatnonzero(can).tolist()
    return found


def surprising(program: Program, *, prose: bool = False) -> list[int]:
    """Those of them that are more surprising than expected, the most surprising first.

    Args:
        program: the trace.
        prose: whether definition names, docstrings and comments are among them.
    """
    trace = program.trace
    typicality = trace.typicality
    leave_out = np.zeros(len(trace), dtype=bool) if prose else in_prose(program)
    left = [p for p in askable(trace) if typicality[p] >= LEAST_TYPICALITY and not leave_out[p]]
    return sorted(left, key=lambda position: -typicality[position])


def in_prose(program: Program) -> NDArray[np.bool_]:
    """Which tokens are definition names, docstrings or comments, bool [T]."""
    categories = syntax_frame(program)["category"]
    found: NDArray[np.bool_] = categories.isin(PROSE).to_numpy(dtype=bool)
    return found
