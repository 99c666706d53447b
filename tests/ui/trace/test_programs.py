"""Programs are remembered for all visitors: for the trace that they are of, and no other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_traces import made

from tokenscope_core import Trace
from tokenscope_ui.server.lru_cache import Remembered
from tokenscope_ui.trace import code_standing, programs
from tokenscope_ui.trace.programs import program_of


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_programs", Remembered(10**8))


def test_a_trace_that_is_loaded_twice_is_one_program() -> None:
    stored = made(["def f():\n", "    return", " 1\n"]).to_bytes()
    assert program_of(Trace.from_bytes(stored)) is program_of(Trace.from_bytes(stored))


def test_a_file_with_other_tokens_under_the_key_of_a_run_takes_nothing_over() -> None:
    real = made(["def f():\n", "    return", " 1\n"])
    forged = dataclasses.replace(made(["def f(", ")", ") ="]), request=real.request)
    assert forged.key == real.key
    assert code_standing.at_end(forged) == "broken"
    program_of(forged)
    assert program_of(real).trace.text == real.text
    assert code_standing.at_end(real) == "complete"


def test_figures_that_come_later_are_those_that_are_shown() -> None:
    measured = made(["a", " = ", "1\n"], finish_reason="cancelled")
    waiting = {name: np.full_like(column, np.nan) for name, column in measured.metrics.items()}
    unmeasured = dataclasses.replace(measured, metrics=waiting)
    assert unmeasured.key == measured.key
    program_of(unmeasured)
    assert program_of(measured).trace.surprisal[1] == measured.surprisal[1]
