"""What two texts, or a text and its prompt, differ by in each part of their programs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.units import with_units
from tokenscope_core.syntax.counted import Counted, counted_words
from tokenscope_core.syntax.folding.aggregation import THIN, UNIT_COLUMNS, drawn_unit
from tokenscope_core.syntax.folding.frames import Syntax
from tokenscope_core.syntax.folding.interval_words import difference_remarks
from tokenscope_core.syntax.folding.intervals import (
    Moments,
    Unit,
    interval_of_difference,
    moments_of_groups,
)
from tokenscope_core.syntax.folding.shares import Level, analysed_all, check_level, shares

Texts = Trace | Syntax | Sequence[Trace | Syntax]


def aggregate_difference(
    a: Texts,
    b: Texts,
    by: Level = "category",
    metric: str = "entropy",
    counted_a: Counted = "generated",
    counted_b: Counted = "generated",
    *,
    language: str | None = None,
    confidence: float = 0.95,
    thin: int = THIN,
) -> pd.DataFrame:
    """By how much the mean of a metric differs between two texts, part by part, b less a.

    The means are those of `aggregate`: tokens that lie in several parts count in each with their
    share of bytes. `aggregate_difference(trace, trace, counted_a="prompt")` compares what was
    generated with its prompt.

    Columns: `by`'s own (the part), `n_a`, `mean_a`, `n_b`, `mean_b`, `difference` (mean_b less
    mean_a), `ci_low`, `ci_high` (interval of the difference: statements of a and of b count as
    drawn, or whole texts where a side has several, apart from those of the other; NaN where none
    can hold), `units_a`, `units_b` and `ci_note` (as in `aggregate`, of either side), `thin` (n
    below `thin` on either side), `only` ("a" or "b" where the other has no token with a value in
    that part: its mean, the difference and the interval are NaN; else ""), `counted_a` and
    `counted_b` (which tokens were counted). The greatest difference comes first, parts of only one
    side last.

    Tokens that both texts begin with, as two branches do, are drawn apart from each other all the
    same, so that the interval is then too wide rather than too narrow.

    Args:
        a: a trace, or what `analyse` made of it; one, or a corpus.
        b: what is taken from it, likewise.
        by: the level; not "line" for different texts, whose lines have nothing to do with each
            other.
        metric: a name of `metric_registry`; nats where it is a log quantity.
        counted_a: which tokens of a count; all of a text in which nothing was generated.
        counted_b: likewise of b.
        language: of traces that are not analysed yet.
        confidence: as in `aggregate`.
        thin: as in `aggregate`.

    Raises:
        RequestError: an unknown level, metric or language, or several texts by line.
    """
    texts = [analysed_all(side, language) for side in (a, b)]
    check_level(by, metric, len({one.trace.text_bytes for side in texts for one in side}))
    wanted = list(zip(texts, (counted_a, counted_b), strict=True))
    sides = [
        shares(side, by, metric, counted).dropna(subset="value").reset_index(drop=True)
        for side, counted in wanted
    ]
    parts = np.sort(pd.unique(pd.concat([side["part"] for side in sides])))
    units = drawn_unit(None, len(texts[0])), drawn_unit(None, len(texts[1]))
    first, second = (_moments(side, parts, unit) for side, unit in zip(sides, units, strict=True))
    low, high = interval_of_difference(first, second, units, confidence)
    with np.errstate(invalid="ignore"):  # both infinite: no difference
        difference = second.mean - first.mean
    counts = len(texts[0]), len(texts[1])
    frame = pd.DataFrame(
        {
            by: parts,
            "n_a": first.weight, "mean_a": first.mean, "n_b": second.weight, "mean_b": second.mean,
            "difference": difference, "ci_low": low, "ci_high": high,
            "units_a": first.units, "units_b": second.units,
            "ci_note": pd.Series(difference_remarks(first, second, units, counts), dtype="str"),
            "thin": (first.weight < thin) | (second.weight < thin),
            "only": np.select([second.weight == 0, first.weight == 0], ["a", "b"], ""),
        }
    )  # fmt: skip
    for name, (side, counted) in zip("ab", wanted, strict=True):
        frame[f"counted_{name}"] = counted_words((one.trace for one in side), counted)
    order = np.argsort(-frame["difference"].abs().to_numpy(np.float64), kind="stable")
    of_metric = ("mean_a", "mean_b", "difference", "ci_low", "ci_high")
    return with_units(
        frame.iloc[order].reset_index(drop=True),
        **dict.fromkeys(of_metric, BY_NAME[metric].unit),
    )


def _moments(side: pd.DataFrame, parts: np.ndarray, unit: Unit) -> Moments:
    group = np.searchsorted(parts, side["part"].to_numpy()) if len(side) else _NO_ROWS
    return moments_of_groups(
        group, len(parts), side[UNIT_COLUMNS[unit]].to_numpy(np.int64),
        side["value"].to_numpy(np.float64), side["weight"].to_numpy(np.float64),
    )  # fmt: skip


_NO_ROWS = np.empty(0, dtype=np.int64)
