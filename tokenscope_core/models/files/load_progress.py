"""How far a model has come on its way from the hub and the disk into memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


class LoadStopped(Exception):  # noqa: N818 - nothing went wrong
    """Nobody wants the model any more; what has arrived is kept for the next time."""


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """Bytes downloaded, read or loaded so far, of how many; `total` is None while it is unknown.

    `converting` counts tensors instead, of a GGUF file that becomes safetensors, once.
    `identifying` reads files for the hash that names them, once. `waiting` is for running models to
    end, so that there is room in memory; `starting` for the libraries that run models to be
    imported, which takes seconds the first time.
    """

    stage: Literal["downloading", "converting", "identifying", "waiting", "starting", "loading"]
    done: int = 0
    total: int | None = None


Report = Callable[[LoadProgress], None]
