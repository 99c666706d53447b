"""Attention that was captured: frozen arrays, read without a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tokenscope_core.attention.capturing.selection import Fold, Weighting
from tokenscope_core.record.html_repr import ShownAsHtml

Weights = npt.NDArray[np.float32]
Keys = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMap(ShownAsHtml):
    """Attention of one text, as a `Selection` asked for it.

    - `weights`: float32 [layer, head, query, key]. Keys are all positions of the text; of a query
      at position i the keys after i are 0. A row sums to 1, but for models whose heads may attend
      to nothing (learned sinks, as in gpt-oss). With a fold over heads there is one head.
    - `layers`, `heads`: which of the model's; `heads` lists those that were folded.
    - `queries`: int64 [query], the position of each row.
    - `masked`: positions whose weight was taken out and shared among the rest of the row.
    - `first_keys`: by layer int64 [T], of every position the first one that it can see, where a
      layer sees a window or a block only; a layer that is not in it sees all that came before.
    """

    weights: Weights
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    queries: npt.NDArray[np.int64]
    fold: Fold | None = None
    weighting: Weighting = "weights"
    masked: tuple[int, ...] = ()
    first_keys: Mapping[int, npt.NDArray[np.int64]] = field(default_factory=dict)

    def __repr__(self) -> str:
        heads = f"heads folded by their {self.fold}" if self.fold else f"heads {list(self.heads)}"
        return (
            f"<AttentionMap {list(self.weights.shape)} [layer, head, query, key] of layers "
            f"{list(self.layers)}, {heads}>"
        )

    def of(self, layer: int, head: int | None = None) -> Weights:
        """The matrix [query, key] of one layer and head, by the model's own indices.

        Args:
            layer: the model's layer.
            head: the model's head; None for the fold.

        Raises:
            KeyError: it was not captured.
        """
        if layer not in self.layers:
            raise KeyError(f"layer {layer} was not captured, only {list(self.layers)}")
        if self.fold is not None and head is not None:
            raise KeyError(f"the heads were folded by their {self.fold}")
        if self.fold is None and head not in self.heads:
            raise KeyError(f"head {head} was not captured, only {list(self.heads)}")
        place = 0 if head is None else self.heads.index(head)
        matrix: Weights = self.weights[self.layers.index(layer), place]
        return matrix


@dataclass(frozen=True, slots=True, eq=False)
class TopAttention:
    """The keys with the largest weights of each row: a map without its small ones.

    - `keys`: int32 [layer, head, query, n], positions, the largest weight first; -1 where a row
      attends to fewer.
    - `weights`: float32 [layer, head, query, n], of those keys; 0 where there is none. A row sums
      to what these keys have of it.
    - `layers`, `heads`, `queries`, `fold`, `weighting`: as of `AttentionMap`.
    """

    keys: Keys
    weights: Weights
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    queries: npt.NDArray[np.int64]
    fold: Fold | None = None
    weighting: Weighting = "weights"


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """Attention multiplied through layers: see `rollout`.

    - `weights`: float32 [query, key]; a row sums to 1.
    - `layers`: through which.
    """

    weights: Weights
    layers: tuple[int, ...]
