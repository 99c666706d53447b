"""Statistics of a metric over the parts of programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenscope_core.steps import Floats, Ints
from tokenscope_core.syntax.bootstrap import interval_of_mean
from tokenscope_core.syntax.frames import Syntax
from tokenscope_core.syntax.shares import LEVELS, Counted, Level, shares
from tokenscope_core.trace import Trace

__all__ = ["LEVELS", "THIN", "Level", "aggregate"]

# Below this many tokens an average says little: the usual rule of thumb for a mean.
THIN = 30


def aggregate(
    traces: Trace | Syntax | Sequence[Trace | Syntax],
    by: Level = "category",
    metric: str = "entropy",
    generated_only: bool = True,
    *,
    language: str | None = None,
    whole_tokens: bool = False,
    resample: Literal["token", "trace"] = "token",
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    thin: int = THIN,
    counted: Counted | None = None,
) -> pd.DataFrame:
    """How a metric is spread over the parts of one or more programs, highest mean first.

    A token that lies in several parts is shared out between them by its bytes: it counts in each
    with a weight w, its share, and the weights of a token sum to 1. Tokens without a value (NaN)
    are left out of every statistic and counted in `missing`.

    Columns: `by`'s own (the part; "" for what is in no function or scope), then
    `n` (sum of w: tokens, in parts of tokens), `tokens` (how many have any share),
    `bytes` (of those tokens, in this part), `mean` (sum of w x / sum of w), `median`, `q25`,
    `q75` (the least value that reaches that part of the weight: inverse of the weighted
    distribution function), `min`, `max`, `std` (root of the weighted mean squared deviation),
    `ci_low`, `ci_high` (bootstrap percentile interval of the mean; NaN for fewer than two units),
    `thin` (n below `thin`), `missing` (sum of w without a value).

    Args:
        traces: one, or a corpus; what `analyse` made of them saves parsing again.
        by: the level; "line" for one trace only.
        metric: a name of `metric_registry`; nats where it is a log quantity.
        generated_only: leave the prompt out. Its tokens have the model's own values otherwise.
        language: of traces that are not analysed yet; None takes each trace's own.
        whole_tokens: count each token once, for the part that labels it in `syntax_frame`.
        resample: what the bootstrap draws. Tokens of a text depend on each other, so "token"
            gives intervals that are too narrow for a claim about other texts; "trace" draws whole
            traces and needs a corpus.
        resamples: how many.
        confidence: of the interval, between 0 and 1.
        seed: of the bootstrap; equal seeds give equal intervals.
        thin: see above.
        counted: which tokens count, where it is neither the generated ones nor all: "prompt".

    Raises:
        RequestError: an unknown level, metric or language, or several traces by line.
    """
    table = shares(
        traces, by, metric, counted or ("generated" if generated_only else "all"),
        language=language, whole_tokens=whole_tokens,
    )  # fmt: skip
    group, labels = pd.factorize(table["part"], sort=True)
    unit = table["trace"].to_numpy() if resample == "trace" else None
    value, weight = table["value"].to_numpy(), table["weight"].to_numpy()
    known = ~np.isnan(value)
    frame = _statistics(group[known], len(labels), value[known], weight[known])
    frame.insert(0, by, labels)
    frame.insert(3, "bytes", _sums(group[known], len(labels), table["bytes"].to_numpy()[known]))
    frame["bytes"] = frame["bytes"].astype(np.int64)
    bounds = [
        interval_of_mean(
            value[rows], weight[rows], None if unit is None else unit[rows],
            resamples=resamples, confidence=confidence, seed=(seed, str(label)),
        )
        for label, rows in zip(labels, _rows_of(group, known, len(labels)), strict=True)
    ]  # fmt: skip
    frame["ci_low"] = np.array([low for low, _ in bounds], dtype=np.float64)
    frame["ci_high"] = np.array([high for _, high in bounds], dtype=np.float64)
    frame["thin"] = frame["n"] < thin
    frame["missing"] = _sums(group[~known], len(labels), weight[~known])
    return frame.sort_values(["mean", by], ascending=[False, True], ignore_index=True)


def _statistics(group: Ints, groups: int, value: Floats, weight: Floats) -> pd.DataFrame:
    order = np.lexsort((value, group))
    group, value, weight = group[order], value[order], weight[order]
    count = np.bincount(group, minlength=groups)
    n = _sums(group, groups, weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _sums(group, groups, weight * value) / n
        spread = _sums(group, groups, weight * (value - mean[group]) ** 2) / n
    first = np.cumsum(count) - count
    last = first + count - 1
    reached = np.cumsum(weight)
    before = np.concatenate([[0.0], reached])[first]

    def quantile(q: float) -> Floats:
        target = before + q * n
        at = np.searchsorted(reached, target - 1e-9 * np.maximum(n, 1.0), side="left")
        return _picked(value, np.clip(at, first, np.maximum(last, first)), count)

    return pd.DataFrame(
        {
            "n": n,
            "tokens": count,
            "mean": mean,
            "median": quantile(0.5),
            "q25": quantile(0.25),
            "q75": quantile(0.75),
            "min": _picked(value, first, count),
            "max": _picked(value, last, count),
            "std": np.sqrt(spread),
        }
    )


def _picked(value: Floats, at: Ints, count: Ints) -> Floats:
    """The values at those places; NaN for empty groups."""
    if not len(value):
        return np.full(len(count), np.nan)
    return np.where(count > 0, value[np.clip(at, 0, len(value) - 1)], np.nan)


def _sums(group: Ints, groups: int, what: Floats | Ints) -> Floats:
    weights = np.asarray(what, dtype=np.float64)
    return np.bincount(group, weights=weights, minlength=groups).astype(np.float64)


def _rows_of(group: Ints, known: NDArray[np.bool_], groups: int) -> list[Ints]:
    """The rows of each group that have a value."""
    rows = np.flatnonzero(known)
    order = rows[np.argsort(group[rows], kind="stable")]
    ends = np.cumsum(np.bincount(group[rows], minlength=groups))
    return np.split(order, ends[:-1]) if groups else []
