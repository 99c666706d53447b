"""When a soak of the server passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.soak_report import Report

SECONDS = 300
MB = 10**6


def report(held_mb: Callable[[int], float]) -> Report:
    memory = [(float(moment), int(held_mb(moment) * MB)) for moment in range(SECONDS)]
    return Report(SECONDS, memory=memory)


def test_memory_that_rises_only_while_all_is_new_is_flat() -> None:
    warmed_up = report(lambda moment: 600 + min(moment, 120) / 4 + moment % 5)
    assert warmed_up.rise == pytest.approx(0, abs=0.001)
    assert warmed_up.passed


def test_a_leak_of_a_tenth_of_a_megabyte_a_second_is_not_flat() -> None:
    leaking = report(lambda moment: 600 + moment / 10)
    assert leaking.rise == pytest.approx(15 / 622.5, rel=0.02)
    assert not leaking.passed
    assert "not flat" in str(leaking)


def test_memory_that_was_never_measured_is_not_called_flat() -> None:
    assert not Report(SECONDS).passed


@pytest.mark.parametrize("wrong", [{"errors": ["a page failed"]}, {"lost": 1}])
def test_an_error_or_a_lost_run_fails_the_soak(wrong: dict[str, object]) -> None:
    steady = report(lambda moment: 600)
    assert steady.passed
    for name, value in wrong.items():
        setattr(steady, name, value)
    assert not steady.passed
