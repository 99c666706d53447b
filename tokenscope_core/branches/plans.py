"""What a branch is, before it runs: which tokens it shares, which are put there, what follows.

Values only; `branching` carries them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats
from tokenscope_core.record.edits import Edit
from tokenscope_core.record.request import Request
from tokenscope_core.record.steps import FinishReason, Rows, Source, latest
from tokenscope_core.record.trace import Trace, recipe_key
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.record.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class BranchPlan:
    """A branch of `parent`: the edit made to it, and the request by which the model goes on.

    The branch begins with `shared` tokens of the parent; then come the `given` ones, read but not
    drawn, each with its source; then up to `request.max_new_tokens` are generated. What the parent
    went on with is the `old_continuation`. `prompt_length` is the branch's.

    Raises:
        RequestError: the edit lies outside the parent, or names an unknown token.
    """

    parent: Trace
    edit: Edit
    request: Request

    def __post_init__(self) -> None:
        length, edit = len(self.parent), self.edit
        if edit.position + edit.removed + edit.kept > length:
            raise RequestError(
                asked=f"{edit.removed} tokens from position {edit.position:,} on were to be "
                f"replaced and the next {edit.kept:,} kept.",
                found=f"The trace has {length:,} tokens.",
                action=f"Choose positions up to {length:,}.",
            )
        size = self.parent.model.vocabulary_size
        for token_id in edit.token_ids:
            if token_id >= size:
                raise RequestError(
                    asked=f"Token {token_id:,} was to be put at position {edit.position:,}.",
                    found=f"The model's vocabulary has {size:,} tokens, counted from 0.",
                    action="Choose one of the candidates, or type the text instead.",
                )
        if not self.shared + len(self.given):
            raise RequestError(
                asked="All tokens were to be removed.",
                found="Nothing would be left to go on from.",
                action="Keep a token, or put another one there.",
            )

    @property
    def key(self) -> str:
        """The key the branch will have when it has run to its end."""
        return recipe_key(
            self.parent.model.fingerprint, self.request, branch=(self.parent.key, self.edit)
        )

    @property
    def shared(self) -> int:
        """How many tokens the branch shares with its parent."""
        return self.edit.position

    @property
    def given(self) -> tuple[int, ...]:
        """The ids that are read after the shared ones: forced, then kept."""
        start = self.edit.position + self.edit.removed
        kept = self.parent.token_ids[start : start + self.edit.kept].tolist()
        return (*self.edit.token_ids, *kept)

    @property
    def given_sources(self) -> tuple[Source, ...]:
        """Where each given token came from: kept prompt tokens stay what they are, all others
        were put there by a person."""
        forced: Source = "forced"
        prompt: Source = "prompt"
        in_prompt = self._kept_of_prompt
        return (
            *(forced for _ in self.edit.token_ids),
            *(prompt for _ in range(in_prompt)),
            *(forced for _ in range(self.edit.kept - in_prompt)),
        )

    @property
    def prompt_length(self) -> int:
        """The tokens of the branch's prompt; what was put into the parent's belongs to it."""
        if self.edit.position >= self.parent.prompt_length:
            return self.parent.prompt_length
        return self.edit.next_position + self._kept_of_prompt

    @property
    def old_continuation(self) -> tuple[int, ...]:
        """The parent's tokens after all that the branch keeps."""
        start = self.edit.position + self.edit.removed + self.edit.kept
        return tuple(self.parent.token_ids[start:].tolist())

    def trace(
        self,
        model: ModelIdentity,
        vocabulary: Vocabulary,
        rows: Iterable[Rows],
        finish_reason: FinishReason,
    ) -> Trace:
        """The trace of the branch from the rows it has run to."""
        parts = latest(rows)
        return Trace.from_rows(
            self.request,
            model,
            vocabulary,
            parts,
            finish_reason,
            branch=(self.parent.key, self.edit),
            # One that was stopped may not have come to the end of its prompt.
            prompt_length=min(self.prompt_length, sum(map(len, parts))),
        )

    @property
    def _kept_of_prompt(self) -> int:
        start = self.edit.position + self.edit.removed
        return max(0, min(self.edit.kept, self.parent.prompt_length - start))


def plan(
    parent: Trace,
    edit: Edit,
    *,
    max_new_tokens: int | None = None,
    seed: int | None = None,
    context_length: int | None = None,
) -> BranchPlan:
    """A branch that goes on like its parent.

    Args:
        parent: the trace to branch off.
        edit: what is changed.
        max_new_tokens: how many to generate after the given tokens. Default: as far as the parent
            was to go, and where it only scored a text as far as that went; at its end, where
            nothing is put there, as many as the parent's request asks for, or any request where
            that only scores. All within the context.
        seed: of fresh noise; None keeps the parent's, so that what differs is due to the edit.
        context_length: how many tokens the model reads at most; None where unknown.

    Raises:
        RequestError: as `BranchPlan`; or the branch would be the parent.
    """
    start = edit.next_position + edit.kept
    # What the branch reads; of a parent in windows that is what the window at its fork had read.
    reads = start - parent.unread(min(edit.position, len(parent)))
    appends_nothing = edit == Edit.continue_from(len(parent))
    if max_new_tokens is None:
        max_new_tokens = max(0, _intended_end(parent, edit) - start)
        if appends_nothing and not max_new_tokens:
            max_new_tokens = parent.request.max_new_tokens or Request("").max_new_tokens
        if context_length is not None:
            max_new_tokens = max(0, min(max_new_tokens, context_length - reads))
    if appends_nothing and not max_new_tokens:
        full = context_length is not None and reads >= context_length
        raise RequestError(
            asked=f"A trace of {len(parent):,} tokens was to go on from its end.",
            found="It fills the model's context." if full else "0 new tokens were asked for.",
            action="Fork at an earlier position, or score the end of the text with the rest."
            if full
            else "Ask for one or more.",
        )
    sampling = parent.request.sampling
    request = replace(
        parent.request,
        max_new_tokens=max_new_tokens,
        overlap=None,
        sampling=sampling if seed is None else replace(sampling, seed=seed),
    )
    return BranchPlan(parent, edit, request)


def alternatives(
    trace: Trace,
    position: int,
    top: int,
    *,
    max_new_tokens: int | None = None,
    context_length: int | None = None,
) -> tuple[BranchPlan, ...]:
    """The branches that put the `top` most probable other tokens at a position.

    Raises:
        RequestError: there is no distribution there, or fewer candidates were recorded.
    """
    if not 0 <= position < len(trace) or trace.candidate_ids[position, 0] < 0:
        raise RequestError(
            asked=f"The alternatives at position {position:,} were to be explored.",
            found="The model gave no distribution there.",
            action=f"Choose a position from 1 to {len(trace) - 1:,}.",
        )
    others = other_candidates(trace, position)
    if not 1 <= top <= len(others):
        raise RequestError(
            asked=f"{top} alternatives at position {position:,} were to be explored.",
            found=f"The trace records {len(others)} other candidates there.",
            action=(f"Ask for 1 to {len(others)}, or run" if others else "Run")
            + " it again with more candidates recorded.",
        )
    return tuple(
        plan(
            trace,
            Edit(position, (token_id,)),
            max_new_tokens=max_new_tokens,
            context_length=context_length,
        )
        for token_id in others[:top]
    )


def other_candidates(trace: Trace, position: int) -> list[int]:
    """The ids of the tokens recorded at a position, without the one taken, by raw probability."""
    taken = int(trace.token_ids[position])
    return [i for i in trace.candidate_ids[position].tolist() if i not in (-1, taken)]


def redraws(
    trace: Trace,
    position: int,
    seeds: Sequence[int],
    *,
    max_new_tokens: int | None = None,
    context_length: int | None = None,
) -> tuple[BranchPlan, ...]:
    """The branches that keep what stands before a position and draw the rest with fresh noise.

    Raises:
        RequestError: the trace was not sampled, so that there is nothing to draw.
    """
    if trace.request.sampling.greedy:
        raise RequestError(
            asked="The rest was to be drawn with fresh noise.",
            found="The trace was decoded greedily: temperature 0 has no noise.",
            action="Generate with a temperature above 0 first.",
        )
    return tuple(
        plan(
            trace,
            Edit.continue_from(position),
            max_new_tokens=max_new_tokens,
            seed=seed,
            context_length=context_length,
        )
        for seed in seeds
    )


def turning_points(
    trace: Trace, by: Literal["entropy", "margin", "influence"], count: int, influence: Floats
) -> tuple[int, ...]:
    """The generated positions where another choice was most open or would have mattered most.

    Args:
        trace: any trace.
        by: highest `entropy`, lowest `margin`, or highest `influence`.
        count: how many at most; only positions where another candidate was recorded.
        influence: float64 [T], NaN where it was not measured.

    Returns:
        Positions, the best first.
    """
    values = {"entropy": trace.entropy, "margin": -trace.margin, "influence": influence}[by]
    taken = trace.token_ids[:, None]
    open_ = ((trace.candidate_ids >= 0) & (trace.candidate_ids != taken)).any(axis=1)
    open_[: trace.prompt_length] = False
    order = np.argsort(-np.where(open_ & ~np.isnan(values), values, -np.inf), kind="stable")
    usable = [int(i) for i in order if open_[i] and not np.isnan(values[i])]
    return tuple(usable[:count])


def first_new_position(trace: Trace) -> int:
    """Where the tokens begin that a trace's request asks for: after the prompt, or in a branch
    after what was put there and kept."""
    if trace.branch is None:
        return trace.prompt_length
    edit = trace.branch[1]
    return edit.next_position + edit.kept


def _intended_end(parent: Trace, edit: Edit) -> int:
    """Up to where the branch should reach: the parent's end, moved by the edit in a prompt."""
    end = max(len(parent), first_new_position(parent) + parent.request.max_new_tokens)
    moved = len(edit.token_ids) - edit.removed
    return end + moved if edit.position < parent.prompt_length else end
