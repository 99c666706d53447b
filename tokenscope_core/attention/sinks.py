"""Attention sinks: positions on which heads park their attention, whatever the query.

Xiao et al. 2023, Efficient Streaming Language Models with Attention Sinks, arXiv:2309.17453; found
as Gu et al. 2024, When Attention Sink Emerges in Language Models, arXiv:2410.10781, find them.
Nothing here imports torch: what takes tensors calls their own methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tokenscope_core.attention.maps import AttentionMap
from tokenscope_core.errors import RequestError
from tokenscope_core.steps import Floats

if TYPE_CHECKING:
    import torch

# Gu et al.: a head has a sink at k if the queries from k on attend to k by more than this on
# average. The query at k is left out here: a token that looks at nothing but itself is no sink.
EPSILON = 0.3
# Of all heads, to call a position other than the first a sink.
LEAST_SHARE_OF_HEADS = 0.1
# Fewer rows than these make any token look like one: those after it may have reason to look at it.
LEAST_LATER_ROWS = 32


@dataclass(frozen=True, slots=True)
class Sinks:
    """The sinks of a text, ascending; the first token is always reported, a sink or not.

    One number a position:

    - `share_of_heads`: of all heads captured, those whose later rows attend to it by more than
      `EPSILON` on average (Sink of Gu et al., section 3).
    - `mass`: share of a later row's attention that it takes, mean over rows and heads; NaN where
      there is no later row.
    """

    positions: tuple[int, ...]
    share_of_heads: tuple[float, ...]
    mass: tuple[float, ...]

    @classmethod
    def of(cls, received: Floats, rows_after: Floats) -> Sinks:
        """Find them.

        Args:
            received: float64 [layer, head, key], the attention that each key got from all rows
                after it; NaN for heads that a layer does not have.
            rows_after: [key], how many rows those were.
        """
        known = ~np.isnan(received[..., 0])
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = received[known] / rows_after
        mean[:, rows_after == 0] = 0.0
        above = (mean > EPSILON).mean(axis=0) if len(mean) else np.zeros(len(rows_after))
        found = (above >= LEAST_SHARE_OF_HEADS) & (rows_after >= LEAST_LATER_ROWS)
        found[:1] = True
        positions = np.flatnonzero(found)
        none = (rows_after == 0) | (not len(mean))
        mass = np.where(none, np.nan, mean.sum(axis=0) / max(1, len(mean)))
        return cls(
            tuple(positions.tolist()),
            tuple(above[positions].tolist()),
            tuple(mass[positions].tolist()),
        )


def sinks_in(captured: AttentionMap) -> Sinks:
    """The sinks in what was captured: of its layers and heads, by its rows.

    Raises:
        RequestError: the heads were folded, so that none can be told apart, or positions masked.
    """
    if captured.fold is not None or captured.masked:
        raise RequestError(
            asked="The sinks of captured attention were asked for.",
            found="Its heads were folded, or positions have been masked.",
            action="Capture the heads one by one, with nothing masked.",
        )
    keys = np.arange(captured.weights.shape[-1])
    later = keys[None, :] < captured.queries[:, None]
    received = np.where(later, captured.weights, 0.0).sum(axis=2, dtype=np.float64)
    return Sinks.of(received, later.sum(axis=0).astype(np.float64))


def without(captured: AttentionMap, positions: Sequence[int]) -> AttentionMap:
    """The same with those keys taken out, and their weight shared among the rest of each row.

    The rest of a row keeps its proportions, the row its sum. A row that had nothing else is NaN:
    missing. A fold is masked as it is: the mean of the masked heads would differ, since each head
    has another share on the sink; capture the heads, or mask while folding.

    Raises:
        RequestError: a position is not one of the text.
    """
    chosen = positions_in(positions, captured.weights.shape[-1])
    if not chosen:
        return captured
    total = captured.weights.sum(axis=-1, keepdims=True)
    kept = captured.weights.copy()
    kept[..., list(chosen)] = 0.0
    left = kept.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        kept *= np.where(left > 0, total / left, np.nan)
    kept.flags.writeable = False
    return replace(captured, weights=kept, masked=tuple(sorted({*captured.masked, *chosen})))


def positions_in(positions: Sequence[int], length: int) -> tuple[int, ...]:
    """Positions to be masked, ascending, each once.

    Raises:
        RequestError: one is not of a text of that length.
    """
    chosen = tuple(sorted(set(positions)))
    if chosen and not 0 <= chosen[0] <= chosen[-1] < length:
        raise RequestError(
            asked=f"The positions {list(chosen)} were to be masked.",
            found=f"The text has {length:,} tokens.",
            action=f"Choose positions from 0 to {length - 1:,}.",
        )
    return chosen


def take_out(weights: torch.Tensor, positions: Sequence[int]) -> torch.Tensor:
    """What `without` does to weights as they are streamed, [..., query, key]; rows too.

    Columns beyond the last key are passed over, so that it also works on the first keys of a block.
    The argument is left as it is; it is handed back where there is nothing to take out.
    """
    chosen = [position for position in positions if position < weights.shape[-1]]
    if not chosen:
        return weights
    total = weights.sum(-1, keepdim=True)
    kept = weights.clone()
    kept[..., chosen] = 0.0
    left = kept.sum(-1, keepdim=True)
    # 0 / 0 for a row that has nothing left: NaN.
    return kept.mul_((total / left).masked_fill_(left == 0, float("nan")))
