"""Who is told how far a pass over a text has come, and who may stop it."""

from __future__ import annotations

from collections.abc import Callable

from tokenscope_core.jobs.analysis_tasks import Report

__all__ = ["Cancelled", "Report", "never", "silent"]

Cancelled = Callable[[], bool]
"""Asked after each layer whether to stop."""


def silent(done: int, total: int) -> None:
    """Tell nobody."""


def never() -> bool:
    """Nobody cancels."""
    return False
