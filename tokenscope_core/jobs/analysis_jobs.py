"""An analysis in progress, shared by everyone who asked for the same one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tokenscope_core.errors import TokenScopeError
from tokenscope_core.jobs.analysis_tasks import Analysis
from tokenscope_core.jobs.job import ENDED, Hold, Phase, Place, Work
from tokenscope_core.jobs.model_preparation import ReadyModel
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.load_progress import LoadProgress
from tokenscope_core.record.trace import Trace

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel


# How long a stop waits for the part that is computed: about a step of a slow model.
_PART_S = 1.5


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """What a subscriber sees of an analysis at one moment.

    `place` counts the jobs that come first (queued only); `done` of `total` steps are
    computed, `total` 0 until that is known; `seconds_left` is None until the second step. `result`
    is set once it is done, and where it was stopped and part of it was there; `from_store`: it had
    been computed before.
    """

    job_id: str
    model: ModelChoice
    phase: Phase
    place: Place | None = None
    load: LoadProgress | None = None
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    result: Any = None
    from_store: bool = False
    error: TokenScopeError | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.phase in ENDED


class AnalysisJob(Work):
    """One analysis on one model. Safe to use from several threads."""

    def __init__(
        self,
        job_id: str,
        model: ModelChoice,
        analysis: Analysis,
        *,
        clock: Callable[[], float],
        save_result: Callable[[Analysis, Any], None],
    ) -> None:
        """
        Args:
            job_id, model, clock: as of `Work`.
            analysis: what to compute.
            save_result: is given the result once it is whole.
        """
        # A model that is got ready handles nothing, and says nothing of its pace.
        handled = 0 if isinstance(analysis, ReadyModel) else None
        super().__init__(job_id, model, tokens=analysis.tokens, clock=clock, handled=handled)
        self._analysis = analysis
        self._save_result = save_result
        self._from_store = False
        self._progress = (0, 0)
        self._began: float | None = None
        self._result: Any = None

    def work(
        self, lm: LanguageModel, go_on: Callable[[], bool], save: Callable[[Trace], object]
    ) -> None:
        """Compute it; when nobody wants it any more, part of it."""
        with self._lock:
            self._phase, self._load, self._began = "running", None, self._clock()
        cut = False

        def cancelled() -> bool:
            nonlocal cut
            cut = cut or not go_on()
            return cut

        result = self._analysis.run(lm, self._report, cancelled)
        if not cut:
            self._save_result(self._analysis, result)
        with self._lock:
            self._phase, self._result = "stopped" if cut else "done", result

    def answer(self, result: Any) -> None:
        """Close it with a result from the store."""
        with self._lock:
            self._phase, self._result, self._from_store = "done", result, True

    def stop(self, save: Callable[[Trace], object]) -> None:
        """Close it before it began."""
        with self._lock:
            self._phase = "stopped"

    def view(self, place: Place | None = None) -> AnalysisView:
        """The state of the analysis now."""
        with self._lock:
            done, total = self._progress
            return AnalysisView(
                job_id=self.job_id,
                model=self.model,
                phase=self._phase,
                place=place if self._phase == "queued" else None,
                load=self._load if self._phase == "loading" else None,
                done=done,
                total=total,
                seconds_left=self._seconds_left(done, total),
                result=self._result,
                from_store=self._from_store,
                error=self._error,
            )

    def _report(self, done: int, total: int) -> None:
        with self._lock:
            self._progress = done, total

    def _seconds_left(self, done: int, total: int) -> float | None:
        if self._began is None or done < 2:
            return None
        return (self._clock() - self._began) / done * (total - done)


class AnalysisTicket(Hold[AnalysisJob, AnalysisView]):
    """One subscriber's hold on an analysis."""

    def stop(self) -> AnalysisView:
        """Stop now; what there is by then is the result, where nobody else goes on with it."""
        stopped = super().stop()
        deadline = time.monotonic() + _PART_S
        while self._ends_soon() and time.monotonic() < deadline:
            time.sleep(0.01)
        if stopped.phase == "stopped" and stopped.result is None:
            stopped = self._stopped = replace(stopped, result=self._job.view().result)
        return stopped

    def _ends_soon(self) -> bool:
        return self._job.phase == "running" and not self._job.wanted(0.0)

    def _view(self, place: Place | None) -> AnalysisView:
        return self._job.view(place)

    def _stopped_view(self, view: AnalysisView) -> AnalysisView:
        return replace(view, phase="stopped", place=None, load=None, seconds_left=None)
