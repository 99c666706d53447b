"""Attention rollout, streamed: two T x T matrices stand in memory, whatever the layers.

Abnar and Zuidema 2020, Quantifying attention flow in transformers, arXiv:2005.00928.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tokenscope_core.attention.capturing.capture import Text, attend
from tokenscope_core.attention.capturing.estimate import require_rollout_room
from tokenscope_core.attention.capturing.maps import Rollout, Weights
from tokenscope_core.attention.capturing.resolved_selection import heads_of
from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_core.attention.capturing.sources import refusals_of
from tokenscope_core.errors import CapabilityError
from tokenscope_core.models.files.machine import memory_of
from tokenscope_core.progress import Cancelled, Report, never, silent
from tokenscope_core.record.arrays import Ints

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel

_BLOCK_ROWS = 256


class RolloutFold:
    """Multiplies layers as they come. Of each it takes in the mean over heads, of all rows."""

    def __init__(self) -> None:
        self._rolled: torch.Tensor | None = None

    @torch.inference_mode()
    def add(self, layer: int, weights: torch.Tensor, first_keys: Ints | None = None) -> None:
        """As `LayerFold.add`: weights float32 [1, T, T], the mean over the heads."""
        step = weights[0] / 2
        step.diagonal().add_(0.5)
        step /= step.sum(dim=-1, keepdim=True)
        if self._rolled is None:
            self._rolled = step
            return
        step = step.to(self._rolled.device)  # layers may be spread over several
        # Both are lower triangles: of a block of rows only what came before counts. From the last
        # block up, a row is replaced after the rows below have used it.
        length = len(step)
        for start in reversed(range(0, length, _BLOCK_ROWS)):
            end = min(start + _BLOCK_ROWS, length)
            self._rolled[start:end, :end] = step[start:end, :end] @ self._rolled[:end, :end]

    def weights(self) -> Weights:
        """The rollout through the layers that came, float32 [query, key]; rows sum to 1."""
        assert self._rolled is not None, "no layer has come"
        rolled: Weights = self._rolled.cpu().numpy()
        return rolled


def rolled_out(
    lm: LanguageModel,
    text: Text,
    up_to: int | None = None,
    report: Report = silent,
    cancelled: Cancelled = never,
) -> Rollout | None:
    """As `rollout`, with the layers; when cancelled, through those there are by then, or None.

    Raises: as `capture.attend`, and
        SelectionTooLargeError: it would not fit into the memory that is free.
        CapabilityError: layers on the way attend to more, or to else, than the text's tokens.
    """
    layers = None
    if up_to is not None:
        below = tuple(layer for layer in lm.capabilities.attention.layers if layer < up_to)
        layers = (*below, up_to)
    _require_all_shown(lm, up_to)
    require_rollout_room(heads_of(lm), len(text), memory_of(str(lm.device)).available)
    fold = RolloutFold()
    done = attend(lm, text, Selection(layers, fold="mean"), [fold], report, cancelled)
    if not done:
        return None
    weights = fold.weights()
    weights.flags.writeable = False
    return Rollout(weights, done)


def _require_all_shown(lm: LanguageModel, up_to: int | None) -> None:
    """What goes through a layer that attends to something else than tokens would be missing from
    the product, without a trace.

    Raises:
        CapabilityError: there is such a layer among those to be multiplied.
    """
    facts = lm.capabilities.attention
    if facts.way != "none" and any(up_to is None or layer <= up_to for layer, _ in facts.refused):
        raise CapabilityError(
            asked=f"A rollout of “{lm.identity.name}” was asked for.",
            found=f"Some of its layers do not attend token by token. {refusals_of(facts)}",
            action="Look at single layers: " + ", ".join(map(str, facts.layers)) + ".",
        )
