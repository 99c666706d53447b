"""The one thread that runs a model: loads it, decodes job after job, keeps what comes of them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from tokenscope_core.errors import TokenScopeError
from tokenscope_core.failures import explain, is_out_of_memory
from tokenscope_core.jobs import Job
from tokenscope_core.model_choice import ModelChoice
from tokenscope_core.trace import Trace

if TYPE_CHECKING:
    from tokenscope_core.models import LanguageModel

_LOG = logging.getLogger(__name__)


class Host(Protocol):
    """What a worker needs of the service it works for."""

    def next_job(self, worker: Worker) -> Job | None:
        """The next job somebody still wants; None when the worker should end."""

    def make_ready(self, worker: Worker, job: Job) -> LanguageModel | None:
        """Load the worker's model for a job; None where nobody wants it any more."""

    def wanted(self, worker: Worker, job: Job) -> bool:
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
        self.waiting: deque[Job] = deque()
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

    def _run(self, job: Job) -> None:
        job.loading()
        if self.lm is None:
            self.lm = self._host.make_ready(self, job)
        if self.lm is None or not self._host.wanted(self, job):
            job.end("stopped")
            return
        self._decode(self.lm, job)

    def _decode(self, lm: LanguageModel, job: Job) -> None:
        job.running(lm.identity, lm.vocabulary, job.task.given_tokens(lm))
        with closing(job.task.rows(lm)) as parts:
            for text, part in parts:
                job.append(part, text)
                if part.finish_reason is not None:
                    self._host.keep(job.finish(text, part.finish_reason))
                elif not self._host.wanted(self, job):
                    job.end("stopped", self._kept_so_far(job))
                    return
        job.end("done")

    def _fail(self, job: Job, error: Exception) -> None:
        """End a job whose run raised, keeping what it had decoded."""
        if not isinstance(error, TokenScopeError):
            _LOG.error("A run on %s failed", self.choice, exc_info=error)
        prompt_tokens, new_tokens = job.progress()
        traces = self._kept_so_far(job)
        job.fail(
            explain(
                error,
                model=self.choice.label,
                prompt_tokens=prompt_tokens,
                new_tokens=new_tokens,
                max_new_tokens=job.request.max_new_tokens,
            ),
            traces,
        )
        if is_out_of_memory(error):
            # The frames of the run hold its tensors.
            error.__traceback__ = None
            release_memory()

    def _kept_so_far(self, job: Job) -> tuple[Trace, ...]:
        traces = job.traces_so_far()
        for trace in traces:
            self._host.keep(trace)
        return traces


def release_memory() -> None:
    """Give memory that nothing refers to any more back to the machine and its accelerators."""
    import gc
    import sys

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
