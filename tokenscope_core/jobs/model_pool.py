"""The models in memory, a worker each: who may come in, and who has to leave for it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenscope_core.errors import ModelError
from tokenscope_core.jobs.job import Phase
from tokenscope_core.jobs.worker import Host, Worker, release_memory
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.facts import ModelFacts
from tokenscope_core.models.files.machine import devices, memory_of
from tokenscope_core.models.files.memory_need import memory_need, shortage
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.settings import Limits

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import Capabilities

# Memory that another program frees announces itself to nobody.
_RECHECK_S = 1.0
# How long a run waits for room beside models that are never idle before one of them makes way.
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory: how many bytes it takes, where, what it was found able to do, and the
    files it was loaded from, as they were then."""

    choice: ModelChoice
    bytes: int
    device: str
    capabilities: Capabilities
    files: ModelFiles
    idle: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """What a model has before it: the phase of the job in hand, where there is one, the jobs that
    wait, and about how many seconds all of it takes; None where that is not known."""

    choice: ModelChoice
    phase: Phase | None
    waiting: int
    seconds: float | None


class ModelPool:
    """The workers of a service, least recently used first, all guarded by `changed`."""

    def __init__(self, limits: Limits) -> None:
        self.changed = threading.Condition(threading.RLock())
        self._limits = limits
        self._workers: OrderedDict[ModelChoice, Worker] = OrderedDict()
        # Who waits for room, since when; and who made way for whom.
        self._asking: dict[Worker, float] = {}
        self._left_for: dict[Worker, Worker] = {}

    def get(self, choice: ModelChoice) -> Worker | None:
        """The worker of a model, where it has one."""
        with self.changed:
            return self._workers.get(choice)

    def use(self, host: Host, choice: ModelChoice) -> Worker:
        """The worker of a model, which becomes the most recently used."""
        with self.changed:
            if choice not in self._workers:
                self._workers[choice] = Worker(host, choice)
            self._workers.move_to_end(choice)
            return self._workers[choice]

    def workers(self) -> tuple[Worker, ...]:
        """All workers, the least recently used first."""
        with self.changed:
            return tuple(self._workers.values())

    def dismiss(self, worker: Worker) -> None:
        """Forget a worker that ends because it has neither a model nor anything to do."""
        with self.changed:
            self._left_for.pop(worker, None)
            if self._workers.get(worker.choice) is worker:
                del self._workers[worker.choice]

    def queues(self) -> tuple[Queue, ...]:
        """What every worker has before it, the least recently used first."""
        with self.changed:
            return tuple(
                Queue(
                    choice,
                    None if worker.job is None else worker.job.phase,
                    len(worker.waiting),
                    worker.seconds_left(),
                )
                for choice, worker in self._workers.items()
            )

    def waiting(self) -> int:
        """How many jobs wait, for all models together."""
        with self.changed:
            return sum(len(worker.waiting) for worker in self._workers.values())

    def loaded(self) -> tuple[LoadedModel, ...]:
        """The models in memory, least recently used first."""
        with self.changed:
            held = [(worker.choice, worker.lm, worker.idle) for worker in self._workers.values()]
        return tuple(
            LoadedModel(
                choice=choice,
                bytes=lm.model.get_memory_footprint(),
                device=str(lm.device),
                capabilities=lm.capabilities,
                files=lm.files,
                idle=idle,
            )
            for choice, lm, idle in held
            if lm is not None
        )

    def fingerprint(self, choice: ModelChoice) -> str | None:
        """The fingerprint of a model as it is in memory; None where it is not."""
        with self.changed:
            worker = self._workers.get(choice)
            lm = None if worker is None else worker.lm
        return None if lm is None else lm.identity.fingerprint

    def unload(self, choice: ModelChoice) -> bool:
        """Take a model out of memory; False when it was not there.

        Raises:
            ModelError: it is running, or runs wait for it.
        """
        with self.changed:
            worker = self._workers.get(choice)
            if worker is None or worker.lm is None:
                return False
            if not worker.idle:
                raise ModelError(
                    asked=f"The model “{choice}” was to be unloaded.",
                    found=f"It is running; runs that wait for it: {len(worker.waiting)}.",
                    action="Try again when they have ended.",
                )
            self._evict(worker)
        return True

    def make_room(
        self,
        worker: Worker,
        facts: ModelFacts,
        *,
        tokens: int,
        wanted: Callable[[], bool],
        waiting: Callable[[], None],
    ) -> bool:
        """Wait until one more model may be in memory, unloading idle ones, oldest first.

        Where none is idle for long, one makes way between two runs (`make_way`).

        Args:
            worker: whose model it is.
            facts: of the model.
            tokens: how long its run gets, about.
            wanted: asked whether to go on; where not, the answer is False.
            waiting: told when running models have to end first.

        Raises:
            ModelTooLargeError: it would not fit if all the others had left.
        """
        worker.need = memory_need(facts, dtype=worker.choice.dtype).weights
        with self.changed:
            self._asking[worker] = time.monotonic()
            try:
                while wanted():
                    if self._has_room(worker, facts, tokens):
                        worker.loading = True
                        return True
                    waiting()
                    self.changed.wait(_RECHECK_S)
                return False
            finally:
                del self._asking[worker]
                over = [w for w, other in self._left_for.items() if worker in (w, other)]
                for made_way in over:
                    del self._left_for[made_way]
                self.changed.notify_all()

    def make_way(self, worker: Worker) -> None:
        """Unload a model between two of its runs where another has waited too long for room.

        The next run loads it again, once that other has had its room.
        """
        with self.changed:
            late = time.monotonic() - PATIENCE_S
            waiter = next((w for w, since in self._asking.items() if since <= late), None)
            if waiter is None or worker.lm is None:
                return
            # It may take more than one; the next is asked after as long a time.
            self._asking[waiter] = time.monotonic()
            self._left_for[worker] = waiter
            worker.lm = None
            release_memory()
            self.changed.notify_all()

    def close(self) -> None:
        """End all workers."""
        with self.changed:
            for worker in self._workers.values():
                worker.closing = True
            self.changed.notify_all()
            threads = [worker.thread for worker in self._workers.values()]
        for thread in threads:
            thread.join(timeout=10.0)

    def _has_room(self, worker: Worker, facts: ModelFacts, tokens: int) -> bool:
        """Whether one more model may be in memory now, once idle ones have left."""
        if self._left_for.get(worker) in self._asking:
            return False
        while True:
            others = [w for w in self._workers.values() if w.lm is not None or w.loading]
            short = None
            if self._limits.memory_check:
                present = self._free(worker, others)
                short = shortage(worker.choice, facts, tokens=tokens, present=present)
            if short is None and len(others) < self._limits.loaded_models:
                return True
            idle = next((w for w in others if w.idle), None)
            if idle is not None:
                self._evict(idle)
            elif others:
                return False
            elif short is not None:
                raise short

    def _free(self, worker: Worker, others: list[Worker]) -> int:
        """The bytes free on the worker's device, less what is about to be loaded there."""
        device = worker.choice.device or devices()[0]
        # One whose first run goes on has arrived: what it takes is no longer free.
        arriving = [w for w in others if w.lm is None and w.choice.device == worker.choice.device]
        return memory_of(device).available - sum(w.need for w in arriving)

    def _evict(self, worker: Worker) -> None:
        worker.closing = True
        worker.lm = None
        del self._workers[worker.choice]
        self.changed.notify_all()
        release_memory()
