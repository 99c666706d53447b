"""The highest rise of a process's memory during an action, as Linux tells it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path


def peak_rise_mb(action: Callable[[], object]) -> float:
    """By how much the resident memory rises at most while `action` runs; NaN where unknown."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
        before = _status_mb("VmRSS")
        action()
        return _status_mb("VmHWM") - before
    except OSError:
        return math.nan


def _status_mb(name: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no {name}")
