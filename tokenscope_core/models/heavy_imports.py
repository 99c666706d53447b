"""torch and transformers, imported when they are first needed, by one thread at a time."""

from __future__ import annotations

import importlib
import os
import threading

_ONE_AT_A_TIME = threading.Lock()


def import_engine() -> None:
    """Import what reads and runs models; returns at once where that has happened.

    transformers fills its modules lazily: of two threads that import it for the first time at once,
    one can find it half made and fail.
    """
    # OpenMP's busy waiting starves the pages on a machine with few cores. torch reads this once.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with _ONE_AT_A_TIME:
        importlib.import_module("tokenscope_core.models.language_model")
