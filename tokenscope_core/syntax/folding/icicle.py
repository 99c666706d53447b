"""A metric folded onto the nodes of a syntax tree, all of them at once."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.units import with_units
from tokenscope_core.syntax.alignment import align
from tokenscope_core.syntax.counted import counted_tokens, which_count
from tokenscope_core.syntax.documents.detection import lead
from tokenscope_core.syntax.documents.outline import outline
from tokenscope_core.syntax.folding.aggregation import THIN
from tokenscope_core.syntax.folding.frames import Syntax, analyse
from tokenscope_core.syntax.folding.interval_words import interval_remarks
from tokenscope_core.syntax.folding.intervals import Moments, interval_of_mean, moments_of_ranges
from tokenscope_core.syntax.folding.shares import check_metric
from tokenscope_core.syntax.folding.statements import statement_runs
from tokenscope_core.syntax.folding.totals import Totals


def icicle_frame(
    trace: Trace | Syntax,
    metric: str = "entropy",
    generated_only: bool = True,
    *,
    language: str | None = None,
    confidence: float = 0.95,
    thin: int = THIN,
) -> pd.DataFrame:
    """How a metric is spread over the nodes of a program's syntax tree, one row a node.

    Rows are in preorder, row 0 the whole text; below it classes, functions, statements,
    expressions, and leaves. A node without bytes that count is left out, so that the bytes of
    the children are at most those of their parent. The mean of a node is over all the tokens in
    it, those of the nodes below included; as in `aggregate`, a token that is only partly inside
    counts with the share of its bytes that is. Time linear in the length of the text, whatever
    its nesting.

    Columns: `parent` (a row, -1 for the first), `depth` (0 for the first), `kind` (the grammar's
    name of it; "document" for a Markdown or plain text, "code" for a fence in an unknown language,
    "line"), `name` ("class Stack", "function push"; "" for all that has no name), `leaf`,
    `byte_start`, `byte_end`, `bytes` and `tokens` (how much of it counts, tokens in parts of
    tokens), `bytes_before` and `tokens_before` (how much counts before it: where an icicle draws
    it), `n` (`tokens` without those that have no value), `mean` (NaN where n is 0), `ci_low` and
    `ci_high` (interval of the mean for this text, its statements counting as drawn, as in
    `aggregate`; NaN where none can hold, as in every single statement), `units` (how many
    statements), `ci_note` (why there is no interval, or what it is for), `thin` (n below `thin`),
    `counted` (which tokens were counted: "generated", or "all").

    Args:
        trace: or what `analyse` made of it.
        metric: a name of `metric_registry`; nats where it is a log quantity.
        generated_only: let the prompt not count. Its tokens have the model's own values otherwise.
            Of a text that was given and scored, in which nothing was generated, all tokens count.
        language: of a trace that is not analysed yet.
        confidence: as in `aggregate`.
        thin: as in `aggregate`.

    Raises:
        RequestError: an unknown metric or language.
    """
    check_metric(metric)
    syntax = trace if isinstance(trace, Syntax) else analyse(trace, language)
    trace = syntax.trace
    nodes = outline(trace.text_bytes, syntax.language, lead(trace))
    start = np.array(nodes.start, dtype=np.int64)
    end = np.array(nodes.end, dtype=np.int64)
    wanted = which_count(trace, "generated" if generated_only else "all")
    counted = counted_tokens(trace, wanted)
    every = Totals.of(trace, counted)
    kept = every.bytes(start, end) > 0
    kept[0] = True
    parent, depth = _closed_up(nodes.parent, kept)
    start, end = start[kept], end[kept]
    value = trace.column(metric)
    known = Totals.of(trace, counted & ~np.isnan(value))
    value = np.where(np.isnan(value), 0.0, value)
    n = known.tokens(start, end)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(n > 0, known.sums(value, start, end) / n, np.nan)
    moments = _moments(syntax, counted, start, end, metric)
    moments = replace(moments, mean=mean)
    low, high = interval_of_mean(moments, "statement", confidence, BY_NAME[metric].range)
    remarks = interval_remarks(moments, "statement", 1)
    nothing = np.zeros(len(start), dtype=np.int64)
    return with_units(
        pd.DataFrame(
            {
                "parent": parent,
                "depth": depth,
                "kind": pd.Series(list(itertools.compress(nodes.kind, kept)), dtype="str"),
                "name": pd.Series(list(itertools.compress(nodes.name, kept)), dtype="str"),
                "leaf": np.array(nodes.leaf, dtype=np.bool_)[kept],
                "byte_start": start,
                "byte_end": end,
                "bytes": every.bytes(start, end),
                "tokens": every.tokens(start, end),
                "bytes_before": every.bytes(nothing, start),
                "tokens_before": every.tokens(nothing, start),
                "n": n,
                "mean": mean,
                "ci_low": low,
                "ci_high": high,
                "units": moments.units,
                "ci_note": pd.Series(remarks, dtype="str"),
                "thin": n < thin,
                "counted": pd.Series([wanted] * len(start), dtype="str"),
            }
        ),
        **dict.fromkeys(("mean", "ci_low", "ci_high"), BY_NAME[metric].unit),
    )


def _moments(
    syntax: Syntax, counted: NDArray[np.bool_], start: Ints, end: Ints, metric: str
) -> Moments:
    """Of each range of bytes, with infinite values left out."""
    trace, pieces = syntax.trace, syntax.pieces
    cut = align(trace.byte_end, np.union1d(pieces.end, np.concatenate([start, end])))
    last = np.cumsum(cut.bytes)
    value: Floats = trace.column(metric)[cut.token]
    kept = np.flatnonzero(counted[cut.token] & np.isfinite(value))
    run = statement_runs(syntax)[np.searchsorted(pieces.end, last, side="left")]
    bounds = np.searchsorted(last[kept], np.stack([start, end]), side="right")
    return moments_of_ranges(run[kept], value[kept], cut.share()[kept], *bounds)


def _closed_up(parents: list[int], kept: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """The parent and the depth of each kept row, counted among the kept. What is above a kept row
    is kept."""
    row = np.cumsum(kept) - 1
    parent = np.array(parents, dtype=np.int64)[kept]
    parent = np.where(parent < 0, -1, row[parent])
    depth = np.zeros(len(parent), dtype=np.int64)
    for at, above in enumerate(parent.tolist()):
        depth[at] = depth[above] + 1 if above >= 0 else 0
    return parent, depth
