"""What two texts, or a text and its prompt, differ by in each part of their programs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tokenscope_core.steps import Floats
from tokenscope_core.syntax.aggregation import THIN
from tokenscope_core.syntax.bootstrap import interval_of_difference
from tokenscope_core.syntax.frames import Syntax
from tokenscope_core.syntax.shares import Counted, Level, check_level, shares
from tokenscope_core.trace import Trace

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
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    thin: int = THIN,
) -> pd.DataFrame:
    """By how much the mean of a metric differs between two texts, part by part, b less a.

    The means are those of `aggregate`: tokens that lie in several parts count in each with their
    share of bytes. `aggregate_difference(trace, trace, counted_a="prompt")` compares what was
    generated with its prompt.

    Columns: `by`'s own (the part), `n_a`, `mean_a`, `n_b`, `mean_b`, `difference` (mean_b less
    mean_a), `ci_low`, `ci_high` (two-sample bootstrap percentile interval of the difference, see
    `interval_of_difference`: tokens of a and of b are drawn anew, apart from each other; NaN where
    either has fewer than two), `thin` (n below `thin` on either side), `only` ("a" or "b" where
    the other has no token with a value in that part: its mean, the difference and the interval
    are NaN; else ""). The greatest difference comes first, parts of only one side last.

    Tokens that both texts begin with, as two branches do, are drawn apart from each other all the
    same, so that the interval is then too wide rather than too narrow.

    Args:
        a, b: traces, or what `analyse` made of them; one each, or a corpus.
        by: the level; not "line" for different texts, whose lines have nothing to do with each
            other.
        metric: a name of `metric_registry`; nats where it is a log quantity.
        counted_a, counted_b: which tokens of a and of b count.
        language: of traces that are not analysed yet.
        resamples, confidence, seed, thin: as in `aggregate`.

    Raises:
        RequestError: an unknown level, metric or language, or several texts by line.
    """
    check_level(by, metric, len({_text(one) for side in (a, b) for one in _each(side)}))
    sides = [
        shares(_each(texts), by, metric, counted, language=language).dropna(subset="value")
        for texts, counted in ((a, counted_a), (b, counted_b))
    ]
    parts = pd.unique(pd.concat([side["part"] for side in sides]))
    a_rows, b_rows = (_by_part(side) for side in sides)
    rows = [
        _row(part, a_rows.get(part, _NOTHING), b_rows.get(part, _NOTHING),
             resamples, confidence, seed)
        for part in np.sort(parts).tolist()
    ]  # fmt: skip
    frame = pd.DataFrame(
        rows, columns=[by, "n_a", "mean_a", "n_b", "mean_b", "difference", "ci_low", "ci_high"]
    )
    frame["thin"] = (frame["n_a"] < thin) | (frame["n_b"] < thin)
    frame["only"] = np.select([frame["n_b"] == 0, frame["n_a"] == 0], ["a", "b"], "")
    order = np.argsort(-frame["difference"].abs().to_numpy(np.float64), kind="stable")
    return frame.iloc[order].reset_index(drop=True)


def _each(texts: Texts) -> list[Trace | Syntax]:
    return [texts] if isinstance(texts, Trace | Syntax) else list(texts)


def _text(one: Trace | Syntax) -> bytes:
    return one.text_bytes if isinstance(one, Trace) else one.trace.text_bytes


_NOTHING: tuple[Floats, Floats] = (np.empty(0), np.empty(0))


def _by_part(side: pd.DataFrame) -> dict[object, tuple[Floats, Floats]]:
    """The values and weights of each part."""
    return {
        part: (rows["value"].to_numpy(np.float64), rows["weight"].to_numpy(np.float64))
        for part, rows in side.groupby("part", sort=False)
    }


def _row(
    part: object,
    a: tuple[Floats, Floats],
    b: tuple[Floats, Floats],
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[object, ...]:
    (n_a, mean_a), (n_b, mean_b) = (
        (weight.sum(), np.average(value, weights=weight) if len(value) else np.nan)
        for value, weight in (a, b)
    )
    interval = interval_of_difference(
        (*a, None), (*b, None), resamples=resamples, confidence=confidence, seed=(seed, str(part))
    )
    with np.errstate(invalid="ignore"):  # both infinite: no difference
        difference = mean_b - mean_a
    return part, n_a, mean_a, n_b, mean_b, difference, *interval
