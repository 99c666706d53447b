"""Bootstrap percentile intervals of a weighted mean (Efron 1979)."""

from __future__ import annotations

import math
import zlib

import numpy as np

from tokenscope_core.steps import Floats, Ints

# From here on each unit's count is drawn from Poisson(1) on its own, which is indistinguishable
# from drawing as many units with replacement and five times as fast (Chamandy et al. 2012,
# "Estimating Uncertainty for Massive Data Streams").
POISSON_FROM = 500
_CHUNK = 300_000  # draws at once: what a processor's cache holds


def interval_of_mean(
    value: Floats,
    weight: Floats,
    unit: Ints | None = None,
    *,
    resamples: int,
    confidence: float,
    seed: tuple[int, str],
) -> tuple[float, float]:
    """(low, high) of sum(w x) / sum(w) when units are drawn anew; NaN for fewer than two units.

    Args:
        value, weight: [m].
        unit: what is drawn as a whole, [m]; every row by itself where None.
        resamples: how often.
        confidence: share of the resampled means inside.
        seed: a number, and a name that makes the interval independent of other intervals.
    """
    sums = np.stack([weight * value, weight], axis=1)
    if unit is not None:
        _, place = np.unique(unit, return_inverse=True)
        sums = np.stack([np.bincount(place, weights=column) for column in sums.T], axis=1)
    if len(sums) < 2:
        return float("nan"), float("nan")
    key = np.random.SeedSequence([seed[0], zlib.crc32(seed[1].encode("utf-8", "surrogatepass"))])
    means = _resampled_means(sums, resamples, np.random.Generator(np.random.SFC64(key)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _resampled_means(sums: Floats, resamples: int, random: np.random.Generator) -> Floats:
    units = len(sums)
    means = np.empty(resamples)
    rows = max(1, _CHUNK // units)
    for start in range(0, resamples, rows):
        size = (min(rows, resamples - start), units)
        if units >= POISSON_FROM:
            counts = _POISSON.take(random.integers(0, _STEPS, size=size, dtype=np.uint16))
            totals = counts @ sums.astype(np.float32)
        else:
            drawn = random.integers(0, units, size=size, dtype=np.uint16)
            totals = sums.take(drawn, axis=0).sum(axis=1)
        means[start : start + size[0]] = totals[:, 0] / totals[:, 1]
    return means


# The quantiles of Poisson(1) at 65,536 even steps: a table look-up instead of a draw.
_STEPS = 65_536
_REACHED = [_STEPS * math.exp(-1) * sum(1 / math.factorial(j) for j in range(k)) for k in range(9)]
_POISSON = np.searchsorted(_REACHED[1:], np.arange(_STEPS), side="right").astype(np.float32)
