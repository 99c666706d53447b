"""What a worker is asked to have a model write: a prompt gone on from, branches of a trace, or a
trace made longer.

Values only; the model is named by who submits them and torch is imported by who runs them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from tokenscope_core.branches.extension import Extension
from tokenscope_core.branches.plans import BranchPlan
from tokenscope_core.models.files.memory_need import tokens_of
from tokenscope_core.record.request import Request
from tokenscope_core.record.steps import FinishReason, Rows
from tokenscope_core.record.trace import Trace, recipe_key
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.record.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel


class Task(Protocol):
    """One text to write, or several side by side."""

    @property
    def request(self) -> Request:
        """How it is written; the same for all texts."""

    @property
    def texts(self) -> int:
        """How many there are."""

    @property
    def parent(self) -> Trace | None:
        """The trace that the texts grow on; None where they begin with a prompt."""

    @property
    def extends(self) -> bool:
        """Whether the text is that trace made longer, and takes its place."""

    @property
    def most_new_tokens(self) -> int:
        """How many tokens are generated at most, in all texts together."""

    def new_tokens(self, text: int) -> int:
        """How many tokens are generated at most in one text."""

    def shared(self, text: int) -> int:
        """How many tokens a text begins with that are copied from another trace."""

    def recipe(self) -> dict[str, Any]:
        """What names the task, as plain JSON values; the model is not part of it."""

    def settled(self, lm: LanguageModel) -> Task:
        """The task as it is run and recorded, now that its model is there."""

    def keys(self, fingerprint: str) -> tuple[str, ...]:
        """The key of each text's trace, run to its end by the model with that fingerprint."""

    def given_tokens(self, lm: LanguageModel) -> int:
        """How many tokens are read before the first is drawn, in one text."""

    def rows(self, lm: LanguageModel) -> Generator[tuple[int, Rows], None, None]:
        """Run it, yielding rows with the index of their text."""

    def trace(
        self,
        text: int,
        model: ModelIdentity,
        vocabulary: Vocabulary,
        rows: Sequence[Rows],
        finish_reason: FinishReason,
    ) -> Trace:
        """The trace of one text's rows."""


@dataclass(frozen=True, slots=True)
class Prompted:
    """A prompt to go on from.

    `made` is when the request was made, where it is not known yet how it is recorded: whether its
    prompt depends on that, as its model was not here, or whether its text needs windows. None of a
    request that is as it is recorded.
    """

    request: Request
    made: datetime | None = None
    texts: int = 1
    parent: None = None
    extends: bool = False

    @property
    def most_new_tokens(self) -> int:
        """As the request says."""
        return self.request.max_new_tokens

    def recipe(self) -> dict[str, Any]:
        """The request."""
        return {"request": self.request.to_json()}

    def settled(self, lm: LanguageModel) -> Prompted:
        """With its request as it is recorded, where that was not known yet."""
        from tokenscope_core.decoding.request_run import recorded

        if self.made is None:
            return self
        return replace(self, request=recorded(lm, self.request, now=self.made), made=None)

    def keys(self, fingerprint: str) -> tuple[str, ...]:
        """The key of the one trace."""
        return (recipe_key(fingerprint, self.request),)

    def new_tokens(self, text: int) -> int:
        """As the request says."""
        return self.request.max_new_tokens

    def shared(self, text: int) -> int:
        """None."""
        return 0

    def given_tokens(self, lm: LanguageModel) -> int:
        """The tokens of the prompt."""
        from tokenscope_core.prompts.token_ids import prompt_ids

        return len(prompt_ids(lm, self.request))

    def rows(self, lm: LanguageModel) -> Generator[tuple[int, Rows], None, None]:
        """As `decoding.rows`."""
        from tokenscope_core.decoding.request_run import rows

        for part in rows(lm, self.request):
            yield 0, part

    def trace(
        self,
        text: int,
        model: ModelIdentity,
        vocabulary: Vocabulary,
        rows: Sequence[Rows],
        finish_reason: FinishReason,
    ) -> Trace:
        """The trace of the run."""
        return Trace.from_rows(self.request, model, vocabulary, rows, finish_reason)


@dataclass(frozen=True, slots=True, eq=False)
class Branched:
    """One branch of a trace, or several; those that fork at the same position grow together."""

    plans: tuple[BranchPlan, ...]
    extends: bool = False

    @property
    def request(self) -> Request:
        """How the model goes on."""
        return self.plans[0].request

    @property
    def texts(self) -> int:
        """How many branches."""
        return len(self.plans)

    @property
    def parent(self) -> Trace:
        """What the branches fork from."""
        return self.plans[0].parent

    @property
    def most_new_tokens(self) -> int:
        """Of all branches; those that fork further on have less to write."""
        return sum(plan.request.max_new_tokens for plan in self.plans)

    def new_tokens(self, text: int) -> int:
        """Of one branch."""
        return self.plans[text].request.max_new_tokens

    def shared(self, text: int) -> int:
        """What a branch shares with its parent."""
        return self.plans[text].shared

    def recipe(self) -> dict[str, Any]:
        """The branches' own keys."""
        return {"branches": [plan.key for plan in self.plans]}

    def settled(self, lm: LanguageModel) -> Branched:
        """As it is: the prompt was read long ago."""
        return self

    def keys(self, fingerprint: str) -> tuple[str, ...]:
        """The key of each branch."""
        return tuple(plan.key for plan in self.plans)

    def given_tokens(self, lm: LanguageModel) -> int:
        """Shared and given tokens."""
        return self.plans[0].shared + len(self.plans[0].given)

    def rows(self, lm: LanguageModel) -> Generator[tuple[int, Rows], None, None]:
        """As `branching.branch_rows`, or `explore_rows` of several."""
        from tokenscope_core.branches.growing import branch_rows, explore_rows

        if len(self.plans) > 1:
            yield from explore_rows(lm, self.plans)
            return
        for part in branch_rows(lm, self.plans[0]):
            yield 0, part

    def trace(
        self,
        text: int,
        model: ModelIdentity,
        vocabulary: Vocabulary,
        rows: Sequence[Rows],
        finish_reason: FinishReason,
    ) -> Trace:
        """The trace of one branch."""
        return self.plans[text].trace(model, vocabulary, rows, finish_reason)


@dataclass(frozen=True, slots=True, eq=False)
class Extended:
    """A trace made longer."""

    wanted: Extension
    texts: int = 1
    extends: bool = True

    @property
    def request(self) -> Request:
        """The one that asks for all of its tokens."""
        return self.wanted.request

    @property
    def parent(self) -> Trace:
        """What there is of it."""
        return self.wanted.trace

    @property
    def most_new_tokens(self) -> int:
        """How many more."""
        return self.wanted.more

    def new_tokens(self, text: int) -> int:
        """How many more."""
        return self.wanted.more

    def shared(self, text: int) -> int:
        """What there is."""
        return self.wanted.shared

    def recipe(self) -> dict[str, Any]:
        """What it becomes, and from where."""
        return {"extension": self.wanted.key, "of": self.parent.key}

    def settled(self, lm: LanguageModel) -> Extended:
        """As it is: the prompt was read long ago."""
        return self

    def keys(self, fingerprint: str) -> tuple[str, ...]:
        """The key of the longer trace."""
        return (self.wanted.key,)

    def given_tokens(self, lm: LanguageModel) -> int:
        """What there is, or where that is not all of its prompt, the prompt."""
        return len(self.parent) if self.wanted.shared else Prompted(self.request).given_tokens(lm)

    def rows(self, lm: LanguageModel) -> Generator[tuple[int, Rows], None, None]:
        """As `extending.extension_rows`."""
        from tokenscope_core.branches.extending import extension_rows

        for part in extension_rows(lm, self.wanted):
            yield 0, part

    def trace(
        self,
        text: int,
        model: ModelIdentity,
        vocabulary: Vocabulary,
        rows: Sequence[Rows],
        finish_reason: FinishReason,
    ) -> Trace:
        """The longer trace."""
        return self.wanted.longer(model, vocabulary, rows, finish_reason)


def tokens_of_task(task: Task) -> int:
    """About how many tokens the model holds in memory for a task."""
    copied = max(task.shared(text) for text in range(task.texts))
    if copied:
        return task.texts * copied + task.most_new_tokens
    return task.texts * tokens_of(task.request)
