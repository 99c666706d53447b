"""Counterfactual influence: what another choice would have done to the rest of the text.

At a generated position the token taken gives way to its runner-up, the most probable other token,
and the rest of the text, as it was written, is read again. By how much less likely it has become
is what the choice meant to it: leave-one-out by substitution, with the model's own second choice
for a replacement (after erasure, Li et al. 2016, arXiv:1612.08220).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.trace import Trace

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """What the runner-up of one position does to the tokens after it.

    `change` float64 [tokens after the position], nats: the log-probability of each as it was minus
    that after the runner-up. Positive: the token owed something to the choice.
    """

    position: int
    runner_up: int
    change: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """The influence of the tokens of a trace on what was written after them.

    Arrays [T], one value a position, missing (NaN, -1) where it was not computed: prompt tokens,
    tokens with nothing after them, and tokens of which no other candidate was recorded.

    - `total`, nats: by how much less likely all that follows would be after the runner-up.
    - `mean`, nats: the same for each token that follows, on average.
    - `runner_up`: the id of the token put there instead.
    """

    total: Floats
    mean: Floats
    runner_up: Ints

    def column_of(self, trace: Trace, name: str) -> Floats:
        """Any metric of the trace, or `influence`: the total, float64 [T]."""
        return self.total if name == "influence" else trace.column(name)

    @classmethod
    def of(cls, trace: Trace, effects: Iterator[Effect] | Sequence[Effect]) -> Influence:
        """Gather effects."""
        total = np.full(len(trace), np.nan)
        mean = np.full(len(trace), np.nan)
        runner_up = np.full(len(trace), -1, dtype=np.int64)
        for effect in effects:
            total[effect.position] = effect.change.sum()
            mean[effect.position] = effect.change.mean()
            runner_up[effect.position] = effect.runner_up
        for array in (total, mean, runner_up):
            array.flags.writeable = False
        return cls(total, mean, runner_up)


def influence(lm: LanguageModel, trace: Trace, positions: Sequence[int] | None = None) -> Influence:
    """The influence of each generated token on what was written after it.

    Args:
        lm: the model that the trace came from.
        trace: any trace.
        positions: which to compute; default: all generated ones.

    Raises:
        RequestError: the model is another one, or a position lies outside the trace.
        ModelError: what the model says after a runner-up is not a number.
    """
    return Influence.of(trace, effects(lm, trace, positions))


def effects(
    lm: LanguageModel, trace: Trace, positions: Sequence[int] | None = None
) -> Iterator[Effect]:
    """The same, position by position as they are computed. Close the iterator to stop early."""
    from tokenscope_core.branches.rescoring import Rescorer

    wanted = range(trace.prompt_length, len(trace)) if positions is None else positions
    for position in wanted:
        if not 0 <= position < len(trace):
            raise RequestError(
                asked=f"The influence of position {position:,} was asked for.",
                found=f"The trace has {len(trace):,} tokens.",
                action=f"Choose positions up to {len(trace) - 1:,}.",
            )
    rescorer = Rescorer(lm, trace)
    for position in wanted:
        other = runner_up(trace, position)
        if other is None or position + 1 == len(trace):
            continue
        after = rescorer.logprobs_after(position, other)
        yield Effect(position, other, trace.logprob[position + 1 :] - after)


def runner_up(trace: Trace, position: int) -> int | None:
    """The most probable recorded token other than the one taken; None where there is none."""
    taken = int(trace.token_ids[position])
    others = (i for i in trace.candidate_ids[position].tolist() if i not in (-1, taken))
    return next(others, None)
