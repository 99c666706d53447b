"""Who is told how far a pass over a text has come, and who may stop it."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[int, int], None]
"""Told how much is done, and of how much."""

Cancelled = Callable[[], bool]
"""Asked after each layer whether to stop."""


def silent(done: int, total: int) -> None:
    """Tell nobody."""


def never() -> bool:
    """Nobody cancels."""
    return False
