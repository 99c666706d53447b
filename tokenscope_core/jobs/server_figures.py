"""What a server holds and does at one moment, for its operator."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from tokenscope_core.jobs.activity_log import Outcome
from tokenscope_core.jobs.model_pool import LoadedModel, Queue
from tokenscope_core.models.files.machine import Memory, main_memory

if TYPE_CHECKING:
    from tokenscope_core.jobs.service import GenerationService


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """A server at one moment.

    - `running_s`: seconds since it began.
    - `own_bytes`, `memory`: what the process takes, and what the machine has.
    - `models`, `queues`: those in memory, and one for each model with a worker.
    - `outcomes`: of everything asked for since it began.
    """

    running_s: float
    own_bytes: int
    memory: Memory
    models: tuple[LoadedModel, ...]
    queues: tuple[Queue, ...]
    outcomes: Mapping[Outcome, int]

    @property
    def hit_rate(self) -> float | None:
        """The share of what was asked for that needed no run of its own; None before anything."""
        answered = self.outcomes["from store"] + self.outcomes["joined"]
        asked = answered + sum(self.outcomes[ended] for ended in ("done", "stopped", "failed"))
        return answered / asked if asked else None

    @classmethod
    def of(cls, service: GenerationService) -> ServerFigures:
        """Look at a service; its store has figures of its own."""
        return cls(
            running_s=time.monotonic() - service.activity.began,
            own_bytes=psutil.Process().memory_info().rss,
            memory=main_memory(),
            models=service.loaded_models(),
            queues=service.queues(),
            outcomes=service.activity.counts(),
        )
