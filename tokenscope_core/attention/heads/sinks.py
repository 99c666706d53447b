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

from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats

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
    - `mass`: share of a later row's attention that it takes, mean over rows, then over heads; NaN
      where there is no later row.

    Later rows are those that can see it: beyond a layer's window there is nothing to be seen.
    """

    positions: tuple[int, ...]
    share_of_heads: tuple[float, ...]
    mass: tuple[float, ...]

    @classmethod
    def of(cls, received: Floats, rows_after: Floats) -> Sinks:
        """Find them.

        Args:
            received: float64 [layer, head, key], the sum of the weights that each key got in all
                rows after it; NaN for heads that a layer does not have.
            rows_after: float64 [layer, key], how many rows those were that can see it.
        """
        known = ~np.isnan(received[..., 0])
        rows = np.broadcast_to(rows_after[:, None], received.shape)[known]
        there = rows > 0
        mean = received[known] / np.where(there, rows, 1.0)  # nothing was received where none is
        above, heads = mean > EPSILON, max(1, len(mean))
        found = (above & (rows >= LEAST_LATER_ROWS)).sum(axis=0) / heads >= LEAST_SHARE_OF_HEADS
        above = above.sum(axis=0) / heads
        found[:1] = True
        positions = np.flatnonzero(found)
        of = there.sum(axis=0)
        mass = mean.sum(axis=0) / np.where(of > 0, of, np.nan)
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
    nothing = np.zeros(len(keys), dtype=np.int64)
    seen = [
        later & (keys >= captured.first_keys.get(layer, nothing)[captured.queries, None])
        for layer in captured.layers
    ]
    return Sinks.of(received, np.array([rows.sum(axis=0) for rows in seen], dtype=np.float64))


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
    """What `without` does to weights as they are streamed, float32 [..., query, key]; rows too.

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
