"""Counterfactual influence: what another choice would have done to the rest of the text.

A special case of `hindsight`: the runner-up alone, at generated positions, and all of the rest.

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

from tokenscope_core.branches.exchanges import Exchange
from tokenscope_core.branches.hindsight import require_positions
from tokenscope_core.branches.plans import other_candidates
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
    from tokenscope_core.decoding.windowed import require_one_piece

    wanted = range(trace.prompt_length, len(trace)) if positions is None else positions
    require_positions(trace, wanted, "influence")
    require_one_piece(trace, "The influence of a token was to be measured on all that follows")
    exchanges = [
        Exchange(position, others[0])
        for position in wanted
        if position + 1 < len(trace) and (others := other_candidates(trace, position))
    ]
    for number, after in Rescorer(lm, trace).read(exchanges):
        position = exchanges[number].position
        change = trace.logprob[position + 1 :] - after
        yield Effect(position, exchanges[number].token_id, change)
