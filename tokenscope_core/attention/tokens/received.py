"""How much attention every token receives from the tokens after it, in every head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tokenscope_core.attention.capturing.windows import keys_seen, rows_seeing
from tokenscope_core.attention.heads.sinks import Sinks, positions_in, take_out
from tokenscope_core.attention.heads.statistics import Rows, counted_rows
from tokenscope_core.attention.tokens.folding import stacked
from tokenscope_core.record.arrays import Floats, Ints

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """What each of T tokens receives from the rows after it, in L layers of up to H heads.

    - `mass`: float64 [layer, head, key]: Σ a(i, j) over the later rows i > j that count, in units
      of a row's whole attention: 3 is as much as three rows have. What a token gives itself is not
      in it. NaN beyond a layer's own heads.
    - `even`: float64 [layer, key], the same for a head that attends evenly to all a row can see:
      early tokens receive more because more rows follow them.
    - `rows_seeing`: float64 [layer, key], how many of the rows that count can see it.
    - `layers`: the model's; `sinks`: of the weights as they are, over all these layers and heads.
    - `masked`: positions whose weight was shared among the rest of each row first.
    - `rows`: which rows count: all, or those that generated tokens were predicted from.
    """

    mass: Floats
    even: Floats
    rows_seeing: Floats
    layers: tuple[int, ...]
    sinks: Sinks
    masked: tuple[int, ...] = ()
    rows: Rows = "all"

    def __post_init__(self) -> None:
        for array in (self.mass, self.even, self.rows_seeing):
            array.flags.writeable = False

    @property
    def heads(self) -> int:
        """H, the most heads of any layer."""
        return int(self.mass.shape[1])

    def of(self, layer: int | None = None, head: int | None = None) -> Floats:
        """`mass` of one layer and head, or its mean over the layers and heads, float64 [key].

        Args:
            layer, head: the model's own index; None for the mean over all that were measured.

        Raises:
            KeyError: it was not measured.
        """
        chosen = self.mass[self._layers(layer)]
        if head is not None:
            if not 0 <= head < self.heads:
                raise KeyError(f"head {head} was not measured, only {self.heads} of each layer")
            chosen = chosen[:, head : head + 1]
        every = chosen.reshape(-1, chosen.shape[-1])
        known = ~np.isnan(every)
        total, count = np.where(known, every, 0.0).sum(axis=0), known.sum(axis=0)
        return np.asarray(total / np.where(count > 0, count, np.nan))

    def even_of(self, layer: int | None = None) -> Floats:
        """`even` of one layer, or its mean over them, float64 [key].

        Raises:
            KeyError: it was not measured.
        """
        return np.asarray(self.even[self._layers(layer)].mean(axis=0))

    def frame(self, layer: int | None = None, head: int | None = None) -> pd.DataFrame:
        """One row a token: `position`, `received` (as `of`), `even` (as `even_of`), `ratio` (their
        quotient, NaN where no later row counts), `mean` (`received` over the number of rows that
        can see it) and `sink`.

        Raises: as `of`.
        """
        received, even = self.of(layer, head), self.even_of(layer)
        seeing = self.rows_seeing[self._layers(layer)].mean(axis=0)
        positions = np.arange(len(received))
        frame = pd.DataFrame(
            {
                "position": positions,
                "received": received,
                "even": even,
                "ratio": received / np.where(even > 0, even, np.nan),
                "mean": received / np.where(seeing > 0, seeing, np.nan),
                "sink": np.isin(positions, self.sinks.positions),
            }
        )
        frame.attrs["units"] = {"received": "rows", "even": "rows", "mean": "share of a row"}
        return frame

    def _layers(self, layer: int | None) -> slice:
        if layer is None:
            return slice(None)
        if layer not in self.layers:
            raise KeyError(f"layer {layer} was not measured, only {list(self.layers)}")
        at = self.layers.index(layer)
        return slice(at, at + 1)


class ReceivedSums:
    """A fold that adds up what each key receives, in every head of each layer it is given."""

    def __init__(
        self, length: int, prompt_length: int, *, rows: Rows = "all", masked: Sequence[int] = ()
    ) -> None:
        """
        Args:
            length: T, of the text.
            prompt_length: how many of its tokens are the prompt.
            rows: which rows count.
            masked: positions to take out of every row first.
        """
        self._rows = rows
        self._masked = positions_in(masked, length)
        self._counted = counted_rows(rows, length, prompt_length)
        self._open = np.ones(length)
        self._open[list(self._masked)] = 0.0
        self._first_keys: dict[int, Ints | None] = {}
        self._raw: list[Floats] = []
        self._mass: list[Floats] = []

    def add(self, layer: int, weights: torch.Tensor, first_keys: Ints | None = None) -> None:
        """As `LayerFold.add`: weights float32 [head, query, key] with every row of the text."""
        self._first_keys[layer] = first_keys
        own = weights.diagonal(dim1=1, dim2=2)
        received = (weights.sum(1) - own).cpu().double().numpy()
        self._raw.append(received)
        if self._rows == "all" and not self._masked:
            self._mass.append(received)
            return
        counted = weights.new_tensor(self._counted)
        left = take_out(weights, self._masked)
        if left is not weights:
            left.nan_to_num_(nan=0.0)  # a row with nothing left gives nothing
        sums = counted @ left - counted * left.diagonal(dim1=1, dim2=2)
        self._mass.append(sums.cpu().double().numpy())

    def received(self) -> Received:
        """Of the layers there are by now, at least one."""
        layers, length = tuple(self._first_keys), len(self._counted)
        views = self._seen_by_layer()
        seeing, even = (np.stack([views[layer][n] for layer in layers]) for n in (0, 1))
        after = np.stack([rows_seeing(self._first_keys[layer], length) for layer in layers])
        return Received(
            mass=stacked(self._mass),
            even=even,
            rows_seeing=seeing,
            layers=layers,
            sinks=Sinks.of(stacked(self._raw), after),
            masked=self._masked,
            rows=self._rows,
        )

    def _seen_by_layer(self) -> Mapping[int, tuple[Floats, Floats]]:
        """By layer how many rows that count see each key, and what they give it if even, [T]."""
        known: dict[bytes, tuple[Floats, Floats]] = {}
        found = {}
        for layer, first_keys in self._first_keys.items():
            view = b"" if first_keys is None else first_keys.tobytes()
            if view not in known:
                share = 1 / np.maximum(keys_seen(self._open, first_keys), 1)
                known[view] = (
                    _given(self._counted.astype(np.float64), first_keys),
                    _given(self._counted * share, first_keys) * self._open,
                )
            found[layer] = known[view]
        return found


def _given(by_row: Floats, first_keys: Ints | None) -> Floats:
    """What each key gets where every row gives so much to each key before it that it sees, [T]."""
    length = len(by_row)
    first = np.zeros(length, dtype=np.int64) if first_keys is None else first_keys
    # The row at i gives to the keys from first[i] up to i - 1.
    steps = np.bincount(first, by_row, length + 1) - np.append(by_row, 0.0)
    return np.asarray(np.cumsum(steps)[:length]).clip(min=0.0)
