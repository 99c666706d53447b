"""The one thread that runs a model: loads it, decodes job after job, keeps what comes of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tokenscope_core.errors import OutOfMemoryError, TokenScopeError
from tokenscope_core.failures import is_out_of_memory, log_place
from tokenscope_core.jobs.job import Place, Work
from tokenscope_core.jobs.queueing import FairQueue, Pace
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.record.trace import Trace

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel

_LOG = logging.getLogger(__name__)


class Host(Protocol):
    """What a worker needs of the service it works for."""

    def next_job(self, worker: Worker) -> Work | None:
        """The next job somebody still wants; None when the worker should end."""

    def make_ready(self, worker: Worker, job: Work) -> LanguageModel | None:
        """Load the worker's model for a job; None where nobody wants it any more."""

    def wanted(self, worker: Worker, job: Work) -> bool:
        """Whether the worker should go on with a job."""

    def save(self, trace: Trace) -> None:
        """Put a trace into the store."""

    def note_end(self, job: Work, seconds: float) -> None:
        """A job has ended, so long after it was taken."""

    def thread_ended(self, worker: Worker, error: BaseException) -> None:
        """A worker's thread has ended though it should go on."""


class Worker:
    """A model's thread. `waiting`, `job` and `closing` are guarded by the host's lock; `loading`,
    `need` and `lm` are this thread's, once the host has let it load.

    `job` is the one in hand; `need` is how many bytes the model was estimated to take;
    `took_a_job` whether this thread, which may not be the first, has come as far as one.
    """

    def __init__(self, host: Host, choice: ModelChoice) -> None:
        self.choice = choice
        self.waiting = FairQueue()
        self.pace = Pace()
        self.job: Work | None = None
        self._began: float | None = None
        self.loading = False
        self.need = 0
        self.closing = False
        self.lm: LanguageModel | None = None
        self._host = host
        self.start()

    def start(self) -> None:
        """Begin to work, or begin again where the thread has ended.

        Raises:
            OutOfMemoryError: the machine has no room for a thread.
        """
        self.took_a_job = False
        self.thread = threading.Thread(target=self._work, name=f"worker {self.choice}", daemon=True)
        try:
            self.thread.start()
        except RuntimeError as error:
            raise OutOfMemoryError(
                asked=f"A run on “{self.choice}” was to begin.",
                found="The machine has no room for one more thread.",
                action="Try again when other runs have ended.",
            ) from error

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return self.job is None and not self.waiting

    def place_of(self, job: Work) -> Place | None:
        """Where a job stands in the queue; None where it does not wait."""
        before = [] if self.job is None else [self.job]
        for waiting in self.waiting:
            if waiting is job:
                load = None if self.job is None else self.job.load
                return Place(len(before), self._seconds(before), load)
            before.append(waiting)
        return None

    def seconds_left(self) -> float | None:
        """About how long everything that waits and runs will take; None where that is unknown."""
        return self._seconds([*([] if self.job is None else [self.job]), *self.waiting])

    def _seconds(self, before: Sequence[Work]) -> float | None:
        """About how long these jobs will take, the first of which may have begun."""
        each = [self.pace.seconds(job.handled) for job in before]
        known = [seconds for seconds in each if seconds is not None]
        if len(known) < len(each):
            return None
        began = self._began  # the worker's thread may end the job at any moment
        if before and before[0] is self.job and began is not None:
            known[0] = max(0.0, known[0] - (time.monotonic() - began))
        return sum(known)

    def _work(self) -> None:
        try:
            self._take_jobs()
        except BaseException as error:  # whatever it is: those who wait have to learn of it
            log_place(_LOG, f"The thread of {self.choice} ended", error)
            self._host.thread_ended(self, error)

    def _take_jobs(self) -> None:
        while (job := self._host.next_job(self)) is not None:
            self.took_a_job = True
            taken = time.monotonic()
            try:
                self._run(job)
            except BaseException as error:  # a panic in Rust is no `Exception`
                self._fail(job, error)
            finally:
                self.loading = False
                self._began = None
                self._host.note_end(job, time.monotonic() - taken)

    def _run(self, job: Work) -> None:
        job.loading()
        if self.lm is None:
            self.lm = self._host.make_ready(self, job)
        if self.lm is None or not self._host.wanted(self, job):
            job.stop(self._host.save)
            return
        self._began = began = time.monotonic()
        job.work(self.lm, lambda: self._host.wanted(self, job), self._host.save)
        if job.done:
            self.pace.note(job.handled, time.monotonic() - began)

    def _fail(self, job: Work, error: BaseException) -> None:
        """End a job whose run raised, keeping what it had decoded."""
        if not isinstance(error, TokenScopeError):
            log_place(_LOG, f"A run on {self.choice} failed", error)
        try:
            job.fail(error, self._host.save)
        except Exception as another:
            log_place(_LOG, "Nothing was kept of it", another)
            job.fail_with_nothing(error)
        _forget_frames(error)
        if is_out_of_memory(error):
            if self.lm is not None:
                self.lm.prefixes.clear()
            release_memory()


def _forget_frames(error: BaseException | None) -> None:
    """The frames of a run hold its tensors and its model, and the job keeps the error."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def release_memory() -> None:
    """Give memory that nothing refers to any more back to the machine and its accelerators."""
    import gc
    import sys

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
