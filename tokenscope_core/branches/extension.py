"""Going on with a run that was stopped, or that was to write no more: what one longer run gives.

The noise of a draw depends on its position and on the seed, and penalties and stop strings on the
text, so that nothing but the text has to be taken up again. A trace made longer is therefore the
trace of the same request with more new tokens, under the same key, whichever way it came about.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tokenscope_core.branches.plans import first_new_position
from tokenscope_core.errors import RequestError
from tokenscope_core.record.request import Request
from tokenscope_core.record.steps import FinishReason, Rows
from tokenscope_core.record.trace import Trace, recipe_key
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.record.vocabulary import Vocabulary

# Why a text may be over, though tokens were left to write.
ENDED_ITSELF: tuple[FinishReason, ...] = ("eos", "stop")


@dataclass(frozen=True, slots=True, eq=False)
class Extension:
    """A run made longer: `trace` is what there is of it, `request` the one that asks for more.

    `more` is how many tokens it writes at most. The first `shared` tokens are taken from the trace;
    none of a run that was stopped before it had written any, as it may not have read all of its
    prompt. Otherwise the longer trace begins with the whole of the other.
    """

    trace: Trace
    request: Request
    more: int

    @property
    def key(self) -> str:
        """The key the longer trace will have when it has run to its end."""
        return recipe_key(self.trace.model.fingerprint, self.request, branch=self.trace.branch)

    @property
    def shared(self) -> int:
        """How many tokens are copied from the trace."""
        return 0 if _part_of_prompt(self.trace) else len(self.trace)

    def longer(
        self,
        model: ModelIdentity,
        vocabulary: Vocabulary,
        rows: Iterable[Rows],
        finish_reason: FinishReason,
    ) -> Trace:
        """The longer trace from the rows it has run to."""
        return Trace.from_rows(
            self.request,
            model,
            vocabulary,
            rows,
            finish_reason,
            branch=self.trace.branch,
            prompt_length=self.trace.prompt_length if self.shared else None,
        )


def extension(trace: Trace, more: int, *, context_length: int | None = None) -> Extension:
    """A trace made longer by `more` tokens.

    Args:
        trace: of a run that was stopped, or that has written as many tokens as it was to.
        more: how many more are written, 1 or more.
        context_length: how many tokens the model reads at most; None where unknown.

    Raises:
        RequestError: no more tokens were asked for, or the text came to an end of its own, or it
            fills the context, or the run is a branch that was stopped while it was still reading.
    """
    asked = f"A text of {len(trace):,} tokens was to go on for {more:,} more."
    if more < 1:
        raise RequestError(asked=asked, found="That is none.", action="Ask for 1 or more.")
    if trace.finish_reason in ENDED_ITSELF:
        end = "an end token" if trace.finish_reason == "eos" else "a stop string or stop token"
        raise RequestError(
            asked=asked,
            found=f"It ended with {end}: one longer run would end there too.",
            action=f"Fork it at its end, position {len(trace):,}, forcing nothing: the model then "
            "writes past that.",
        )
    if trace.finish_reason not in ("length", "cancelled"):
        raise RequestError(
            asked=asked,
            found="It was written elsewhere, under conditions that are not known.",
            action="Generate from its text instead.",
        )
    if trace.request.overlap is not None:
        raise RequestError(
            asked=asked,
            found="It was scored in windows, and no one run reads all of it and goes on.",
            action=f"Fork it at its end, position {len(trace):,}, forcing nothing: the model then "
            "goes on from its last window.",
        )
    if context_length is not None and len(trace) - trace.unread(len(trace)) >= context_length:
        raise RequestError(
            asked=asked,
            found="It fills the model's context.",
            action="Fork at an earlier position, or score the end of the text with the rest.",
        )
    written = max(0, len(trace) - first_new_position(trace))
    if trace.branch is not None and _part_of_prompt(trace):
        raise RequestError(
            asked=asked,
            found="It is a branch that was stopped before all that was put there had been read.",
            action="Make that branch again.",
        )
    return Extension(trace, replace(trace.request, max_new_tokens=written + more), more)


def _part_of_prompt(trace: Trace) -> bool:
    """Whether it was stopped when it may have read a part of what it was given only."""
    if trace.finish_reason != "cancelled":
        # A prompt that was only scored is healed once something is written after it.
        return trace.branch is None and trace.request.heal and not trace.request.max_new_tokens
    first = first_new_position(trace)
    return len(trace) < first if trace.branch else len(trace) == first
