"""Waiting for what another thread does, and holding a run until a test has looked at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tokenscope_core import LanguageModel, ModelChoice
from tokenscope_core.models.files.load_progress import Report
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.loading import load

# Reached only where something fails, so that a busy machine may take its time.
WAIT_S = 120.0


def until(holds: Callable[[], object], expected: str) -> None:
    """Wait until something holds; where it never does, the test fails with what was expected."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"{expected}: not within {WAIT_S:.0f} s"
        time.sleep(0.001)


class Pausing:
    """Loads at once; the first model is run a few times and goes on when it is told to.

    The first of these is over the prompt, and each of the others writes a token.
    """

    def __init__(self, *, after: int = 3) -> None:
        self.go_on = threading.Event()
        self._after = after
        self._loads = self._passes = 0

    def __call__(self, files: ModelFiles, choice: ModelChoice, report: Report) -> LanguageModel:
        lm = load(files, choice, report)
        self._loads += 1
        if self._loads == 1:
            lm.model.base_model.register_forward_hook(self._wait)
        return lm

    def _wait(self, *_: object) -> None:
        self._passes += 1
        assert self._passes <= self._after or self.go_on.wait(WAIT_S)
