"""Paired timing: both sides in one process, in alternating order, compared run by run.

A ratio of medians would take a slow minute of the machine for a slow program; the median of
ratios of neighbouring runs does not.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians over pairs: ratios candidate / baseline, and each side's CPU milliseconds."""

    cpu_ratio: float
    wall_ratio: float
    baseline_cpu_ms: float
    candidate_cpu_ms: float
    pairs: int


def compare(
    baseline: Callable[[], object], candidate: Callable[[], object], *, pairs: int
) -> Comparison:
    """Time both sides `pairs` times after one warm-up each."""
    baseline()
    candidate()
    timed: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for pair in range(pairs):
        if pair % 2:
            first = _seconds(baseline)
            timed.append((first, _seconds(candidate)))
        else:
            second = _seconds(candidate)
            timed.append((_seconds(baseline), second))
    return Comparison(
        cpu_ratio=statistics.median(c[0] / b[0] for b, c in timed),
        wall_ratio=statistics.median(c[1] / b[1] for b, c in timed),
        baseline_cpu_ms=1000 * statistics.median(b[0] for b, _ in timed),
        candidate_cpu_ms=1000 * statistics.median(c[0] for _, c in timed),
        pairs=pairs,
    )


def _seconds(run: Callable[[], object]) -> tuple[float, float]:
    """CPU time of the whole process and wall time."""
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - cpu, time.perf_counter() - wall
