"""What each signal says of each line of a function, and what hindsight marks in it."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.hindsight.cases import Case
from tokenscope_core import Hindsight, LanguageModel, Trace, hindsight, score
from tokenscope_core.branches.hindsight import DEFAULT_GIVE_UP
from tokenscope_core.branches.marks import marks
from tokenscope_core.branches.prefilter import in_prose
from tokenscope_core.syntax.folding.frames import syntax_frame
from tokenscope_core.syntax.grammar.categories import GAPS
from tokenscope_core.syntax.program import Program

ONE_PASS = ("surprisal", "typicality", "entropy")


def read(lm: LanguageModel, case: Case, *, thoroughly: bool) -> dict[str, Any]:
    """One row of results, plain JSON values.

    Args:
        lm: the model.
        case: the function.
        thoroughly: whether to read every alternative to the horizon as well, with the time.
    """
    began = time.process_time()
    trace = score(lm, case.text)
    scored = time.process_time()
    program = Program(trace, "python")
    found = hindsight(lm, trace, language="python")
    ended = time.process_time()
    row: dict[str, Any] = asdict(case) | {
        "tokens": len(trace),
        "lines_of_code": _code_lines(program),
        "signals": {name: _by_line(program, trace.column(name)) for name in ONE_PASS},
        "marks": _marks(program, found),
        "asked": len(found.asked),
        "skipped": found.skipped,
        "scoring_s": scored - began,
        "hindsight_s": ended - scored,
        "read": int(found.read.sum()),
    }
    if thoroughly:
        began = time.process_time()
        whole = hindsight(lm, trace, language="python", give_up=None)
        row["thorough"] = {
            "hindsight_s": time.process_time() - began,
            "read": int(whole.read.sum()),
            "marks": _marks(program, whole),
            "given_up_at": DEFAULT_GIVE_UP,
        }
    return row


def _marks(program: Program, found: Hindsight) -> list[list[float]]:
    """(line, log-odds, choice) of every lexeme for which an alternative was read to the end."""
    kept = marks(program, found, threshold=-np.inf, per_function=None, most=None)
    return [[mark.line, mark.log_odds, mark.choice] for mark in kept]


def _code(program: Program) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The tokens that hindsight may mark, bool [T]."""
    gaps = syntax_frame(program)["category"].isin(GAPS).to_numpy(dtype=bool)
    known = ~np.isnan(program.trace.logprob)
    return np.asarray(known & ~gaps & ~in_prose(program))


def _line_of_tokens(trace: Trace) -> list[int]:
    return [1 + trace.text_bytes[:start].count(b"\n") for start in trace.byte_start.tolist()]


def _by_line(program: Program, values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    """The largest value on each line of code."""
    best: dict[str, float] = {}
    code = _code(program)
    for position, line in enumerate(_line_of_tokens(program.trace)):
        if code[position]:
            key = str(line)
            best[key] = max(best.get(key, -np.inf), float(values[position]))
    return best


def _code_lines(program: Program) -> dict[str, int]:
    """The length of each line of code, in characters."""
    text = program.trace.text.splitlines()
    code = _code(program)
    lines = _line_of_tokens(program.trace)
    return {str(line): len(text[line - 1]) for line, ok in zip(lines, code, strict=True) if ok}
