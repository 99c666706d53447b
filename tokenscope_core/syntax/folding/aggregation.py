"""Statistics of a metric over the parts of programs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.units import with_units
from tokenscope_core.syntax.counted import Counted, counted_words
from tokenscope_core.syntax.folding.frames import Syntax
from tokenscope_core.syntax.folding.interval_words import interval_remarks
from tokenscope_core.syntax.folding.intervals import (
    LEAST_UNITS,
    Unit,
    interval_of_mean,
    moments_of_groups,
)
from tokenscope_core.syntax.folding.shares import LEVELS, Level, analysed_all, shares

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
    resample: Unit | None = None,
    confidence: float = 0.95,
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
    `ci_low`, `ci_high` (interval of the mean, see `intervals`; NaN where none can hold),
    `unit` and `units` (what counts as drawn at random, "statement" or "text", and how many of
    them have a token with a value here), `ci_note` (what the interval is an interval for, or why
    there is none), `thin` (n below `thin`), `missing` (sum of w without a value), `counted` (which
    tokens were counted: "generated", "prompt" or "all").

    An interval over the statements of one text is for this text: were its statements drawn anew
    from what they are like, so far would the mean move. It says nothing about other texts, which
    differ by more. Over several texts whole texts count as drawn.

    Args:
        traces: one, or a corpus; what `analyse` made of them saves parsing again.
        by: the level; "line" for one trace only.
        metric: a name of `metric_registry`; nats where it is a log quantity.
        generated_only: leave the prompt out. Its tokens have the model's own values otherwise. Of a
            text that was given and scored, in which nothing was generated, all tokens count.
        language: of traces that are not analysed yet; None takes each trace's own.
        whole_tokens: count each token once, for the part that labels it in `syntax_frame`.
        resample: what counts as drawn at random; None takes texts where there are several, else
            statements. Over few texts `ci_note` says what such intervals are known to hold.
        confidence: of the interval, between 0 and 1.
        thin: see above.
        counted: which tokens count, where it is neither the generated ones nor all: "prompt".

    Raises:
        RequestError: an unknown level, metric, language or unit, or several traces by line.
    """
    counted = counted or ("generated" if generated_only else "all")
    analysed = analysed_all(traces, language)
    unit = drawn_unit(resample, len(analysed))
    table = shares(analysed, by, metric, counted, whole_tokens=whole_tokens)
    group, labels = pd.factorize(table["part"], sort=True)
    value, weight = table["value"].to_numpy(), table["weight"].to_numpy()
    known = ~np.isnan(value)
    frame = _statistics(group[known], len(labels), value[known], weight[known])
    frame.insert(0, by, labels)
    frame.insert(3, "bytes", _sums(group[known], len(labels), table["bytes"].to_numpy()[known]))
    frame["bytes"] = frame["bytes"].astype(np.int64)
    drawn = table[UNIT_COLUMNS[unit]].to_numpy(np.int64)
    moments = moments_of_groups(
        group[known], len(labels), drawn[known], value[known], weight[known]
    )
    frame["ci_low"], frame["ci_high"] = interval_of_mean(
        moments, unit, confidence, BY_NAME[metric].range
    )
    frame["unit"] = pd.Series([unit] * len(labels), dtype="str")
    frame["units"] = moments.units
    frame["ci_note"] = pd.Series(interval_remarks(moments, unit, len(analysed)), dtype="str")
    frame["thin"] = frame["n"] < thin
    frame["missing"] = _sums(group[~known], len(labels), weight[~known])
    words = counted_words((syntax.trace for syntax in analysed), counted)
    frame["counted"] = pd.Series([words] * len(labels), dtype="str")
    frame = frame.sort_values(["mean", by], ascending=[False, True], ignore_index=True)
    return with_units(frame, **dict.fromkeys(_IN_UNIT_OF_METRIC, BY_NAME[metric].unit))


_IN_UNIT_OF_METRIC = (
    "mean", "median", "q25", "q75", "min", "max", "std", "ci_low", "ci_high",
)  # fmt: skip
# In which column of `shares` the number of each sampling unit stands.
UNIT_COLUMNS: dict[Unit, str] = {"statement": "statement", "text": "trace"}


def drawn_unit(resample: str | None, texts: int) -> Unit:
    """What counts as drawn at random of so many texts.

    Raises:
        RequestError: no such unit.
    """
    if resample is None:
        return "text" if texts > 1 else "statement"
    for unit in LEAST_UNITS:
        if resample == unit:
            return unit
    raise RequestError(
        asked=f"Intervals over resampled {resample!r} were asked for.",
        found="There is no such unit.",
        action=f"Choose of {', '.join(LEAST_UNITS)}; tokens of a statement depend on each other.",
    )


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
