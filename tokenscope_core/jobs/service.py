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
from typing import Any

from tokenscope_core.errors import ModelError, QueueFullError
from tokenscope_core.jobs.activity_log import Activity
from tokenscope_core.jobs.analysis_jobs import AnalysisJob, AnalysisTicket
from tokenscope_core.jobs.analysis_tasks import Analysis, Bounded
from tokenscope_core.jobs.generation_jobs import Job, JobView, Ticket
from tokenscope_core.jobs.generation_tasks import Task, tokens_of_task
from tokenscope_core.jobs.job import AnyWork, Work
from tokenscope_core.jobs.model_pool import LoadedModel, Queue
from tokenscope_core.jobs.queueing import require_room
from tokenscope_core.jobs.request_task import task_of
from tokenscope_core.jobs.scheduling import Load, Scheduler
from tokenscope_core.jobs.stored_results import StoredResults
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.facts import ModelFacts, facts_of
from tokenscope_core.models.files.machine import devices, require_device
from tokenscope_core.models.files.model_files import ModelFiles, find
from tokenscope_core.models.files.names import plain_name
from tokenscope_core.models.files.sources import require_allowed
from tokenscope_core.models.loading import load, require_fit
from tokenscope_core.record import conversation
from tokenscope_core.record.request import Request
from tokenscope_core.record.trace import Trace
from tokenscope_core.settings import Limits
from tokenscope_core.store.store import Store

# Ended runs that a reload can still find by their id; their traces stay in memory.
_REMEMBERED_JOBS = 32


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
        self.activity = Activity()
        self._clock = clock
        self._jobs: OrderedDict[str, Work] = OrderedDict()
        self._results = StoredResults(store)
        self._scheduler = Scheduler(
            self.limits, load=load, save=self._results.save, activity=self.activity
        )
        self._changed = self._scheduler.changed

    def submit(
        self,
        model: str | ModelChoice,
        wanted: Request | Task,
        subscriber: str,
        *,
        purpose: str = "",
    ) -> Ticket:
        """Ask for a run; returns at once, or where a chat template writes the date once its
        tokenizer is loaded.

        A `Request` is made now and gets its moment; a task is run as it is recorded. Complete
        traces in the store answer immediately; an equal run in progress is joined. Where a
        subscriber may want the same run in several places, `purpose` names the place: to stop it in
        one leaves the others alone.

        Raises:
            ModelNotAllowedError: the operator does not offer the model.
            ModelFormatError: the model is not on this machine as named.
            ModelTooLargeError: it would not fit even if nothing else were in memory.
            ModelError: this machine has no such device.
            RequestError: the chat template was to be asked for the date, and refuses the request.
            QueueFullError: too many runs wait, for this model or in all, or too many of this
                subscriber's.
        """
        choice = ModelChoice.of(model)
        require_allowed(choice.name)
        files = find(choice.name)
        task: Task = (
            task_of(wanted, files, now=conversation.local_time())
            if isinstance(wanted, Request)
            else wanted
        )
        choice = _plain(choice, files)
        stored = self._stored(choice, files, task)
        if not stored and files is not None and self.limits.memory_check:
            require_fit(choice, facts_of(files), tokens=tokens_of_task(task))
        job_id = job_id_of(choice, task.recipe())
        with self._changed:
            known = self._jobs.get(job_id)
            if stored:
                known = Job(job_id, choice, task, clock=self._clock)
                self._remember(known)
                known.end("done", stored, from_store=True)
                self.activity.note("from store", known)
            elif isinstance(known, Job) and self._can_be_joined(known):
                self.activity.note("joined", known)
            else:
                known = self._enqueue(Job(job_id, choice, task, clock=self._clock), subscriber)
            return self._ticket(known, subscriber, purpose)

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
        found = self.stored_result(analysis)
        if found is None and files is not None:
            self._require_room(choice, facts_of(files), analysis)
        job_id = job_id_of(choice, analysis.recipe())
        job = AnalysisJob(
            job_id, choice, analysis, clock=self._clock, save_result=self._results.save_result
        )
        if found is not None:
            job.answer(found)
            self.activity.note("from store", job)
            return AnalysisTicket(
                job, subscriber, place=self._scheduler.place, save=self._results.save
            )
        with self._changed:
            known = self._jobs.get(job_id)
            if isinstance(known, AnalysisJob) and self._can_be_joined(known):
                self.activity.note("joined", known)
            else:
                known = self._enqueue(job, subscriber)
            return AnalysisTicket(
                known, subscriber, place=self._scheduler.place, save=self._results.save
            )

    def stored_result(self, analysis: Analysis) -> Any:
        """The whole result of an analysis where the store has it, else None; computes nothing."""
        return self._results.result(analysis)

    def attach(self, job_id: str, subscriber: str, *, purpose: str = "") -> Ticket | None:
        """Take hold of a run by its id, after a reload, `purpose` as of `submit`; None when it is
        not known here."""
        with self._changed:
            job = self._jobs.get(job_id)
            if not isinstance(job, Job):
                return None
            return self._ticket(job, subscriber, purpose)

    def lose(self, subscriber: str) -> None:
        """A subscriber's connection is gone: its runs end unless it is back within the grace."""
        with self._changed:
            for job in self._jobs.values():
                job.lose(subscriber)

    def loaded_models(self) -> tuple[LoadedModel, ...]:
        """The models in memory, least recently used first."""
        return self._scheduler.pool.loaded()

    def queues(self) -> tuple[Queue, ...]:
        """What every model has before it."""
        return self._scheduler.pool.queues()

    def loaded_model(self, model: str | ModelChoice) -> LoadedModel | None:
        """The model as it is in memory; None where it is not."""
        try:
            plain = _plain_anyhow(ModelChoice.of(model))
        except ModelError:
            return None
        return next((held for held in self.loaded_models() if held.choice == plain), None)

    def reading_speed(self, model: str | ModelChoice) -> float | None:
        """Tokens a second at which a model last scored a text here; None where it has not."""
        plain = _plain_anyhow(ModelChoice.of(model))
        with self._changed:
            jobs = [j for j in self._jobs.values() if isinstance(j, Job) and j.model == plain]
        return next(filter(None, (job.reading_speed() for job in reversed(jobs))), None)

    def unload(self, model: str | ModelChoice) -> bool:
        """Take a model out of memory; False when it was not there.

        Raises:
            ModelError: it is running, or runs wait for it.
        """
        return self._scheduler.pool.unload(_plain_anyhow(ModelChoice.of(model)))

    def close(self) -> None:
        """End all runs and workers."""
        self._scheduler.pool.close()

    def _ticket(self, job: Job, subscriber: str, purpose: str) -> Ticket:
        return Ticket(
            job, subscriber, purpose=purpose, place=self._scheduler.place, save=self._results.save
        )

    def _stored(
        self, choice: ModelChoice, files: ModelFiles | None, task: Task
    ) -> tuple[Trace, ...]:
        """The traces of a task where the store holds them all, else none."""
        # Where the files were replaced since, what is in memory goes on under its own identity.
        fingerprint = self._scheduler.pool.fingerprint(choice)
        if fingerprint is None and files is not None:
            fingerprint = files.fingerprint_in(choice.dtype)
        return () if fingerprint is None else self._results.traces(task.keys(fingerprint))

    def _require_room(self, choice: ModelChoice, facts: ModelFacts, analysis: Analysis) -> None:
        if self.limits.memory_check:
            require_fit(choice, facts, tokens=analysis.tokens)
        if isinstance(analysis, Bounded):
            analysis.require_room(facts, self.limits.capture_mb * 10**6)

    def _can_be_joined(self, job: Work) -> bool:
        """Whether it will go on: one that nobody wants any more is about to be stopped."""
        return not job.ended and job.wanted(self.limits.grace_s)

    def _enqueue(self, job: AnyWork, subscriber: str) -> AnyWork:
        unfinished = [known for known in self._jobs.values() if not known.ended]
        own = sum(subscriber in known.subscribers for known in unfinished)
        try:
            require_room("of yours that wait or run", own, self.limits.jobs_per_visitor)
            self._scheduler.enqueue(job)
        except QueueFullError:
            self.activity.note("refused", job)
            raise
        self._remember(job)
        return job

    def _remember(self, job: Work) -> None:
        self._jobs[job.job_id] = job
        self._jobs.move_to_end(job.job_id)
        excess = len(self._jobs) - _REMEMBERED_JOBS
        for place, (job_id, known) in enumerate(list(self._jobs.items())):
            # Nobody finds an analysis by its id; what it found can be large.
            if known.ended and (place < excess or isinstance(known, AnalysisJob)):
                del self._jobs[job_id]


def job_id_of(choice: ModelChoice, recipe: dict[str, Any]) -> str:
    """Names a job before its model has been found (SHA-256, hex)."""
    named = json.dumps({"model": choice.to_json(), **recipe}, sort_keys=True)
    return hashlib.sha256(named.encode("ascii")).hexdigest()


def _plain(choice: ModelChoice, files: ModelFiles | None) -> ModelChoice:
    """The same choice by the one name it is known by, without what is its default anyway: equal
    choices then share a worker.

    Raises:
        ModelError: this machine has no such device.
    """
    if choice.device is not None:
        require_device(choice.device)
        if choice.device == devices()[0]:
            choice = replace(choice, device=None)
    if files is not None and choice.dtype == files.precision:
        choice = replace(choice, dtype=None)
    return replace(choice, name=plain_name(choice.name))


def _plain_anyhow(choice: ModelChoice) -> ModelChoice:
    """The same for a model whose files may have been spoilt or taken away since it was loaded.

    Raises:
        ModelError: this machine has no such device.
    """
    try:
        files = find(choice.name)
    except ModelError:
        files = None
    return _plain(choice, files)


__all__ = ["GenerationService", "JobView", "Limits", "LoadedModel", "Ticket", "job_id_of"]
