"""Layers that see a part of what came before: the last tokens (Beltagy et al. 2020, Longformer,
arXiv:2004.05150; Jiang et al. 2023, Mistral 7B, arXiv:2310.06825), or the block a token is in (as
Llama 4 does). Read off what the model computed with, whatever its configuration calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tokenscope_core.record.arrays import Floats, Ints

if TYPE_CHECKING:
    import torch

# Fewer rows that all stop at the same distance may do so by chance, where weights fade to nothing.
_LEAST_ROWS = 8
# Rows at a time: what lies ahead of them all is not looked at.
_BLOCK_ROWS = 128


@dataclass(frozen=True, slots=True)
class Locality:
    """How far back the rows of a layer see.

    - `kind`: "window", the last `length` tokens, its own included; "blocks", those of its own of
      the blocks of `length` tokens that the text is cut into; "other": neither, and `length` is the
      most that a row sees.
    """

    kind: Literal["window", "blocks", "other"]
    length: int


def locality_of(first_keys: Ints | None) -> Locality | None:
    """What a layer sees, from the first key of every position, int64 [T]; None for all that came
    before."""
    if first_keys is None or not first_keys.any():
        return None
    positions = np.arange(len(first_keys))
    window = int((positions - first_keys).max()) + 1
    if np.array_equal(first_keys, np.maximum(positions - window + 1, 0)):
        return Locality("window", window)
    block = int(np.flatnonzero(first_keys)[0])
    if np.array_equal(first_keys, positions // block * block):
        return Locality("blocks", block)
    return Locality("other", window)


def first_keys_allowed(mask: torch.Tensor) -> Ints | None:
    """The position of the first key that each query may see, int64 [T]; None for all that came
    before.

    Args:
        mask: [1, 1 or head, T, T], bool or added to the scores; where it differs by head, a key is
            seen that any head may see.
    """
    import torch

    part = mask[0]
    if part.dtype != torch.bool:
        part = part > torch.finfo(part.dtype).min / 2
    # Where a row may see nothing there is no choice to speak of: itself.
    return _unless_all(part.any(0) if len(part) > 1 else part[0])


def first_keys_attended(weights: torch.Tensor) -> Ints | None:
    """As `first_keys_allowed`, int64 [T], from the weights [head, T, T] of all heads of a layer.

    A weight may be too small to be kept without being masked, so only what is a window or blocks,
    over some rows, is taken for one.
    """
    import torch

    if (weights[:, -1, 0] > 0).any():
        return None
    length = weights.shape[-1]
    seen = weights.new_zeros(length, length, dtype=torch.bool)
    for start in range(0, length, _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        # A maximum over the heads takes a fifth of the time, and no memory for each of them.
        seen[block, : block.stop] = weights[:, block, : block.stop].amax(0) > 0
    found = _unless_all(seen)
    locality = locality_of(found)
    if found is None or locality is None or locality.kind == "other":
        return None
    return found if len(found) >= locality.length + _LEAST_ROWS else None


def _unless_all(seen: torch.Tensor) -> Ints | None:
    """The first True of each row [T, T], its own position where there is none."""
    first: Ints = seen.byte().argmax(-1).cpu().numpy().astype(np.int64)
    own = np.arange(len(first))
    first = np.where((first == 0) & ~seen[:, 0].cpu().numpy(), own, first)
    return first if first.any() else None


def rows_seeing(first_keys: Ints | None, length: int) -> Floats:
    """How many later rows can see the key at each position, [T]."""
    if first_keys is None:
        return np.arange(length - 1, -1, -1, dtype=np.float64)
    # The row at i sees the keys from the first one on, before i.
    begins = np.bincount(first_keys, minlength=length)
    return np.asarray(np.cumsum(begins - 1), dtype=np.float64)


def keys_seen(open_keys: Floats, first_keys: Ints | None) -> Ints:
    """How many keys the row at each position can see, int64 [T].

    Args:
        open_keys: [T], 1 for positions that are not masked, else 0.
        first_keys: of every position; None for all that came before.
    """
    up_to = np.concatenate([[0], np.cumsum(open_keys)])
    counted = up_to[1:] if first_keys is None else up_to[1:] - up_to[first_keys]
    return np.asarray(counted, dtype=np.int64)
