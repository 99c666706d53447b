"""Runs requests in the background: one worker a loaded model, a queue, results in the store.

Any number of browser sessions share a model and never run it at once. Equal requests share one
run. A request answered from the store imports neither torch nor the model.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tokenscope_core.activity import Activity, Outcome
from tokenscope_core.analyses import Analysis, Bounded
from tokenscope_core.analysis_jobs import AnalysisJob, AnalysisTicket
from tokenscope_core.answers import Answers
from tokenscope_core.errors import ModelError, QueueFullError
from tokenscope_core.hub import DownloadStopped
from tokenscope_core.job_base import AnyWork, Phase, Place, Work
from tokenscope_core.jobs import Job, JobView, Ticket
from tokenscope_core.limits import Limits
from tokenscope_core.load_progress import LoadProgress, Report
from tokenscope_core.loading import fetch, load, require_fit
from tokenscope_core.machine import devices, require_device
from tokenscope_core.model_choice import ModelChoice
from tokenscope_core.model_facts import ModelFacts, facts_of
from tokenscope_core.model_files import ModelFiles, find
from tokenscope_core.model_pool import LoadedModel, ModelPool, Queue
from tokenscope_core.model_sources import require_allowed
from tokenscope_core.queueing import require_room
from tokenscope_core.request import Request
from tokenscope_core.store import Store
from tokenscope_core.tasks import Prompted, Task, tokens_of_task
from tokenscope_core.trace import Trace
from tokenscope_core.worker import Worker

if TYPE_CHECKING:
    from tokenscope_core.models import LanguageModel

# Ended runs that a reload can still find by their id; their traces stay in memory.
_REMEMBERED_JOBS = 32

Load = Callable[[ModelFiles, ModelChoice, Report], "LanguageModel"]


class GenerationService:
    """Submits, coalesces and remembers runs. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        *,
        limits: Limits | None = None,
        load: Load = load,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.limits = limits or Limits()
        self._load = load
        self._clock = clock
        self._pool = ModelPool(self.limits)
        self._changed = self._pool.changed
        self._jobs: OrderedDict[str, Work] = OrderedDict()
        self._answers = Answers(store)
        self.activity = Activity()

    def submit(
        self,
        model: str | ModelChoice,
        wanted: Request | Task,
        subscriber: str,
        *,
        purpose: str = "",
    ) -> Ticket:
        """Ask for a run; returns at once.

        Complete traces in the store answer immediately; an equal run in progress is joined. Where a
        subscriber may want the same run in several places, `purpose` names the place: to stop it in
        one leaves the others alone.

        Raises:
            ModelNotAllowedError: the operator does not offer the model.
            ModelFormatError: the model is not on this machine as named.
            ModelTooLargeError: it would not fit even if nothing else were in memory.
            ModelError: this machine has no such device.
            QueueFullError: too many runs wait, for this model or in all, or too many of this
                subscriber's.
        """
        task: Task = Prompted(wanted) if isinstance(wanted, Request) else wanted
        choice = ModelChoice.of(model)
        require_allowed(choice.name)
        files = find(choice.name)
        choice = _plain(choice, files)
        stored = self._stored(choice, files, task)
        if not stored and files is not None and self.limits.memory_check:
            require_fit(choice, facts_of(files), tokens=tokens_of_task(task))
        job_id = job_id_of(choice, task.recipe())
        with self._changed:
            if stored:
                job = Job(job_id, choice, task, clock=self._clock)
                self._remember(job)
                job.end("done", stored, from_store=True)
                self.activity.note("from store", job)
                return Ticket(job, subscriber, purpose=purpose, place=self._place, keep=self.keep)
            known = self._jobs.get(job_id)
            if isinstance(known, Job) and self._can_be_joined(known):
                self.activity.note("joined", known)
            else:
                job = Job(job_id, choice, task, clock=self._clock)
                known = self._enqueue(job, subscriber)
            return Ticket(known, subscriber, purpose=purpose, place=self._place, keep=self.keep)

    def analyse(
        self, model: str | ModelChoice, analysis: Analysis, subscriber: str
    ) -> AnalysisTicket:
        """Ask for something to be computed about traces; returns at once.

        A result that the store has answers immediately; an equal analysis in progress is joined.

        Raises: as `submit`, and
            RequestError: it would take more memory than one analysis may.
        """
        choice = ModelChoice.of(model)
        require_allowed(choice.name)
        files = find(choice.name)
        choice = _plain(choice, files)
        kept = self.kept(analysis)
        if kept is None and files is not None:
            self._require_room(choice, facts_of(files), analysis)
        job_id = job_id_of(choice, analysis.recipe())
        job = AnalysisJob(
            job_id, choice, analysis, clock=self._clock, keep_result=self._answers.keep_result
        )
        if kept is not None:
            job.answer(kept)
            self.activity.note("from store", job)
            return AnalysisTicket(job, subscriber, place=self._place, keep=self.keep)
        with self._changed:
            known = self._jobs.get(job_id)
            if isinstance(known, AnalysisJob) and self._can_be_joined(known):
                self.activity.note("joined", known)
            else:
                known = self._enqueue(job, subscriber)
            return AnalysisTicket(known, subscriber, place=self._place, keep=self.keep)

    def kept(self, analysis: Analysis) -> Any:
        """The whole result of an analysis where the store has it, else None; computes nothing."""
        return self._answers.result(analysis)

    def attach(self, job_id: str, subscriber: str, *, purpose: str = "") -> Ticket | None:
        """Take hold of a run by its id, after a reload, `purpose` as of `submit`; None when it is
        not known here."""
        with self._changed:
            job = self._jobs.get(job_id)
            if not isinstance(job, Job):
                return None
            return Ticket(job, subscriber, purpose=purpose, place=self._place, keep=self.keep)

    def lose(self, subscriber: str) -> None:
        """A subscriber's connection is gone: its runs end unless it is back within the grace."""
        with self._changed:
            for job in self._jobs.values():
                job.lose(subscriber)

    def keep(self, trace: Trace) -> None:
        """Put a trace into the store; where that is impossible the trace itself is not lost."""
        self._answers.keep(trace)

    def loaded_models(self) -> tuple[LoadedModel, ...]:
        """The models in memory, least recently used first."""
        return self._pool.loaded()

    def queues(self) -> tuple[Queue, ...]:
        """What every model has before it."""
        return self._pool.queues()

    def loaded_model(self, model: str | ModelChoice) -> LoadedModel | None:
        """The model as it is in memory; None where it is not."""
        choice = ModelChoice.of(model)
        try:
            plain = _plain(choice, find(choice.name))
        except ModelError:
            return None
        return next((held for held in self.loaded_models() if held.choice == plain), None)

    def unload(self, model: str | ModelChoice) -> bool:
        """Take a model out of memory; False when it was not there.

        Raises:
            ModelError: it is running, or runs wait for it.
        """
        choice = ModelChoice.of(model)
        return self._pool.unload(_plain(choice, find(choice.name)))

    def close(self) -> None:
        """End all runs and workers."""
        self._pool.close()

    def _stored(
        self, choice: ModelChoice, files: ModelFiles | None, task: Task
    ) -> tuple[Trace, ...]:
        """The traces of a task where the store holds them all, else none."""
        if files is None:
            return ()
        return self._answers.traces(task.keys(files.fingerprint_in(choice.dtype)))

    def _require_room(self, choice: ModelChoice, facts: ModelFacts, analysis: Analysis) -> None:
        if self.limits.memory_check:
            require_fit(choice, facts, tokens=analysis.tokens)
        if isinstance(analysis, Bounded):
            analysis.require_room(facts, self.limits.capture_mb * 10**6)

    def _can_be_joined(self, job: Work) -> bool:
        """Whether it will go on: one that nobody wants any more is about to be stopped."""
        return not job.ended and job.wanted(self.limits.grace_s)

    def _enqueue(self, job: AnyWork, subscriber: str) -> AnyWork:
        try:
            self._require_place(job, subscriber)
        except QueueFullError:
            self.activity.note("refused", job)
            raise
        self._remember(job)
        self._pool.use(self, job.model).waiting.append(job)
        self._changed.notify_all()
        return job

    def _require_place(self, job: Work, subscriber: str) -> None:
        unfinished = [known for known in self._jobs.values() if not known.ended]
        own = sum(subscriber in known.subscribers for known in unfinished)
        require_room("of yours that wait or run", own, self.limits.jobs_per_visitor)
        require_room("that wait on this server", self._pool.waiting(), self.limits.waiting)
        worker = self._pool.use(self, job.model)
        self._drop_unwanted(worker)
        of_model = f"that wait for “{job.model}”"
        require_room(of_model, len(worker.waiting), self.limits.waiting_per_model)

    def _remember(self, job: Work) -> None:
        self._jobs[job.job_id] = job
        self._jobs.move_to_end(job.job_id)
        excess = len(self._jobs) - _REMEMBERED_JOBS
        for place, (job_id, known) in enumerate(list(self._jobs.items())):
            # Nobody finds an analysis by its id; what it found can be large.
            if known.ended and (place < excess or isinstance(known, AnalysisJob)):
                del self._jobs[job_id]

    def _place(self, job: Work) -> Place | None:
        with self._changed:
            worker = self._pool.get(job.model)
            if worker is None:
                return None
            self._drop_unwanted(worker)
            return worker.place_of(job)

    def _drop_unwanted(self, worker: Worker) -> None:
        for job in worker.waiting.drop(lambda job: not job.wanted(self.limits.grace_s)):
            job.stop(self.keep)

    # The workers' side: what `worker.Host` asks for.

    def next_job(self, worker: Worker) -> Work | None:
        """The next job somebody still wants; None when the worker should end."""
        with self._changed:
            worker.job = None
            self._changed.notify_all()
            while not worker.closing:
                self._drop_unwanted(worker)
                if worker.waiting:
                    worker.job = worker.waiting.take()
                    return worker.job
                self._changed.wait()
            return None

    def note_end(self, job: Work, seconds: float) -> None:
        """Count what became of a job."""
        outcomes: dict[Phase, Outcome] = {"done": "done", "failed": "failed"}
        self.activity.note(outcomes.get(job.phase, "stopped"), job, seconds)

    def wanted(self, worker: Worker, job: Work) -> bool:
        """Whether the worker should go on with a job."""
        return not worker.closing and job.wanted(self.limits.grace_s)

    def make_ready(self, worker: Worker, job: Work) -> LanguageModel | None:
        """Load the worker's model for a job; None where nobody wants it any more.

        Raises: as `loading.fetch`, `ModelPool.make_room` and `loading.load`.
        """
        tokens = job.tokens
        try:
            files = fetch(
                worker.choice,
                tokens=tokens,
                check_memory=self.limits.memory_check,
                report=job.loading,
                wanted=lambda: self.wanted(worker, job) or bool(worker.waiting),
            )
        except DownloadStopped:
            return None
        has_room = self._pool.make_room(
            worker,
            facts_of(files),
            tokens=tokens,
            wanted=lambda: self.wanted(worker, job),
            waiting=lambda: job.loading(LoadProgress("waiting")),
        )
        if not has_room:
            return None
        lm = self._load(files, worker.choice, job.loading)
        lm.prefixes.limit_bytes = self.limits.prefix_cache_mb * 10**6
        return lm


def job_id_of(choice: ModelChoice, recipe: dict[str, Any]) -> str:
    """Names a job before its model has been found (SHA-256, hex)."""
    named = json.dumps({"model": choice.to_json(), **recipe}, sort_keys=True)
    return hashlib.sha256(named.encode("ascii")).hexdigest()


def _plain(choice: ModelChoice, files: ModelFiles | None) -> ModelChoice:
    """The same choice without what is its default anyway: equal choices then share a worker.

    Raises:
        ModelError: this machine has no such device.
    """
    if choice.device is not None:
        require_device(choice.device)
        if choice.device == devices()[0]:
            choice = replace(choice, device=None)
    if files is not None and choice.dtype == files.precision:
        choice = replace(choice, dtype=None)
    return choice


__all__ = ["GenerationService", "JobView", "Limits", "LoadedModel", "Ticket", "job_id_of"]
