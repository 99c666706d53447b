"""Runs requests in the background: one worker a loaded model, a queue, results in the store.

Any number of browser sessions share a model and never run it at once. Equal requests share one
run. A request answered from the store imports neither torch nor the model.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenscope_core.errors import QueueFullError, RecordError, RequestError, TokenScopeError
from tokenscope_core.jobs import Job, JobView, Ticket
from tokenscope_core.model_files import ModelFiles, locate, needs_network
from tokenscope_core.request import Request
from tokenscope_core.store import Store
from tokenscope_core.trace import Trace, recipe_key

if TYPE_CHECKING:
    from tokenscope_core.models import LanguageModel

_LOG = logging.getLogger(__name__)
# Ended runs that a reload can still find by their id; their traces stay in memory.
_REMEMBERED_JOBS = 32


@dataclass(frozen=True)
class Limits:
    """What one server takes on. `grace_s`: how long a run outlives its last lost subscriber."""

    waiting_per_model: int = 16
    loaded_models: int = 2
    grace_s: float = 60.0

    @classmethod
    def from_environment(cls) -> Limits:
        """The limits an operator set as TOKENSCOPE_WAITING_PER_MODEL and so on, else the defaults.

        Raises:
            RequestError: a value is not a positive number.
        """
        return cls(
            waiting_per_model=int(_positive("TOKENSCOPE_WAITING_PER_MODEL", cls.waiting_per_model)),
            loaded_models=int(_positive("TOKENSCOPE_LOADED_MODELS", cls.loaded_models)),
            grace_s=_positive("TOKENSCOPE_GRACE_S", cls.grace_s),
        )


def _positive(variable: str, default: float) -> float:
    text = os.environ.get(variable, str(default))
    try:
        value = type(default)(text)
    except ValueError:
        value = 0
    if value <= 0:
        raise RequestError(
            asked=f"{variable} was set to “{text}”.",
            found=f"It must be a positive {'whole ' if isinstance(default, int) else ''}number.",
            action=f"Set it to one, or unset it for {default}.",
        )
    return value


class GenerationService:
    """Submits, coalesces and remembers runs. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        *,
        limits: Limits | None = None,
        load: Callable[[ModelFiles], LanguageModel] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.limits = limits or Limits()
        self._load = load or _load_model
        self._clock = clock
        self._changed = threading.Condition(threading.RLock())
        self._workers: OrderedDict[str, _Worker] = OrderedDict()
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def submit(self, model: str, request: Request, subscriber: str) -> Ticket:
        """Ask for a run; returns at once.

        A complete trace in the store answers immediately; an equal run in progress is joined.

        Raises:
            ModelNotFoundError, ModelFormatError: the model is not on this machine as named.
            QueueFullError: too many runs wait for this model.
        """
        stored = self._stored(model, request)
        job_id = job_id_of(model, request)
        with self._changed:
            if stored is not None:
                job = self._remember(Job(job_id, model, request, clock=self._clock))
                job.end("done", stored, from_store=True)
                return self._ticket(job, subscriber)
            job = self._jobs.get(job_id) or self._enqueue(job_id, model, request)
            if job.view().ended:
                job = self._enqueue(job_id, model, request)
            return self._ticket(job, subscriber)

    def attach(self, job_id: str, subscriber: str) -> Ticket | None:
        """Take hold of a run by its id, after a reload; None when it is not known here."""
        with self._changed:
            job = self._jobs.get(job_id)
            return None if job is None else self._ticket(job, subscriber)

    def lose(self, subscriber: str) -> None:
        """A subscriber's connection is gone: its runs end unless it is back within the grace."""
        with self._changed:
            for job in self._jobs.values():
                job.lose(subscriber)

    def keep(self, trace: Trace) -> None:
        """Put a trace into the store; where that is impossible the trace itself is not lost."""
        try:
            self.store.put(trace)
        except RecordError as error:
            _LOG.warning("Not kept: %s", error)

    def loaded_models(self) -> tuple[str, ...]:
        """The models in memory, least recently used first."""
        with self._changed:
            return tuple(name for name, worker in self._workers.items() if worker.lm is not None)

    def close(self) -> None:
        """End all runs and workers."""
        with self._changed:
            for worker in self._workers.values():
                worker.closing = True
            self._changed.notify_all()
            threads = [worker.thread for worker in self._workers.values()]
        for thread in threads:
            thread.join(timeout=10.0)

    def _stored(self, model: str, request: Request) -> Trace | None:
        if needs_network(model):
            return None
        key = recipe_key(locate(model).fingerprint_in(), request)
        try:
            return self.store.get(key)
        except RecordError as error:
            _LOG.warning("Recomputing %s: %s", key, error)
            self.store.delete(key)
            return None

    def _enqueue(self, job_id: str, model: str, request: Request) -> Job:
        worker = self._workers.get(model)
        if worker is None:
            worker = self._workers[model] = _Worker(self, model)
        if len(worker.waiting) >= self.limits.waiting_per_model:
            raise QueueFullError(
                asked="A run was to be queued.",
                found=f"{len(worker.waiting)} runs are waiting for “{model}” already, "
                "as many as this server allows.",
                action="Try again when some of them have ended.",
            )
        job = self._remember(Job(job_id, model, request, clock=self._clock))
        worker.waiting.append(job)
        self._workers.move_to_end(model)
        self._changed.notify_all()
        return job

    def _remember(self, job: Job) -> Job:
        self._jobs[job.job_id] = job
        self._jobs.move_to_end(job.job_id)
        for job_id in list(self._jobs)[: max(0, len(self._jobs) - _REMEMBERED_JOBS)]:
            if self._jobs[job_id].view().ended:
                del self._jobs[job_id]
        return job

    def _ticket(self, job: Job, subscriber: str) -> Ticket:
        return Ticket(job, subscriber, queue_position=self._queue_position, keep=self.keep)

    def _queue_position(self, job: Job) -> int | None:
        with self._changed:
            worker = self._workers.get(job.model)
            if worker is None or job not in worker.waiting:
                return None
            return worker.waiting.index(job) + (1 if worker.busy else 0)

    # The workers' side.

    def _next_job(self, worker: _Worker) -> Job | None:
        """The next job somebody still wants; None when the worker should end."""
        with self._changed:
            worker.busy = False
            self._changed.notify_all()
            while not worker.closing:
                while worker.waiting:
                    job = worker.waiting.popleft()
                    if job.wanted(self.limits.grace_s):
                        worker.busy = True
                        return job
                    job.end("stopped")
                self._changed.wait()
            return None

    def _make_room(self, worker: _Worker) -> None:
        """Wait until one more model may be in memory, unloading idle ones, oldest first."""
        with self._changed:
            while not worker.closing:
                loaded = [w for w in self._workers.values() if w.lm is not None or w.loading]
                if len(loaded) < self.limits.loaded_models:
                    break
                idle = [w for w in loaded if not w.busy and not w.waiting]
                if not idle:
                    self._changed.wait()
                    continue
                idle[0].closing = True
                idle[0].lm = None
                del self._workers[idle[0].model]
                self._changed.notify_all()
            worker.loading = True


class _Worker:
    """The one thread that runs a model. `waiting`, `busy`, `lm` and `closing` are guarded by the
    service's condition."""

    def __init__(self, service: GenerationService, model: str) -> None:
        self.model = model
        self.waiting: deque[Job] = deque()
        self.busy = False
        self.loading = False
        self.closing = False
        self.lm: LanguageModel | None = None
        self._service = service
        self.thread = threading.Thread(target=self._work, name=f"worker {model}", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        while (job := self._service._next_job(self)) is not None:
            try:
                self._run(job)
            except TokenScopeError as error:
                job.fail(error)
            except Exception as error:
                _LOG.exception("A run on %s failed", self.model)
                job.fail(_unexpected(self.model, error))
            finally:
                self.loading = False

    def _run(self, job: Job) -> None:
        job.loading()
        if self.lm is None:
            self._service._make_room(self)
            self.lm = self._service._load(locate(self.model))
            self.loading = False
        from tokenscope_core import decoding

        lm, grace_s = self.lm, self._service.limits.grace_s
        job.running(lm.identity, lm.vocabulary)
        with closing(decoding.rows(lm, job.request)) as parts:
            for part in parts:
                job.append(part)
                if part.finish_reason is not None:
                    trace = job.trace_so_far(part.finish_reason)
                    assert trace is not None
                    self._service.keep(trace)
                    job.end("done", trace)
                elif self.closing or not job.wanted(grace_s):
                    stopped = job.trace_so_far()
                    if stopped is not None:
                        self._service.keep(stopped)
                    job.end("stopped", stopped)
                    return


def job_id_of(model: str, request: Request) -> str:
    """Names a run before its model has been found (SHA-256, hex)."""
    recipe: dict[str, Any] = {"model": model, "request": request.to_json()}
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode("ascii")).hexdigest()


def _load_model(files: ModelFiles) -> LanguageModel:
    # OpenMP's busy waiting starves the pages on a machine with few cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from tokenscope_core.models import load_model

    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    return load_model(files)


def _unexpected(model: str, error: Exception) -> TokenScopeError:
    return TokenScopeError(
        asked=f"A run on “{model}” was in progress.",
        found=f"It failed unexpectedly: {type(error).__name__}: {error}",
        action="Try again; the server's log has the details.",
    )


__all__ = ["GenerationService", "JobView", "Limits", "Ticket", "job_id_of"]
