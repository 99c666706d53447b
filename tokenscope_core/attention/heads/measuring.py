"""All statistics of all heads in one pass over a text: a layer at a time, in blocks of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tokenscope_core.attention.capturing.windows import rows_seeing
from tokenscope_core.attention.heads.overview import HeadOverview, Thumbnails
from tokenscope_core.attention.heads.pair_blocks import SUMS, PairBlock, pair_blocks
from tokenscope_core.attention.heads.sinks import Sinks, positions_in, take_out
from tokenscope_core.attention.heads.statistics import BY_NAME, Rows
from tokenscope_core.attention.heads.token_locations import Places
from tokenscope_core.record.arrays import Floats, Ints

# What is added up row by row; the sinks' share follows when the sinks are known.
_ADDED = ("entropy_norm", "mean_distance", *SUMS)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """What is kept of a layer of H heads, float64.

    - `sums`: [H, statistic] in the order of `_ADDED`, `counts`: what they are to be divided by.
    - `received`: [H, T], what each key got from all rows after it; `received_counted`: from those
      rows that count in the statistics. Of the weights as they are.
    """

    sums: Floats
    counts: Floats
    received: Floats
    received_counted: Floats
    thumbnails: Thumbnails


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What the rows of some layers can see.

    - `first_keys`: int64 [T], as of `LayerFold.add`.
    - `blocks`: of the text, as these layers see it.
    - `even`: a head that attends evenly to what it can see.
    """

    first_keys: Ints | None
    blocks: Sequence[PairBlock]
    even: _Layer

    def rows_seeing(self, sinks: Sinks) -> int:
        """How many of the rows that count can see a sink before them."""
        counted = np.concatenate([block.counted.cpu().numpy() for block in self.blocks]) > 0
        found = np.array(sinks.positions)
        positions = np.arange(len(counted))
        # The last sink before a row; the first token is one always.
        last = found[np.maximum(np.searchsorted(found, positions) - 1, 0)]
        first = 0 if self.first_keys is None else self.first_keys
        return int((counted & (last < positions) & (last >= first)).sum())


class HeadMeasuring:
    """A fold that measures all heads of each layer it is given, with every row of the text.

    Besides a layer it holds some 20 bytes a pair of positions, a few blocks, and its results.

    Args:
        places: of the text.
        rows: which rows count in the statistics; thumbnails and sinks always see all.
        masked: positions to take out of every row first.
    """

    def __init__(self, places: Places, *, rows: Rows = "all", masked: Sequence[int] = ()) -> None:
        self._places = places
        self._rows: Rows = rows
        self._masked = positions_in(masked, len(places.token_ids))
        self._blocks: list[PairBlock] = []
        self._views: dict[bytes, _View] = {}
        self._layers: dict[int, _Layer] = {}
        self._view_of: dict[int, _View] = {}

    def add(self, layer: int, weights: torch.Tensor, first_keys: Ints | None = None) -> None:
        """Measure the heads of a layer: as `LayerFold.add`, weights float32 [head, query, key]."""
        if not self._blocks:
            self._blocks += pair_blocks(self._places, self._rows, self._masked, weights.device)
        view = self._view_of[layer] = self._view(first_keys)
        self._layers[layer] = _measured(weights, view.blocks, self._masked)

    def _view(self, first_keys: Ints | None) -> _View:
        """What the rows of a layer can see; most layers of a model see the same."""
        key = b"" if first_keys is None else first_keys.tobytes()
        if key not in self._views:
            self._views[key] = self._new_view(first_keys)
        return self._views[key]

    def _new_view(self, first_keys: Ints | None) -> _View:
        blocks = self._blocks
        if first_keys is not None:
            blocks = [block.seeing(first_keys) for block in blocks]
        even = _even(len(self._places.token_ids), first_keys, blocks[0].keys.device)
        return _View(first_keys, blocks, _measured(even, blocks, self._masked))

    def overview(self) -> HeadOverview:
        """Of the layers there are by now, at least one."""
        length, layers = len(self._places.token_ids), list(self._layers.values())
        heads = max(len(layer.sums) for layer in layers)
        views = [self._view_of[layer] for layer in self._layers]
        sinks = Sinks.of(
            _stacked([layer.received for layer in layers], heads),
            np.array([rows_seeing(view.first_keys, length) for view in views]),
        )
        rows = [view.rows_seeing(sinks) for view in views]
        each = list(zip(layers, views, rows, strict=True))
        figures = _stacked([_figures(layer, sinks, of) for layer, _, of in each], heads)
        even = np.stack([_figures(view.even, sinks, of)[0] for _, view, of in each])
        counts = np.stack([[*view.even.counts[0].round(), of] for _, view, of in each])
        names = (*_ADDED, "sink_mass")
        return HeadOverview(
            layers=tuple(self._layers),
            heads=heads,
            tokens=length,
            statistics={name: figures[..., names.index(name)] for name in BY_NAME},
            uniform=dict(zip(names, even.T, strict=True)),
            row_counts=dict(zip(names, counts.T.astype(np.int64), strict=True)),
            thumbnails=_stacked([layer.thumbnails for layer in layers], heads, fill=0.0),
            sinks=sinks,
            masked=self._masked,
            rows=self._rows,
            language=self._places.language,
        )


def _measured(
    weights: torch.Tensor, blocks: Sequence[PairBlock], masked_keys: Sequence[int]
) -> _Layer:
    """Measure heads, float32 [head, query, key]."""
    heads, _, length = weights.shape
    sums = np.zeros((heads, len(_ADDED)))
    counts = np.zeros((heads, len(_ADDED)))
    received = np.zeros((2, heads, length))
    tops = weights.new_zeros(heads, len(blocks), length)
    for place, block in enumerate(blocks):
        raw = weights[:, block.start : block.end, : block.end]
        received[..., : block.end] += _received(raw, block)
        masked = take_out(raw, masked_keys)
        if masked is not raw:
            masked = masked.nan_to_num_(nan=0.0)  # rows with nothing left
        added, of = _sums(masked, block)
        sums += added.cpu().double().numpy()
        counts += of.cpu().double().numpy()
        tops[:, place, : block.end] = masked.amax(1)
    pixels = [tops[..., block.start : block.end].amax(-1) for block in blocks]
    thumbnails = torch.stack(pixels, -1).half().cpu().numpy()
    return _Layer(sums, counts, received[0], received[1], thumbnails)


def _received(raw: torch.Tensor, block: PairBlock) -> Floats:
    """What each key got from later rows of the block, from all and from those that count.

    [2, head, key], or [1, head, key] where these are the same.
    """
    to_itself = raw[:, :, block.start :].diagonal(dim1=1, dim2=2)
    if block.all_counted:
        chosen, sums = torch.ones_like(block.counted)[None], raw.sum(1)[None]
    else:
        chosen = torch.stack([torch.ones_like(block.counted), block.counted])
        sums = torch.einsum("rq,hqk->rhk", chosen, raw)
    sums[..., block.start :] -= chosen[:, None] * to_itself
    found: Floats = sums.cpu().double().numpy()
    return found


def _sums(weights: torch.Tensor, block: PairBlock) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of each of `_ADDED` over the rows, and what to divide it by; [head, statistic].

    `weights` [head, row, key]; a row of zeros is no row.
    """
    mass = weights.sum(-1)
    counted = (mass > 0) * block.counted
    # Σ p ln p = Σ a ln a / m - ln m
    logs = weights.clamp_min(torch.finfo(weights.dtype).tiny).log_().mul_(weights).sum(-1)
    whole = mass.clamp_min(torch.finfo(weights.dtype).tiny)
    entropy = (whole.log() - logs / whole).clamp_min_(0.0)
    spread = counted * (block.keys > 1)
    largest = block.keys.clamp_min(2.0).log()
    # Distances and what else is added up are read off the weights in one go.
    facts = weights.new_empty(1 + len(SUMS), *weights.shape[1:])
    facts[0], facts[1:] = block.back(), block.pairs
    distance, *parts = torch.einsum("hqk,sqk->shq", weights, facts).unbind()
    added = [(entropy / largest * spread).sum(-1), (distance * counted).sum(-1)]
    added += [part.sum(-1) for part in parts]
    defined = (mass > 0).to(weights.dtype) @ block.defined.T
    of = [spread.sum(-1), (mass * counted).sum(-1), *defined.unbind(-1)]
    return torch.stack(added, -1), torch.stack(of, -1)


def _figures(layer: _Layer, sinks: Sinks, rows: int) -> Floats:
    """The statistics of a layer, [head, statistic] in the order of `_ADDED`, then the sinks'."""
    on_sinks = layer.received_counted[:, list(sinks.positions)].sum(-1, keepdims=True)
    sums = np.concatenate([layer.sums, on_sinks], axis=-1)
    counts = np.concatenate([layer.counts, np.full_like(on_sinks, rows)], axis=-1)
    return sums / np.where(counts > 0, counts, np.nan)


def _stacked(parts: list[Any], heads: int, fill: float = np.nan) -> Any:
    """[layer, head, ...] of parts [head, ...]; heads that a layer does not have are filled."""
    whole = np.full((len(parts), heads, *parts[0].shape[1:]), fill, dtype=parts[0].dtype)
    for place, part in enumerate(parts):
        whole[place, : len(part)] = part
    return whole


def _even(length: int, first_keys: Ints | None, device: torch.device) -> torch.Tensor:
    """A head that attends evenly to all it can see, [1, query, key]."""
    seen = torch.ones(1, length, length, device=device).tril_()
    if first_keys is not None:
        first = torch.tensor(first_keys, device=device)
        seen *= torch.arange(length, device=device) >= first[:, None]
    return seen.div_(seen.sum(-1, keepdim=True))
