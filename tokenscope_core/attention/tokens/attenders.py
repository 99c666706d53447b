"""Which later tokens attend to one token, head by head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tokenscope_core.attention.capturing.maps import AttentionMap, Weights
from tokenscope_core.attention.heads.sinks import positions_in
from tokenscope_core.attention.tokens.folding import stacked
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, eq=False)
class Attenders:
    """What every row from one token on gives to it, in L layers of up to H heads.

    - `weights`: float32 [layer, head, query], shares of a row's attention; NaN where the layer does
      not see that far back from the row, and beyond a layer's own heads.
    - `queries`: int64 [query], the positions of the rows: the token's own and all after it.
    - `key`: position of the token. `layers`: the model's.
    """

    key: int
    weights: Weights
    queries: Ints
    layers: tuple[int, ...]

    def __post_init__(self) -> None:
        self.weights.flags.writeable = False

    def by_head(self, layer: int | None = None) -> Floats:
        """Rows by heads, float64 [query, head], shares of a row's attention: of one layer, or the
        mean over the layers that see the token. Heads of several layers have no more in common than
        their number.

        Raises:
            KeyError: that layer was not captured.
        """
        if layer is None:
            return _mean(self.weights, axis=0).T
        if layer not in self.layers:
            raise KeyError(f"layer {layer} was not captured, only {list(self.layers)}")
        return np.asarray(self.weights[self.layers.index(layer)].T, dtype=np.float64)

    def by_layer(self) -> Floats:
        """Rows by layers, float64 [query, layer], shares of a row's attention, mean over heads."""
        return _mean(self.weights, axis=1).T

    def frame(self) -> pd.DataFrame:
        """One row a layer, head and query: `layer`, `head`, `query`, `weight`; heads that a layer
        does not have are left out."""
        layer, head, query = np.indices(self.weights.shape)
        frame = pd.DataFrame(
            {
                "layer": np.array(self.layers)[layer.ravel()],
                "head": head.ravel(),
                "query": self.queries[query.ravel()],
                "weight": self.weights.ravel(),
            }
        )
        there = ~np.isnan(self.weights).all(axis=2)
        return frame[np.repeat(there.ravel(), len(self.queries))].reset_index(drop=True)


class KeepColumn:
    """A fold that keeps of every head what later rows give to one key."""

    def __init__(self, key: int, length: int) -> None:
        """
        Args:
            key: position of the token.
            length: T, of the text.

        Raises:
            RequestError: the text has no such position.
        """
        (self._key,) = positions_in([key], length)
        self._queries = np.arange(key, length, dtype=np.int64)
        self._layers: dict[int, Weights] = {}

    def add(self, layer: int, weights: torch.Tensor, first_keys: Ints | None = None) -> None:
        """As `LayerFold.add`: weights float32 [head, query, key] with every row of the text."""
        # The next layer is written over it.
        column = weights[:, self._key :, self._key].cpu().numpy().copy()
        self._layers[layer] = _column(column, self._key, self._queries, first_keys)

    def attenders(self) -> Attenders:
        """Of the layers there are by now, at least one."""
        return Attenders(
            self._key, stacked(list(self._layers.values())), self._queries, tuple(self._layers)
        )


def attenders_in(captured: AttentionMap, key: int) -> Attenders:
    """Who attends to a token, from attention that was captured: no model is called.

    Args:
        captured: heads one by one; of its rows those from the token on.
        key: position of the token.

    Raises:
        RequestError: the heads were folded, the text has no such position, or no row from the
            token on was captured.
    """
    (chosen,) = positions_in([key], captured.weights.shape[-1])
    at = np.flatnonzero(captured.queries >= chosen)
    if captured.fold is not None or not len(at):
        raise RequestError(
            asked=f"Who attends to the token at position {chosen:,}, head by head, was asked for.",
            found="The heads were folded."
            if captured.fold is not None
            else f"The last row that was captured is that of position {captured.queries[-1]:,}.",
            action="Capture the heads one by one, with the rows after the token.",
        )
    queries = captured.queries[at]
    columns = [
        _column(captured.weights[place][:, at, chosen], chosen, queries,
                captured.first_keys.get(layer))
        for place, layer in enumerate(captured.layers)
    ]  # fmt: skip
    return Attenders(chosen, stacked(columns), queries, captured.layers)


def _column(weights: Weights, key: int, queries: Ints, first_keys: Ints | None) -> Weights:
    """Weights [head, query] of one key, NaN for the rows that cannot see it."""
    if first_keys is None:
        return weights
    return np.where(first_keys[queries] <= key, weights, np.float32(np.nan))


def _mean(weights: Weights, axis: int) -> Floats:
    """The mean of what is known along an axis, float64; NaN where nothing is."""
    known = ~np.isnan(weights)
    count = known.sum(axis=axis)
    total = np.where(known, weights, 0.0).sum(axis=axis, dtype=np.float64)
    return np.asarray(total / np.where(count > 0, count, np.nan))
