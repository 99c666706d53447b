"""Layers that see the last tokens only: read off what was captured, whatever the configuration
calls it (Beltagy et al. 2020, Longformer, arXiv:2004.05150; Jiang et al. 2023, Mistral 7B,
arXiv:2310.06825)."""

from __future__ import annotations

import numpy as np

from tokenscope_core.attention.maps import AttentionMap

# Fewer rows that all stop at the same distance may do so by chance, where weights fade to nothing.
_LEAST_ROWS = 8


def window_in(captured: AttentionMap, layer: int) -> int | None:
    """How many tokens a row of a layer sees at most, its own included.

    Args:
        captured: with nothing masked; the more of its heads and rows, the surer.
        layer: one of those captured.

    Returns:
        None where rows see all that came before, where they stop at no common distance, as with
        chunks, and where the text is too short to tell.
    """
    weights = captured.weights[captured.layers.index(layer)]
    if (weights[:, -1, 0] > 0).any():
        return None
    first = np.array([int((row > 0).any(axis=0).argmax()) for row in weights.swapaxes(0, 1)])
    reach = captured.queries - first + 1
    widest = int(reach.max())
    beyond = reach[captured.queries >= widest]
    alike = len(beyond) >= _LEAST_ROWS and bool((beyond == widest).all())
    return widest if alike else None
