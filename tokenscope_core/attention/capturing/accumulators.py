"""What takes in the attention of a text layer by layer, while the model reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from tokenscope_core.attention.capturing.maps import Keys, Weights
from tokenscope_core.record.arrays import Ints

if TYPE_CHECKING:
    import torch


class LayerFold(Protocol):
    """Takes in one layer after the other, and keeps what it needs of each: see `capture.attend`."""

    def add(self, layer: int, weights: torch.Tensor, first_keys: Ints | None = None) -> None:
        """Take in a layer.

        Args:
            layer: the model's index of it, ascending from call to call.
            weights: float32 [head, query, key] of the heads and rows that the selection asks for,
                on the model's device; keys are all positions. Others see it too, and the next
                layer is written over it: do not write into it, and copy what is to be kept.
            first_keys: int64 [T], of every position of the text the first one it can see; None
                where that is all that came before.
        """


class KeepWeights:
    """Keeps all it is given."""

    def __init__(self, layers: int) -> None:
        """
        Args:
            layers: how many will come at most.
        """
        self._expected = layers
        self._count = 0
        self._weights: Weights | None = None
        self._first_keys: dict[int, Ints] = {}

    def add(self, layer: int, weights: torch.Tensor, first_keys: Ints | None = None) -> None:
        """As `LayerFold.add`: weights float32 [head, query, key], shares of a row's attention."""
        if first_keys is not None:
            self._first_keys[layer] = first_keys
        given: Weights = weights.cpu().numpy()
        if self._expected == 1:  # no other layer is written over it
            self._weights = given[None]
        else:
            if self._weights is None:
                self._weights = np.empty((self._expected, *given.shape), dtype=np.float32)
            self._weights[self._count] = given
        self._count += 1

    def weights(self) -> Weights:
        """The weights of the layers that came, float32 [layer, head, query, key]."""
        assert self._weights is not None, "no layer has come"
        return self._weights[: self._count]

    def first_keys(self) -> dict[int, Ints]:
        """By layer the position of the first key that each position can see, int64 [T]; layers that
        see all that came before are not in it."""
        return self._first_keys


class KeepTop:
    """Keeps of each row the keys with the largest weights."""

    def __init__(self, count: int) -> None:
        """
        Args:
            count: how many keys a row.
        """
        self._count = count
        self._layers: list[tuple[Keys, Weights]] = []

    def add(self, layer: int, weights: torch.Tensor, first_keys: Ints | None = None) -> None:
        """As `LayerFold.add`: weights float32 [head, query, key], shares of a row's attention."""
        found = weights.topk(min(self._count, weights.shape[-1]), dim=-1)
        values: Weights = found.values.cpu().numpy()
        keys: Keys = found.indices.int().cpu().numpy()
        self._layers.append((np.where(values > 0, keys, -1), values))

    def keys(self) -> Keys:
        """Positions of the keys, int32 [layer, head, query, n], the largest weight first; -1 where
        a row attends to fewer."""
        return np.stack([keys for keys, _ in self._layers])

    def weights(self) -> Weights:
        """The weights of those keys, float32 [layer, head, query, n]."""
        return np.stack([weights for _, weights in self._layers])
