"""Several tokens taken together: what they attend to, or what attends to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.attention.heads.sinks import positions_in
from tokenscope_core.attention.tokens.folding import folded_rows
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats

Direction = Literal["from", "to"]


@dataclass(frozen=True, slots=True, eq=False)
class SelectedAttention:
    """The attention of N tokens together, laid onto the T tokens of their text.

    - `weight`: float64 [T]. "from" them: the mean of their rows, share of a row's attention that
      goes to each token; it sums to what a row does. "to" them: of each row, the sum over them,
      share of that row's attention that is on any of them; NaN where a row was not captured.
    - `even`: float64 [T], the same for heads that attend evenly to all that a row can see.
    - `positions`: of the tokens. `layers`, `heads`: which the mean is over.
    """

    weight: Floats
    even: Floats
    positions: tuple[int, ...]
    direction: Direction
    layers: tuple[int, ...]
    heads: tuple[int, ...]


def selected_attention(
    captured: AttentionMap,
    positions: Sequence[int],
    direction: Direction = "from",
    *,
    layer: int | None = None,
    head: int | None = None,
) -> SelectedAttention:
    """What several tokens attend to together, or how much attends to any of them.

    Args:
        captured: with the rows of those tokens, or, for what attends to them, of the later ones.
        positions: of the tokens, each counted once; which row stands for a token is up to the
            caller: the row at it, or that of the token before, which predicts it.
        direction: "from" them, the mean of their rows; "to" them, the sum of their columns.
        layer, head: one of the model's that was captured; None for the mean over those.

    Raises:
        RequestError: no position is given, one is none of the text, or its row was not captured.
        KeyError: that layer or head was not captured.
    """
    length = captured.weights.shape[-1]
    chosen = positions_in(positions, length)
    if not chosen:
        raise RequestError(
            asked="The attention of several tokens was asked for.",
            found="None was given.",
            action="Give the position of at least one.",
        )
    at = np.array(chosen, dtype=np.int64)
    rows = folded_rows(captured, layer, head, at if direction == "from" else None)
    if direction == "from":
        there = ~np.isnan(rows.weights[:, 0])
        if not there.any():
            nothing = np.full(length, np.nan)
            weight, even = nothing, nothing
        else:
            weight, even = (m[there].mean(axis=0) for m in (rows.weights, rows.even))
    else:
        weight, even = np.full(length, np.nan), np.full(length, np.nan)
        weight[rows.queries] = rows.weights[:, at].sum(axis=1)
        even[rows.queries] = rows.even[:, at].sum(axis=1)
    return SelectedAttention(weight, even, chosen, direction, rows.layers, rows.heads)
