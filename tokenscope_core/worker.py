"""The one thread that runs a model: loads it, decodes job after job, keeps what comes of them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol

from tokenscope_core.errors import TokenScopeError
from tokenscope_core.failures import is_out_of_memory
from tokenscope_core.job_base import Work
from tokenscope_core.model_choice import ModelChoice
from tokenscope_core.trace import Trace

if TYPE_CHECKING:
    from tokenscope_core.models import LanguageModel

_LOG = logging.getLogger(__name__)


class Host(Protocol):
    """What a worker needs of the service it works for."""

    def next_job(self, worker: Worker) -> Work | None:
        """The next job somebody still wants; None when the worker should end."""

    def make_ready(self, worker: Worker, job: Work) -> LanguageModel | None:
        """Load the worker's model for a job; None where nobody wants it any more."""

    def wanted(self, worker: Worker, job: Work) -> bool:
        """Whether the worker should go on with a job."""

    def keep(self, trace: Trace) -> None:
        """Put a trace into the store."""


class Worker:
    """A model's thread. `waiting`, `busy`, `loading`, `need`, `lm` and `closing` are guarded by
    the host's lock.

    `need` is how many bytes the model was estimated to take.
    """

    def __init__(self, host: Host, choice: ModelChoice) -> None:
        self.choice = choice
        self.waiting: deque[Work] = deque()
        self.busy = False
        self.loading = False
        self.need = 0
        self.closing = False
        self.lm: LanguageModel | None = None
        self._host = host
        self.thread = threading.Thread(target=self._work, name=f"worker {choice}", daemon=True)
        self.thread.start()

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.busy and not self.waiting

    def _work(self) -> None:
        while (job := self._host.next_job(self)) is not None:
            try:
                self._run(job)
            except Exception as error:
                self._fail(job, error)
            finally:
                self.loading = False

    def _run(self, job: Work) -> None:
        job.loading()
        if self.lm is None:
            self.lm = self._host.make_ready(self, job)
        if self.lm is None or not self._host.wanted(self, job):
            job.stop(self._host.keep)
            return
        job.work(self.lm, lambda: self._host.wanted(self, job), self._host.keep)

    def _fail(self, job: Work, error: Exception) -> None:
        """End a job whose run raised, keeping what it had decoded."""
        if not isinstance(error, TokenScopeError):
            _LOG.error("A run on %s failed", self.choice, exc_info=error)
        job.fail(error, self._host.keep)
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
