"""What all jobs of a worker share: a phase, who wants them, and why one failed."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, Protocol, TypeVar

from tokenscope_core.errors import TokenScopeError
from tokenscope_core.failures import explain
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.load_progress import LoadProgress
from tokenscope_core.record.trace import Trace

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel

Phase = Literal["queued", "loading", "running", "done", "stopped", "failed"]
ENDED: frozenset[Phase] = frozenset({"done", "stopped", "failed"})


class Holder(NamedTuple):
    """Who waits for a job: a subscriber, and for what where it wants the same in several places."""

    subscriber: str
    purpose: str = ""


class Work(ABC):
    """Something to do with a model, on one worker, for any number of subscribers.

    Written by its worker thread and read by tickets; safe to use from several threads.
    """

    def __init__(
        self,
        job_id: str,
        model: ModelChoice,
        *,
        tokens: int,
        clock: Callable[[], float],
        handled: int | None = None,
    ) -> None:
        """
        Args:
            job_id: names the job; equal ones on the same model have the same.
            model: on which model.
            tokens: about how many the model holds in memory for it.
            clock: seconds, from any point.
            handled: how many of these take time; None for all.
        """
        self.job_id = job_id
        self.model = model
        self.tokens = tokens
        self.handled = tokens if handled is None else handled
        self._clock = clock
        self._lock = threading.Lock()
        self._phase: Phase = "queued"
        self._load: LoadProgress | None = None
        self._error: TokenScopeError | None = None
        self._holders: dict[Holder, float | None] = {}

    @abstractmethod
    def work(
        self, lm: LanguageModel, go_on: Callable[[], bool], save: Callable[[Trace], object]
    ) -> None:
        """Do it, asking now and then whether to go on; what is worth it is put into the store."""

    @abstractmethod
    def stop(self, save: Callable[[Trace], object]) -> None:
        """Close it before its end, with what there is."""

    def fail(self, error: BaseException, save: Callable[[Trace], object]) -> None:
        """Close it with an error to show, and what there was before it."""
        self.fail_with_nothing(error)

    def fail_with_nothing(self, error: BaseException) -> None:
        """Close it with an error to show alone."""
        with self._lock:
            self._phase, self._error = "failed", explain(error, model=self.model.label)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        with self._lock:
            return self._phase in ENDED

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        with self._lock:
            return self._phase

    @property
    def error(self) -> TokenScopeError | None:
        """Why it failed, where it did."""
        with self._lock:
            return self._error

    @property
    def done(self) -> bool:
        """Whether all of it has been done."""
        with self._lock:
            return self._phase == "done"

    @property
    def subscribers(self) -> tuple[str, ...]:
        """Who waits for it, each once, those among them who were lost included."""
        with self._lock:
            return tuple(dict.fromkeys(holder.subscriber for holder in self._holders))

    @property
    def load(self) -> LoadProgress | None:
        """How far its model has come; None where it is not being loaded."""
        with self._lock:
            return self._load if self._phase == "loading" else None

    def loading(self, progress: LoadProgress | None = None) -> None:
        """The worker has taken the job and is getting the model ready."""
        with self._lock:
            self._phase, self._load = "loading", progress

    def join(self, holder: Holder) -> None:
        """Want it, or want it again."""
        with self._lock:
            self._holders[holder] = None

    def leave(self, holder: Holder) -> None:
        """No longer want it; the subscriber's other purposes are not touched."""
        with self._lock:
            self._holders.pop(holder, None)

    def lose(self, subscriber: str) -> None:
        """The subscriber's connection is gone, whatever it wanted it for; it may come back."""
        with self._lock:
            for holder in self._holders:
                if holder.subscriber == subscriber:
                    self._holders[holder] = self._clock()

    def wanted(self, grace_s: float) -> bool:
        """Whether anyone still waits, counting those lost less than `grace_s` seconds ago."""
        now = self._clock()
        with self._lock:
            return any(
                lost_at is None or now - lost_at < grace_s for lost_at in self._holders.values()
            )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job stands in the queue: how many jobs come first, and about how many seconds those
    take by what earlier ones of the model took; None before there were any. `load` says how far the
    model has come, where what comes first waits for it too."""

    position: int
    seconds: float | None
    load: LoadProgress | None = None


class View(Protocol):
    """What a subscriber sees of a job at one moment."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""


AnyWork = TypeVar("AnyWork", bound=Work)
AnyView = TypeVar("AnyView", bound=View)


class Hold(ABC, Generic[AnyWork, AnyView]):
    """One subscriber's hold on a job, for one purpose: those for others are not stopped with it.

    A second one for the same purpose, as after a reload, is the same hold again.
    """

    def __init__(
        self,
        job: AnyWork,
        subscriber: str,
        *,
        purpose: str = "",
        place: Callable[[Work], Place | None],
        save: Callable[[Trace], object],
    ) -> None:
        """
        Args:
            job, subscriber, purpose: what is wanted, by whom, for what.
            place: tells where a job stands, and ends one in the queue that nobody wants.
            save: puts a trace into the store.
        """
        self._job = job
        self._holder = Holder(subscriber, purpose)
        self._place = place
        self._save = save
        self._stopped: AnyView | None = None
        job.join(self._holder)

    @property
    def job_id(self) -> str:
        """Names the job; equal requests on the same model have the same."""
        return self._job.job_id

    def view(self) -> AnyView:
        """The state of the job, as this subscriber sees it."""
        return self._stopped or self._view(self._place(self._job))

    def touch(self) -> None:
        """Say that the subscriber is there, after a connection was lost."""
        if self._stopped is None:
            self._job.join(self._holder)

    def stop(self) -> AnyView:
        """Stop now. What there is is kept; others who want the same go on having it done."""
        view = self.view()
        if view.ended:
            return view
        self._stopped = self._stopped_view(view)
        self._job.leave(self._holder)
        self._place(self._job)
        return self._stopped

    def wait(self, timeout_s: float, poll_s: float = 0.01) -> AnyView:
        """Block until the job has ended or the time is over; for scripts and tests."""
        deadline = time.monotonic() + timeout_s
        while not (view := self.view()).ended and time.monotonic() < deadline:
            time.sleep(poll_s)
        return view

    @abstractmethod
    def _view(self, place: Place | None) -> AnyView:
        """The state of the job."""

    @abstractmethod
    def _stopped_view(self, view: AnyView) -> AnyView:
        """The state of the job for a subscriber who has just stopped it."""
