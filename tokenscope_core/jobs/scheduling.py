"""What the workers of a service do next, and with which models in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from tokenscope_core.errors import TokenScopeError
from tokenscope_core.failures import log_place
from tokenscope_core.jobs.activity_log import Activity, Outcome
from tokenscope_core.jobs.job import Phase, Place, Work
from tokenscope_core.jobs.model_pool import ModelPool
from tokenscope_core.jobs.queueing import require_room
from tokenscope_core.jobs.worker import Worker
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.facts import facts_of
from tokenscope_core.models.files.load_progress import LoadProgress, LoadStopped, Report
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.loading import fetch
from tokenscope_core.record.trace import Trace
from tokenscope_core.settings import Limits

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel

_LOG = logging.getLogger(__name__)

Load = Callable[[ModelFiles, ModelChoice, Report], "LanguageModel"]


class Scheduler:
    """The `Host` of all workers: gives them jobs, and makes their models ready.

    Its queues are guarded by `changed`, which is notified of jobs and models that come and go.
    """

    def __init__(
        self, limits: Limits, *, load: Load, save: Callable[[Trace], None], activity: Activity
    ) -> None:
        """
        Args:
            limits: what the server takes on.
            load: loads a model whose files are there.
            save: puts a trace into the store.
            activity: where outcomes are counted.
        """
        self.pool = ModelPool(limits)
        self.changed = self.pool.changed
        self._limits = limits
        self._load = load
        self._save = save
        self._activity = activity

    def enqueue(self, job: Work) -> None:
        """Let a job wait for its model.

        Raises:
            QueueFullError: too many wait, for that model or in all.
        """
        with self.changed:
            for worker in self.pool.workers():
                self._drop_unwanted(worker)
            require_room("that wait on this server", self.pool.waiting(), self._limits.waiting)
            known = self.pool.get(job.model)
            waiting = 0 if known is None else len(known.waiting)
            require_room(f"that wait for “{job.model}”", waiting, self._limits.waiting_per_model)
            self.pool.use(self, job.model).waiting.append(job)
            self.changed.notify_all()

    def place(self, job: Work) -> Place | None:
        """Where a job stands in its queue; None where it does not wait.

        One that nobody wants any more is taken out of the queue and ends.
        """
        with self.changed:
            worker = self.pool.get(job.model)
            if worker is None:
                return None
            if not worker.thread.is_alive() and not worker.closing:
                # As after a fork, which takes no threads along.
                self.thread_ended(worker, RuntimeError("no thread"))
            self._drop_unwanted(worker)
            return worker.place_of(job)

    def next_job(self, worker: Worker) -> Work | None:
        """The next job somebody still wants; None when the worker should end."""
        with self.changed:
            worker.job = None
            self.changed.notify_all()
            while not worker.closing:
                self._drop_unwanted(worker)
                if worker.waiting:
                    self.pool.make_way(worker)
                    worker.job = worker.waiting.take()
                    return worker.job
                if worker.lm is None:
                    self.pool.dismiss(worker)
                    return None
                self.changed.wait()
            self._drop(worker, lambda job: True)
            return None

    def note_end(self, job: Work, seconds: float) -> None:
        """Count what became of a job."""
        outcomes: dict[Phase, Outcome] = {"done": "done", "failed": "failed"}
        self._activity.note(outcomes.get(job.phase, "stopped"), job, seconds)

    def thread_ended(self, worker: Worker, error: BaseException) -> None:
        """A worker's thread has ended though it should go on: what it had in hand fails, and what
        waits goes on in a new thread. Where this one had not come as far as a job, no other would,
        and all fails."""
        with self.changed:
            in_hand, worker.job, worker.loading = worker.job, None, False
            failed = [in_hand] if in_hand is not None and not in_hand.ended else []
            goes_on = worker.took_a_job and not worker.closing
            if goes_on:
                try:
                    worker.start()
                except TokenScopeError as no_room:
                    error, goes_on = no_room, False
            if not goes_on:
                failed += worker.waiting.drop(lambda job: True)
                self.pool.dismiss(worker)
            for job in failed:
                job.fail_with_nothing(error)
            self.changed.notify_all()
        for job in failed:
            self._activity.note("failed", job)

    def wanted(self, worker: Worker, job: Work) -> bool:
        """Whether the worker should go on with a job."""
        return not worker.closing and job.wanted(self._limits.grace_s)

    def save(self, trace: Trace) -> None:
        """Put a trace into the store."""
        self._save(trace)

    def make_ready(self, worker: Worker, job: Work) -> LanguageModel | None:
        """Load the worker's model for a job; None where nobody wants it any more.

        Raises: as `loading.fetch`, `ModelPool.make_room` and `loading.load`.
        """
        tokens = job.tokens
        try:
            files = fetch(
                worker.choice,
                tokens=tokens,
                check_memory=self._limits.memory_check,
                report=job.loading,
                wanted=lambda: self.wanted(worker, job) or bool(worker.waiting),
            )
        except LoadStopped:
            return None
        has_room = self.pool.make_room(
            worker,
            facts_of(files),
            tokens=tokens,
            wanted=lambda: self.wanted(worker, job),
            waiting=lambda: job.loading(LoadProgress("waiting")),
        )
        if not has_room:
            return None
        lm = self._load(files, worker.choice, job.loading)
        lm.prefixes.limit_bytes = self._limits.prefix_cache_mb * 10**6
        return lm

    def _drop_unwanted(self, worker: Worker) -> None:
        self._drop(worker, lambda job: not job.wanted(self._limits.grace_s))

    def _drop(self, worker: Worker, which: Callable[[Work], bool]) -> None:
        for job in worker.waiting.drop(which):
            try:
                job.stop(self._save)
            except Exception as error:
                log_place(_LOG, "A run that waited could not be stopped", error)
                job.fail_with_nothing(error)
            self._activity.note("stopped", job)
