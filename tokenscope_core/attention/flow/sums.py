"""Adding up how the attention of a text flows between its parts; nothing here imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tokenscope_core.attention.capturing.maps import AttentionMap, Weights
from tokenscope_core.attention.capturing.windows import keys_seen
from tokenscope_core.attention.flow.flow import Flow, Level
from tokenscope_core.attention.flow.parts import parts_of
from tokenscope_core.attention.heads.sinks import positions_in
from tokenscope_core.attention.heads.statistics import Rows, counted_rows
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.folding.frames import Syntax, analyse

if TYPE_CHECKING:
    import torch

# Weights that are looked at together: 4 MB, which stay in a cache.
_BLOCK_WEIGHTS = 2**20


class FlowSums:
    """A fold of the mean flow over all layers and heads it is given.

    Args:
        syntax: of the text.
        by: the level of its parts.
        rows: which rows count.
        masked: positions to take out of every row first.
        whole_tokens: as in `parts_of`.
    """

    def __init__(
        self,
        syntax: Syntax,
        by: Level,
        *,
        rows: Rows = "all",
        masked: tuple[int, ...] = (),
        whole_tokens: bool = True,
    ) -> None:
        self._by, self._rows = by, rows
        self._masked = positions_in(masked, len(syntax.trace))
        self._language = syntax.language
        parts = parts_of(syntax, by, whole_tokens=whole_tokens)
        self._names, self._share = parts.names, parts.share
        self._counted = counted_rows(rows, len(syntax.trace), syntax.trace.prompt_length)
        self._can_be_seen = np.ones(len(parts.share))
        self._can_be_seen[list(self._masked)] = 0.0
        self._open = parts.share * self._can_be_seen[:, None]
        groups = len(parts.names)
        # What the keys before each position have of each part.
        self._up_to = np.concatenate([np.zeros((1, groups)), np.cumsum(self._open, axis=0)])
        self._sums = np.zeros((2, groups, groups))  # as it is, and as even attention has it
        self._of = np.zeros(groups)
        self._queries: Ints = np.flatnonzero(self._counted)
        self._layers: list[int] = []
        self._heads = 0

    def add(self, layer: int, weights: torch.Tensor, first_keys: Ints | None = None) -> None:
        """Add the heads of a layer: weights float32 [head, query, key] with every row of the text,
        and of every position the first one the layer can see, int64 [T]; None for all before."""
        heads, length, _ = weights.shape
        even = self._even(first_keys)
        parts = weights.new_tensor(self._open)
        seen = weights.new_tensor(self._can_be_seen)
        step = max(1, _BLOCK_WEIGHTS // (heads * length))
        for start in range(0, length, step):
            end = min(start + step, length)
            rows = weights[:, start:end, :end]
            # Not the whole less what is masked: of a row on the sink nothing exact would be left.
            left = rows @ seen[:end]
            there = left > 0
            scale = (1 / left).masked_fill_(~there, 0.0)
            shares = rows.new_zeros(end - start, end)
            for head, of_row in zip(rows, scale, strict=True):
                shares.addcmul_(head, of_row[:, None])
            self.add_rows(
                np.arange(start, end),
                (shares @ parts[:end]).cpu().numpy(),
                there.sum(0).cpu().numpy(),
                even[start:end],
            )
        self._layers.append(layer)
        self._heads = heads

    def _even(self, first_keys: Ints | None) -> Floats:
        """The share of each part in even attention over what each position can see, [T, part]."""
        before = 0.0 if first_keys is None else self._up_to[first_keys]
        keys = keys_seen(self._can_be_seen, first_keys)
        return np.asarray((self._up_to[1:] - before) / np.maximum(keys, 1)[:, None])

    def add_rows(
        self, queries: Ints, flows: npt.NDArray[np.floating], heads: Ints, even: Floats
    ) -> None:
        """Add rows of some heads.

        Args:
            queries: int64 [row], their positions.
            flows: [row, part], of any float dtype: the share of each part in a row's attention,
                summed over the heads.
            heads: int64 [row], how many heads that were.
            even: float64 [row, part], what those shares would be in one head that attends evenly.
        """
        weight = self._share[queries] * self._counted[queries, None]
        self._sums[0] += weight.T @ flows
        self._sums[1] += (weight * heads[:, None]).T @ even
        self._of += weight.T @ heads

    def add_head(self, queries: Ints, weights: Weights, first_keys: Ints | None = None) -> None:
        """Add rows of one captured head, masked as it was said.

        Args:
            queries: int64 [query], their positions.
            weights: float32 [query, key], shares of a row's attention; NaN rows are none.
            first_keys: of every position the first one the layer can see, int64 [T]; None for all
                that came before.
        """
        flows = weights @ self._open.astype(np.float32)
        flows[np.isnan(weights[:, 0])] = 0.0
        mass = flows.sum(axis=1)  # a token's shares sum to 1
        there = mass > 0
        flows /= np.where(there, mass, 1.0)[:, None]
        self.add_rows(queries, flows, there.astype(np.int64), self._even(first_keys)[queries])

    def only(self, queries: Ints) -> None:
        """Say that rows of no other queries, int64 [row] positions, will come."""
        self._queries = queries[self._counted[queries]]

    def flow(
        self, layers: tuple[int, ...] | None = None, heads: tuple[int, ...] | None = None
    ) -> Flow:
        """Of what was added.

        `layers` and `heads` say which it was: by default the layers, and as many heads as they had.
        """
        of = np.where(self._of > 0, self._of, np.nan)[:, None]
        mean, uniform = self._sums / of
        return Flow(
            by=self._by,
            parts=self._names,
            mean=mean,
            uniform=uniform,
            query_tokens=self._share[self._queries].sum(axis=0),
            key_tokens=self._open.sum(axis=0),
            layers=tuple(self._layers) if layers is None else layers,
            heads=tuple(range(self._heads)) if heads is None else heads,
            masked=self._masked,
            rows=self._rows,
            language=self._language,
        )


def flow_in(
    captured: AttentionMap,
    trace: Trace | Syntax,
    by: Level = "category",
    *,
    layer: int | None = None,
    head: int | None = None,
    language: str | None = None,
    rows: Rows = "all",
    whole_tokens: bool = True,
) -> Flow:
    """The flow in attention that was captured: no model is called.

    Args:
        captured: of that trace; `sinks.without` masks it, and what is masked is kept in mind.
        trace: or what `analyse` made of it, which saves parsing it again.
        by: the level of the parts.
        layer: one of the model's that was captured; None for the mean over those.
        head: likewise.
        language: of a trace that is not analysed yet; None takes its own.
        rows: which rows count, of those captured.
        whole_tokens: as in `parts_of`.

    Raises:
        RequestError: no such level or language, or the attention is of another text.
        KeyError: that layer or head was not captured.
    """
    syntax = trace if isinstance(trace, Syntax) else analyse(trace, language)
    if captured.weights.shape[-1] != len(syntax.trace):
        raise RequestError(
            asked="The flow between the parts of a text was asked for.",
            found=f"Attention over {captured.weights.shape[-1]:,} tokens was captured, and the "
            f"text has {len(syntax.trace):,}.",
            action="Capture the attention of this trace.",
        )
    layers = captured.layers if layer is None else (layer,)
    heads = captured.heads if head is None else (head,)
    each = (None,) if captured.fold is not None and head is None else heads
    sums = FlowSums(
        syntax, by, rows=rows, masked=captured.masked, whole_tokens=whole_tokens
    )  # fmt: skip
    sums.only(captured.queries)
    for one in layers:
        for number in each:
            sums.add_head(captured.queries, captured.of(one, number), captured.first_keys.get(one))
    return sums.flow(layers, heads)
