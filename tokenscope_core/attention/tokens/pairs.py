"""One pair of tokens in every head: how much the one attends to the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.attention.heads.sinks import positions_in
from tokenscope_core.attention.tokens.folding import even_rows
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats


@dataclass(frozen=True, slots=True, eq=False)
class PairGrid:
    """How much the row at one position attends to the key at another, in L layers of H heads.

    - `weights`: float64 [layer, head], shares of the row's attention, 0 to 1; NaN where the layer
      does not see that far back, or the head has nothing left once positions are masked. Where the
      heads were folded there is one column.
    - `even`: float64 [layer], what a head that attends evenly would give; NaN where it cannot see.
    - `layers`, `heads`: which of the model's.
    """

    query: int
    key: int
    weights: Floats
    even: Floats
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    masked: tuple[int, ...] = ()

    def frame(self) -> pd.DataFrame:
        """One row a head: `layer`, `head` (missing where they were folded), `weight`, `even`,
        `ratio` (weight / even)."""
        columns = self.weights.shape[1]
        folded = columns != len(self.heads)
        numbers = pd.array([None] * columns if folded else list(self.heads), dtype="Int64")
        weight, even = self.weights.ravel(), np.repeat(self.even, columns)
        return pd.DataFrame(
            {
                "layer": np.repeat(np.array(self.layers), columns),
                "head": np.tile(numbers, len(self.layers)),
                "weight": weight,
                "even": even,
                "ratio": weight / even,
            }
        ).astype({"head": "Int64"})


def pair_grid(captured: AttentionMap, query: int, key: int) -> PairGrid:
    """One cell of every matrix that was captured.

    A single row of all layers and heads takes little: `attention(lm, trace, queries=(i, i + 1))`.

    Args:
        captured: with the row of the query.
        query: position of the token that attends.
        key: position of the token that is attended to, not after the query.

    Raises:
        RequestError: the row was not captured, there is no such position, or the key comes later.
    """
    positions_in([query, key], captured.weights.shape[-1])
    if key > query:
        raise RequestError(
            asked=f"How much position {query:,} attends to position {key:,} was asked for.",
            found="That comes later: a token attends only to itself and what precedes it.",
            action="Exchange the two.",
        )
    at = np.flatnonzero(captured.queries == query)
    if not len(at):
        raise RequestError(
            asked=f"How much position {query:,} attends to position {key:,} was asked for.",
            found=f"Rows were captured of the positions {int(captured.queries[0]):,} to "
            f"{int(captured.queries[-1]):,}.",
            action="Capture that row too.",
        )
    length = captured.weights.shape[-1]
    row = np.array([query])
    even = np.array(
        [
            even_rows(row, length, captured.masked, captured.first_keys.get(layer))[0, key]
            for layer in captured.layers
        ]
    )
    even = np.where(even > 0, even, np.nan)
    weights = captured.weights[:, :, at[0], key].astype(np.float64)
    return PairGrid(
        query, key, np.where(np.isnan(even)[:, None], np.nan, weights), even,
        captured.layers, captured.heads, captured.masked,
    )  # fmt: skip
