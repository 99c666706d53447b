"""How the C library shares memory out among a server's threads."""

from __future__ import annotations

import ctypes
import os
import sys

# Of mallopt(3), M_ARENA_MAX.
_ARENA_MAX = -8
_HEAPS = 2


def share_heaps() -> None:
    """Let all threads to come share two heaps, where the C library is glibc.

    It gives them up to eight a core, and what is free in one serves no other. Visitors come in ever
    new threads, so that a server's memory rose for as long as these heaps filled one by one. An
    operator's MALLOC_ARENA_MAX goes before.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _HEAPS)
