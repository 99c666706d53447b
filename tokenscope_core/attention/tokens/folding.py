"""Captured attention brought down to one matrix, and what even attention would be in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.attention.capturing.windows import keys_seen
from tokenscope_core.attention.heads.sinks import sinks_in
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.trace import Trace

Floating = TypeVar("Floating", bound=npt.NDArray[np.floating])


@dataclass(frozen=True, slots=True, eq=False)
class FoldedRows:
    """The mean of some layers and heads, each counting the same.

    - `weights`: float64 [query, key], shares of a row's attention; NaN where no head has a row.
    - `even`: float64 [query, key], the same for heads that attend evenly to all keys a row can see
      and that are not masked.
    - `queries`: int64 [query], positions. `layers`, `heads`: which the mean is over.
    """

    weights: Floats
    even: Floats
    queries: Ints
    layers: tuple[int, ...]
    heads: tuple[int, ...]


def folded_rows(
    captured: AttentionMap,
    layer: int | None = None,
    head: int | None = None,
    queries: Ints | None = None,
) -> FoldedRows:
    """The mean over the layers and heads that were captured, or of one of them.

    A head that has nothing left in a row, once positions are masked, has no say there.

    Args:
        captured: any; a fold over heads counts as one head.
        layer, head: the model's own index; None for the mean over those captured.
        queries: int64 [query], positions to take the rows of, ascending; None for all captured.

    Raises:
        KeyError: that layer or head was not captured.
        RequestError: a row was not captured.
    """
    layers = captured.layers if layer is None else (layer,)
    heads = captured.heads if head is None else (head,)
    each = (None,) if captured.fold is not None and head is None else heads
    at = _places(captured, queries)
    positions = captured.queries[at]
    length = captured.weights.shape[-1]
    total, count = np.zeros((len(at), length)), np.zeros((len(at), 1))
    even = np.zeros((len(at), length))
    for one in layers:
        for number in each:
            rows = captured.of(one, number)[at].astype(np.float64)
            there = ~np.isnan(rows[:, :1])
            total += np.where(there, rows, 0.0)
            count += there
        even += even_rows(positions, length, captured.masked, captured.first_keys.get(one))
    weights = total / np.where(count > 0, count, np.nan)
    return FoldedRows(weights, even / len(layers), positions, layers, heads)


def even_rows(
    queries: Ints, length: int, masked: tuple[int, ...] = (), first_keys: Ints | None = None
) -> Floats:
    """A head that attends evenly to all that a row can see, float64 [query, key]; rows sum to 1, or
    to 0 where there is nothing but what is masked.

    Args:
        queries: int64 [query], positions.
        length: T, of the text.
        masked: positions that cannot be seen.
        first_keys: int64 [T], of every position the first one it can see; None for all before it.
    """
    open_keys = np.ones(length)
    open_keys[list(masked)] = 0.0
    keys = np.arange(length)
    seen = keys <= queries[:, None]
    if first_keys is not None:
        seen &= keys >= first_keys[queries, None]
    count = keys_seen(open_keys, first_keys)[queries]
    return np.asarray(seen * open_keys / np.maximum(count, 1)[:, None])


def sinks_of(captured: AttentionMap) -> tuple[int, ...]:
    """The positions to set apart in what was captured: those masked, else its sinks, else, where
    the heads were folded and none can be told, the first token."""
    if captured.masked:
        return captured.masked
    return (0,) if captured.fold is not None else sinks_in(captured).positions


def stacked(layers: Sequence[Floating]) -> Floating:
    """Layers [head, token] as one array [layer, head, token] of the same float dtype and unit; NaN
    beyond the heads of a layer that has fewer."""
    heads = max(map(len, layers))
    whole = np.full((len(layers), heads, layers[0].shape[-1]), np.nan, dtype=layers[0].dtype)
    for at, layer in enumerate(layers):
        whole[at, : len(layer)] = layer
    return cast(Floating, whole)


def require_same_text(captured: AttentionMap, trace: Trace, asked: str) -> None:
    """Refuse attention of another text.

    Raises:
        RequestError: it has another number of tokens.
    """
    if captured.weights.shape[-1] != len(trace):
        raise RequestError(
            asked=asked,
            found=f"Attention over {captured.weights.shape[-1]:,} tokens was captured, and the "
            f"text has {len(trace):,}.",
            action="Capture the attention of this trace.",
        )


def _places(captured: AttentionMap, queries: Ints | None) -> Ints:
    """Where rows are among those captured, int64 [query]."""
    if queries is None:
        return np.arange(len(captured.queries))
    missing = np.setdiff1d(queries, captured.queries)
    if len(missing):
        raise RequestError(
            asked=f"The row of the token at position {int(missing[0]):,} was asked for.",
            found=f"Rows were captured of the positions {int(captured.queries[0]):,} to "
            f"{int(captured.queries[-1]):,}.",
            action="Capture its row too, or choose among these.",
        )
    return np.asarray(np.searchsorted(captured.queries, queries))
