"""All heads of a model on one text: a figure for every question, and a small picture of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from tokenscope_core.attention.heads.sinks import Sinks
from tokenscope_core.attention.heads.statistics import BY_NAME, Rows
from tokenscope_core.record.arrays import Floats, Ints

Thumbnails = npt.NDArray[np.float16]
THUMBNAIL_SIDE = 32


@dataclass(frozen=True, slots=True, eq=False)
class HeadOverview:
    """What every head of L layers does on a text of T tokens.

    - `layers`: the model's layers that have attention and were measured, ascending: L of them.
    - `heads`: H, the most heads of any layer; a layer with fewer is NaN beyond its own.
    - `statistics`: float64 [layer, head] by the names of `head_statistics`; NaN is missing.
    - `uniform`: float64 [layer], what a head that attends evenly to all keys a row can see, in a
      layer with a window those in it, has on this text: the mark to measure each statistic by. NaN
      where the statistic is missing.
    - `row_counts`: int64 [layer], how many rows each statistic is a mean over; 0 where it is
      missing.
    - `thumbnails`: float16 [layer, head, query, key] of side min(T, 32): the largest weight of the
      cells that each pixel stands for, so that a sink one token wide and a diagonal stay visible;
      pixel k covers the positions from k T // side on. 0 above the diagonal; float16 keeps
      weights down to 6e-8, enough for a logarithmic scale.
    - `sinks`: of the weights as they are. `masked`: positions whose weight was shared among the
      rest of the row before anything was measured; in `thumbnails` too.
    - `rows`: which rows count in the statistics. `language`: of the syntax; None for unknown.
    """

    layers: tuple[int, ...]
    heads: int
    tokens: int
    statistics: Mapping[str, Floats]
    uniform: Mapping[str, Floats]
    row_counts: Mapping[str, Ints]
    thumbnails: Thumbnails
    sinks: Sinks
    masked: tuple[int, ...] = ()
    rows: Rows = "all"
    language: str | None = None

    def __post_init__(self) -> None:
        self.thumbnails.flags.writeable = False
        for named in (self.statistics, self.uniform, self.row_counts):
            for figures in named.values():
                figures.flags.writeable = False

    def statistic(self, name: str) -> Floats:
        """One statistic of all heads, float64 [layer, head].

        Raises:
            KeyError: there is none of that name; the message lists those there are.
        """
        if name not in self.statistics:
            raise KeyError(f"no statistic {name!r}, only {', '.join(self.statistics)}")
        return self.statistics[name]

    def thumbnail(self, layer: int, head: int) -> Thumbnails:
        """The picture [query, key] of one head, by the model's own indices.

        Raises:
            KeyError: it was not measured.
        """
        if layer not in self.layers or not 0 <= head < self.heads:
            raise KeyError(
                f"head {head} of layer {layer} was not measured, only {self.heads} heads of the "
                f"layers {list(self.layers)}"
            )
        picture: Thumbnails = self.thumbnails[self.layers.index(layer), head]
        return picture

    def frame(self) -> pd.DataFrame:
        """One row a head: `layer`, `head`, then a column each statistic, in registry order."""
        layer, head = np.meshgrid(np.array(self.layers), np.arange(self.heads), indexing="ij")
        columns = {"layer": layer.ravel(), "head": head.ravel()}
        return pd.DataFrame(columns | {name: self.statistics[name].ravel() for name in BY_NAME})

    def missing_reason(self, name: str, layer: int) -> str:
        """Why a statistic has no value for a head of a layer: a clause that a screen can show."""
        counts = self.row_counts[name]
        if not counts.any():
            return BY_NAME[name].missing
        if counts[self.layers.index(layer)] == 0:
            return "no row of the layer sees back to such a token"
        return "the layer has fewer heads, or all the head's attention is on masked tokens"
