"""What takes in the attention of a text layer by layer, while the model reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


class LayerFold(Protocol):
    """Takes in one layer after the other, and keeps what it needs of each: see `capture.attend`."""

    def add(self, layer: int, weights: torch.Tensor) -> None:
        """Take in a layer.

        Args:
            layer: the model's index of it, ascending from call to call.
            weights: float32 [head, query, key] of the heads and rows that the selection asks for,
                on the model's device; keys are all positions. It is gone after the call: copy
                what is to be kept, and do not write into it.
        """
