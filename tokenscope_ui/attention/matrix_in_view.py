"""The one matrix in view: of a head, or folded over heads, with or without the attention sink."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tokenscope_core.attention.capturing.maps import AttentionMap, Rollout, Weights
from tokenscope_core.attention.capturing.windows import Locality, locality_of
from tokenscope_core.attention.heads.sinks import sinks_in, without
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_ui.attention.view_choice import Head
from tokenscope_ui.server.lru_cache import remembering

# A layer of 2,048 tokens and eight heads takes 134 MB, and keeps as much alive.
_MOST_BYTES = 400 * 10**6


# The layer that a rollout goes by in a map: none of the model's.
ROLLED = -1


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A matrix, and what the sink has to do with it.

    - `matrix`: float32 [query, key]; without the sink where `masked`. A row that had nothing else
      is NaN then.
    - `queries`: int64 [query], the position of each row.
    - `sink_positions`: where the heads of the layer park their attention; the first token always.
    - `sink_mass`: float64 [query], what each row puts there with nothing masked, mean over the
      heads that were folded: the largest weights of several heads do not make up a row.
    - `first_keys`: int64 [T], of every position the first one that it can see; None for all that
      came before.
    """

    matrix: Weights
    queries: Ints
    sink_positions: tuple[int, ...]
    sink_mass: Floats
    masked: bool
    first_keys: Ints | None = None

    @property
    def locality(self) -> Locality | None:
        """How far back the rows of the layer see; None for all that came before."""
        return locality_of(self.first_keys)

    @property
    def taken_out(self) -> tuple[int, ...]:
        """The positions that are masked."""
        return self.sink_positions if self.masked else ()

    @property
    def mean_sink_mass(self) -> float:
        """Share of a row's attention that sits on the sinks, mean over the rows after the first."""
        later = self.sink_mass[self.queries > 0]
        return float(np.nanmean(later)) if len(later) else float("nan")

    def sink_mass_of_row(self, query: int) -> float:
        """What one row puts on the sinks, with nothing masked."""
        return float(self.sink_mass[int(np.searchsorted(self.queries, query))])


@remembering(_MOST_BYTES)
def shown(captured: AttentionMap, layer: int, head: Head, *, mask: bool) -> Shown:
    """The matrix of a head of a captured layer, or of the mean or the maximum of its heads.

    A sink is taken out of every head before they are folded, so that each counts the same.

    Raises:
        KeyError: the layer or head was not captured.
    """
    heads = _heads(captured, layer, head)
    positions = sinks(captured, layer)
    at = list(positions)
    mass = heads.weights[0][:, :, at].sum(axis=2, dtype=np.float64).mean(axis=0)
    matrix = _without(heads, at, head) if mask else _folded(heads.weights[0], head)
    return Shown(matrix, captured.queries, positions, mass, mask, captured.first_keys.get(layer))


@remembering(_MOST_BYTES)
def as_map(rollout: Rollout) -> AttentionMap:
    """A rollout as what it is once it is there: one matrix, of the layer `ROLLED`."""
    return AttentionMap(
        rollout.weights[None, None],
        layers=(ROLLED,),
        heads=(),
        queries=np.arange(len(rollout.weights), dtype=np.int64),
        fold="mean",
    )


def masked(captured: AttentionMap, layer: int) -> AttentionMap:
    """A layer of what was captured, the sink taken out of every head."""
    return without(_heads(captured, layer, "mean"), sinks(captured, layer))


@remembering(_MOST_BYTES)
def sinks(captured: AttentionMap, layer: int) -> tuple[int, ...]:
    """Where the heads of a layer park their attention; the first token always."""
    if captured.fold is not None:
        return (0,)
    return sinks_in(_heads(captured, layer, "mean")).positions


def _heads(captured: AttentionMap, layer: int, head: Head) -> AttentionMap:
    """One layer of what was captured, and one of its heads, or all of them."""
    if layer not in captured.layers:
        raise KeyError(f"layer {layer} was not captured, only {list(captured.layers)}")
    at = captured.layers.index(layer)
    weights, heads = captured.weights[at : at + 1], captured.heads
    if isinstance(head, int) and captured.fold is None:
        place = heads.index(head) if head in heads else -1
        if place < 0:
            raise KeyError(f"head {head} was not captured, only {list(heads)}")
        weights, heads = weights[:, place : place + 1], (head,)
    return replace(captured, weights=weights, layers=(layer,), heads=heads)


def _folded(heads: Weights, head: Head) -> Weights:
    if len(heads) == 1:
        matrix: Weights = heads[0]
        return matrix
    return np.asarray(heads.max(axis=0) if head == "max" else heads.mean(axis=0))


def _without(captured: AttentionMap, positions: list[int], head: Head) -> Weights:
    """The heads of one layer, folded after the sink was taken out of each: one copy at a time."""
    total, count = np.float32(0) * captured.weights[0, 0], np.zeros((1, 1), dtype=np.int64)
    for place in range(captured.weights.shape[1]):
        one = replace(captured, weights=captured.weights[:, place : place + 1])
        kept = without(one, positions).weights[0, 0]
        # A head that has nothing left in a row has no say there.
        there = ~np.isnan(kept[:, :1])
        known = np.where(there, kept, np.float32(0))
        total = np.maximum(total, known) if head == "max" else total + known
        count = count + there
    scale = np.where(count == 0, np.nan, 1 if head == "max" else 1 / np.maximum(count, 1))
    return np.asarray(total * scale, dtype=np.float32)
