"""One run in progress, shared by everyone who asked for the same thing.

A `Job` is written by its worker thread and read by any number of `Ticket`s, one for each
subscriber. A ticket that stops keeps what was decoded so far; the job itself ends when nobody is
left who wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tokenscope_core.errors import TokenScopeError
from tokenscope_core.failures import explain
from tokenscope_core.jobs.generation_tasks import Task, tokens_of_task
from tokenscope_core.jobs.job import ENDED, Hold, Phase, Place, Work
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.load_progress import LoadProgress
from tokenscope_core.record.request import Request
from tokenscope_core.record.steps import FinishReason, Rows, as_measured
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.record.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel


# A text of fewer tokens says little of how fast a long one is read.
_TELLING_TOKENS = 256


@dataclass(frozen=True, slots=True)
class JobView:
    """What a subscriber sees of a run at one moment.

    `place` counts the runs that come first (queued only); `load` says how far the model
    has come (loading only). `prompt_tokens` of `prompt_length` have been read; the latter is None
    until the model has split the prompt. A run may write several `texts` side by side; `new_tokens`
    counts all of theirs, at most `most_new_tokens`. `tokens_per_second` and `seconds_left` are None
    until at least two tokens have been generated; `seconds_left` is an upper bound, since a run may
    end early. `parent` is the trace that branches grow on, or with `extends` the one that is made
    longer. `traces` holds those that are done, and once the run was stopped or failed also those
    that had at least one token of their own. `error` is set once it has failed.
    """

    job_id: str
    model: ModelChoice
    request: Request
    phase: Phase
    place: Place | None = None
    load: LoadProgress | None = None
    prompt_tokens: int = 0
    prompt_length: int | None = None
    new_tokens: int = 0
    most_new_tokens: int = 0
    tokens_per_second: float | None = None
    seconds_left: float | None = None
    from_store: bool = False
    texts: int = 1
    parent: Trace | None = None
    extends: bool = False
    traces: tuple[Trace, ...] = ()
    error: TokenScopeError | None = None

    @property
    def trace(self) -> Trace | None:
        """The first of the traces; None before there is one."""
        return self.traces[0] if self.traces else None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.phase in ENDED


class Job(Work):
    """A run of one task on one model. Safe to use from several threads."""

    def __init__(
        self, job_id: str, model: ModelChoice, task: Task, *, clock: Callable[[], float]
    ) -> None:
        super().__init__(job_id, model, tokens=tokens_of_task(task), clock=clock)
        self.task = task
        self.request = task.request
        self._rows: list[dict[int, Rows]] = [{} for _ in range(task.texts)]
        self._traces: dict[int, Trace] = {}
        self._prompt_tokens = 0
        self._prompt_length: int | None = None
        self._began_at: float | None = None
        self._read_at: float | None = None
        self._new_tokens = 0
        self._first_token_at: float | None = None
        self._last_token_at: float | None = None
        self._source: tuple[ModelIdentity, Vocabulary] | None = None
        self._from_store = False

    # The worker's side.

    def work(
        self, lm: LanguageModel, go_on: Callable[[], bool], save: Callable[[Trace], object]
    ) -> None:
        """Run the task, recording what it yields; each text is kept when it is complete."""
        task = self.task.settled(lm)
        with self._lock:
            self.task, self.request = task, task.request
        self.running(lm.identity, lm.vocabulary, self.task.given_tokens(lm))
        with closing(self.task.rows(lm)) as parts:
            for text, part in parts:
                self.append(part, text)
                if part.finish_reason is not None:
                    save(self.finish(text, part.finish_reason))
                elif not go_on():
                    self.stop(save)
                    return
        self.end("done")

    def stop(self, save: Callable[[Trace], object]) -> None:
        """Close it before its end, keeping what there is."""
        self.end("stopped", self._save_so_far(save))

    def fail(self, error: BaseException, save: Callable[[Trace], object]) -> None:
        """Close it with an error to show, keeping what had been decoded before it."""
        traces = self._save_so_far(save)
        with self._lock:
            # Texts written side by side fail together, and others one after another: the longest.
            lengths = [self._lengths(text) for text in range(self.task.texts)]
            text = max(range(self.task.texts), key=lambda text: sum(lengths[text]))
            given, drawn = lengths[text]
            self._phase = "failed"
            self._error = explain(
                error,
                model=self.model.label,
                prompt_tokens=given,
                new_tokens=drawn,
                max_new_tokens=self.task.new_tokens(text),
                branch=self.task.parent is not None,
            )
            self._close(traces)

    def running(
        self, identity: ModelIdentity, vocabulary: Vocabulary, prompt_length: int | None = None
    ) -> None:
        """The model is ready; rows will follow."""
        with self._lock:
            self._phase, self._load = "running", None
            self._began_at = self._clock()
            self._source, self._prompt_length = (identity, vocabulary), prompt_length

    def append(self, part: Rows, text: int = 0) -> None:
        """Record rows that a text has grown by, or figures of rows that had none."""
        with self._lock:
            seen = part.start in self._rows[text]
            self._rows[text][part.start] = part
            if part.source == "prompt" and part.measured and text == 0:
                self._read_at = self._clock()
            if seen:
                return
            if part.source == "prompt" and text == 0:
                self._prompt_tokens += len(part)
            if part.source != "sampled" or part.start < self.task.shared(text):
                return
            self._new_tokens += len(part)
            self._last_token_at = self._clock()
            if self._first_token_at is None:
                self._first_token_at = self._last_token_at

    def finish(self, text: int, finish_reason: FinishReason) -> Trace:
        """A text is complete; its trace."""
        with self._lock:
            assert self._source is not None
            rows = list(self._rows[text].values())
            trace = self.task.trace(text, *self._source, rows, finish_reason)
            self._traces[text] = trace
            return trace

    def end(self, phase: Phase, traces: Sequence[Trace] = (), *, from_store: bool = False) -> None:
        """Close the job as done or stopped; with traces where they are not its own."""
        with self._lock:
            self._phase, self._from_store = phase, from_store
            self._close(traces)

    def _lengths(self, text: int) -> tuple[int, int]:
        """How many tokens a text had been given until now, shared ones included, and drawn."""
        parts, shared = self._rows[text].values(), self.task.shared(text)
        drawn = sum(len(p) for p in parts if p.source == "sampled" and p.start >= shared)
        return sum(map(len, parts)) - drawn, drawn

    def _close(self, traces: Sequence[Trace]) -> None:
        if traces:
            self._traces = dict(enumerate(traces))
        self._rows = [{} for _ in self._rows]

    def _save_so_far(self, save: Callable[[Trace], object]) -> tuple[Trace, ...]:
        traces = self.traces_so_far(measured=True)
        for trace in traces:
            save(trace)
        return traces

    # The subscribers' side.

    def view(self, place: Place | None = None) -> JobView:
        """The state of the run now."""
        with self._lock:
            rate = self._rate()
            most = self.task.most_new_tokens
            return JobView(
                job_id=self.job_id,
                model=self.model,
                request=self.request,
                phase=self._phase,
                place=place if self._phase == "queued" else None,
                load=self._load if self._phase == "loading" else None,
                prompt_tokens=self._prompt_tokens,
                prompt_length=self._prompt_length,
                new_tokens=self._new_tokens,
                tokens_per_second=rate,
                most_new_tokens=most,
                seconds_left=(most - self._new_tokens) / rate if rate else None,
                from_store=self._from_store,
                texts=self.task.texts,
                parent=self.task.parent,
                extends=self.task.extends,
                traces=tuple(self._traces[text] for text in sorted(self._traces)),
                error=self._error,
            )

    def reading_speed(self) -> float | None:
        """Tokens a second at which it read and measured a text that it only scored; None where
        that is not known, or was so short that the beginning decides it."""
        with self._lock:
            began, read, tokens = self._began_at, self._read_at, self._prompt_tokens
        if began is None or read is None or self.request.max_new_tokens:
            return None
        return tokens / (read - began) if tokens >= _TELLING_TOKENS and read > began else None

    def _rate(self) -> float | None:
        if self._first_token_at is None or self._last_token_at is None or self._new_tokens < 2:
            return None
        elapsed = self._last_token_at - self._first_token_at
        return (self._new_tokens - 1) / elapsed if elapsed > 0 else None

    def traces_so_far(self, *, measured: bool = False) -> tuple[Trace, ...]:
        """What every text has grown to until now; one that is still nothing but a copy is left out.

        With `measured` as far as all tokens have their figures, which is what is kept of a run that
        is stopped. Otherwise those of tokens just read may be missing.
        """
        with self._lock:
            rows, source = [list(parts.values()) for parts in self._rows], self._source
            done = dict(self._traces)
        if measured:
            rows = [list(as_measured(parts)) for parts in rows]
        if source is None:
            return tuple(done[text] for text in sorted(done))
        return tuple(
            done[text] if text in done else self.task.trace(text, *source, parts, "cancelled")
            for text, parts in enumerate(rows)
            if text in done or sum(map(len, parts)) > self.task.shared(text)
        )


class Ticket(Hold[Job, JobView]):
    """One subscriber's hold on a run."""

    def traces_so_far(self, *, measured: bool = False) -> tuple[Trace, ...]:
        """What has been decoded until now; nothing before the first token.

        The figures of a prompt that was just read are missing; with `measured` its tokens are
        left out, and what is after them.
        """
        view = self.view()
        return view.traces if view.ended else self._job.traces_so_far(measured=measured)

    def trace_so_far(self, *, measured: bool = False) -> Trace | None:
        """The first of `traces_so_far`."""
        return next(iter(self.traces_so_far(measured=measured)), None)

    def _view(self, place: Place | None) -> JobView:
        return self._job.view(place)

    def _stopped_view(self, view: JobView) -> JobView:
        traces = self._job.traces_so_far(measured=True)
        for trace in traces:
            self._save(trace)
        return replace(
            view,
            phase="stopped",
            place=None,
            load=None,
            seconds_left=None,
            traces=traces,
        )
