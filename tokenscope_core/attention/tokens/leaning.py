"""What a token leans on: how sure the model had been of the tokens that its row attends to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.attention.heads.sinks import positions_in
from tokenscope_core.attention.tokens.folding import folded_rows, require_same_text, sinks_of
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_core.record.trace import Trace

# How sure of a token the model was when it was taken.
LEANED_ON = ("prob", "margin", "entropy", "surprisal")


@dataclass(frozen=True, slots=True, eq=False)
class Leaning:
    """The tokens that each of Q rows attends to, weighted by its attention; sinks set apart.

    With a(j) the weight of the key at j, S the sinks and m(j) a metric of the token at j (raw
    distribution, as it was when that token was taken):

    - `values`: by name of `LEANED_ON` float64 [query]: Σ a(j) m(j) / Σ a(j) over the j outside of S
      whose m is known, in the unit of the metric (nats, probability). NaN where there is none.
    - `even`: the same for heads that attend evenly to all that a row can see: a row leans on
      unsure tokens as far as `values` differs from it.
    - `known`: by name float64 [query], the share of the weight outside of S that is on tokens whose
      m is known, 0 to 1.
    - `prompt_share`, `output_share`: float64 [query], what of the weight outside of S is on the
      prompt and on the tokens after it, the row's own among them; they sum to 1.
    - `sink_share`: float64 [query], what of the whole row is on S; NaN where S was masked before.
    - `queries`: int64 [query], the position of each row. `apart`: S. `layers`, `heads`: which the
      row is the mean of.
    """

    queries: Ints
    values: Mapping[str, Floats]
    even: Mapping[str, Floats]
    known: Mapping[str, Floats]
    prompt_share: Floats
    output_share: Floats
    sink_share: Floats
    apart: tuple[int, ...]
    layers: tuple[int, ...]
    heads: tuple[int, ...]

    def frame(self) -> pd.DataFrame:
        """One row a query: `position`, `sink_share`, `prompt_share`, `output_share`, then for each
        metric its value, `even_` and `known_`."""
        columns: dict[str, Floats | Ints] = {
            "position": self.queries,
            "sink_share": self.sink_share,
            "prompt_share": self.prompt_share,
            "output_share": self.output_share,
        }
        for name in LEANED_ON:
            columns |= {
                name: self.values[name],
                f"even_{name}": self.even[name],
                f"known_{name}": self.known[name],
            }
        frame = pd.DataFrame(columns)
        frame.attrs["units"] = {
            column: BY_NAME[name].unit for name in LEANED_ON for column in (name, f"even_{name}")
        }
        return frame


def leaning(
    captured: AttentionMap,
    trace: Trace,
    *,
    layer: int | None = None,
    head: int | None = None,
    apart: Sequence[int] | None = None,
    positions: Sequence[int] | None = None,
) -> Leaning:
    """How sure the model had been of what each captured row attends to: no model is called.

    A row belongs to the token at its position and predicts the next one: what predicting the token
    at i leaned on is the row i - 1.

    Args:
        captured: attention of that trace.
        trace: with the metrics.
        layer, head: one of the model's that was captured; None for the mean over those.
        apart: positions that count for nothing, mostly attention sinks; None for those that are
            masked in what was captured, or else its sinks.
        positions: of the rows, ascending; None for all captured.

    Raises:
        RequestError: the attention is of another text, or there is no such position or row.
        KeyError: that layer or head was not captured.
    """
    require_same_text(captured, trace, "What a token leans on was asked for.")
    chosen = sinks_of(captured) if apart is None else positions_in(apart, len(trace))
    wanted = None if positions is None else np.asarray(positions, dtype=np.int64)
    rows = folded_rows(captured, layer, head, wanted)
    outside = np.ones(len(trace))
    outside[list(chosen)] = 0.0
    weights, even = rows.weights * outside, rows.even * outside
    left = _nonzero(weights.sum(axis=1))
    output = np.arange(len(trace)) >= trace.prompt_length
    values, at_even, known = {}, {}, {}
    for name in LEANED_ON:
        column = trace.column(name)
        there = ~np.isnan(column)
        metric = np.where(there, column, 0.0)
        on_known = weights @ there
        values[name] = weights @ metric / _nonzero(on_known)
        at_even[name] = even @ metric / _nonzero(even @ there)
        known[name] = on_known / left
    output_share = weights @ output / left
    masked = bool(captured.masked)
    on_sinks = rows.weights[:, list(chosen)].sum(axis=1) / _nonzero(rows.weights.sum(axis=1))
    return Leaning(
        queries=rows.queries,
        values=values,
        even=at_even,
        known=known,
        prompt_share=1.0 - output_share,
        output_share=output_share,
        sink_share=np.full(len(on_sinks), np.nan) if masked else on_sinks,
        apart=chosen,
        layers=rows.layers,
        heads=rows.heads,
    )


def _nonzero(sums: Floats) -> Floats:
    """Sums to divide by: NaN, missing, where they are 0."""
    return np.where(sums > 0, sums, np.nan)
