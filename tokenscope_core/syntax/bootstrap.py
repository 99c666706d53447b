"""Bootstrap percentile intervals (Efron 1979) of weighted means and of what they differ by."""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.steps import Floats, Ints
from tokenscope_core.syntax.totals import INFINITIES, NO_SHARE, Totals

# From here on each unit's count is drawn from Poisson(1) on its own, which is indistinguishable
# from drawing as many units with replacement and five times as fast (Chamandy et al. 2012,
# "Estimating Uncertainty for Massive Data Streams").
POISSON_FROM = 500
_CHUNK = 300_000  # draws at once: what a processor's cache holds
_NONE = (float("nan"), float("nan"))


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
    sums = _sums_of_units(value, weight, unit)
    if len(sums) < 2:
        return _NONE
    return _interval(_resampled_means(sums, resamples, _generator(seed)), confidence)


def interval_of_difference(
    a: tuple[Floats, Floats, Ints | None],
    b: tuple[Floats, Floats, Ints | None],
    *,
    resamples: int,
    confidence: float,
    seed: tuple[int, str],
) -> tuple[float, float]:
    """(low, high) of the weighted mean of b less that of a, when the units of each are drawn anew,
    apart from those of the other; NaN where either has fewer than two units.

    The bootstrap of two samples of Efron and Tibshirani 1993, "An Introduction to the Bootstrap",
    section 8.3, with percentile bounds (chapter 13).

    Args:
        a, b: value, weight and unit, each as in `interval_of_mean`.
        resamples, confidence, seed: as there.
    """
    sums = [_sums_of_units(*side) for side in (a, b)]
    if min(map(len, sums)) < 2:
        return _NONE
    random = _generator(seed)
    first, second = (_resampled_means(side, resamples, random) for side in sums)
    with np.errstate(invalid="ignore"):
        return _interval(second - first, confidence)


def intervals_of_ranges(
    known: Totals,
    value: Floats,
    start: Ints,
    end: Ints,
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[Floats, Floats]:
    """(low, high), [N] each, of the mean over each range of bytes, when tokens are drawn anew; NaN
    for fewer than two tokens.

    How often a token is drawn is Poisson(1) (Chamandy et al. 2012), the same for all ranges, so
    that one running total a resample serves all of them: linear in tokens and ranges, however
    deep they nest. Resamples that draw no token of a range say nothing about it.

    Args:
        known: the tokens that count and have a value.
        value: [T], any number where a token does not count, none of them NaN.
        start, end: bytes of the ranges, [N].
        resamples, confidence: as in `interval_of_mean`.
        seed: equal seeds give equal intervals.
    """
    low, high = np.full(len(start), np.nan), np.full(len(start), np.nan)
    enough = np.flatnonzero(known.touched(start, end) >= 2)
    if not len(enough):
        return low, high
    bounds, at = np.unique(np.stack([start[enough], end[enough]]), return_inverse=True)
    first, last = at.reshape(2, -1)
    token, part = known.place(bounds)
    own = np.where(known.counted, value[known.position], 0.0)
    finite = np.where(np.isinf(own), 0.0, own)
    infinite = [(infinity, own == infinity) for infinity in INFINITIES if infinity in own]
    random = _generator((seed, "ranges"))
    means = np.empty((len(enough), resamples), dtype=np.float32)
    rows = max(1, _CHUNK // (len(known.end) + len(bounds)))
    for done in range(0, resamples, rows):
        size = (min(rows, resamples - done), len(known.end))
        counts = np.where(known.counted, _poisson(random, size), 0.0)
        total = _totals_at(counts, token, part)
        summed = _totals_at(counts * finite, token, part)
        drawn = total[:, last] - total[:, first]
        with np.errstate(invalid="ignore", divide="ignore"):
            found = (summed[:, last] - summed[:, first]) / np.where(drawn > NO_SHARE, drawn, 0.0)
        for infinity, at_those in infinite:
            held = _totals_at(counts * at_those, token, part)
            found[held[:, last] - held[:, first] > NO_SHARE] += infinity
        means[:, done : done + len(counts)] = np.where(drawn > NO_SHARE, found, np.nan).T
    tail = (1 - confidence) / 2
    low[enough], high[enough] = _quantiles(means, (tail, 1 - tail))
    return low, high


def _totals_at(amount: Floats, token: Ints, part: Floats) -> Floats:
    """The running total of each row up to some way into some of its tokens."""
    own = np.pad(amount, ((0, 0), (0, 1)))
    total = np.cumsum(np.pad(amount, ((0, 0), (1, 0))), axis=1)
    return np.asarray(total[:, token] + own[:, token] * part)


def _quantiles(rows: Floats | NDArray[np.float32], shares: tuple[float, ...]) -> Floats:
    """Those quantiles of each row without its NaN, [len(shares), N], by linear interpolation."""
    ordered = np.sort(rows, axis=1)  # NaN last
    last = np.sum(~np.isnan(ordered), axis=1) - 1
    at = np.maximum(np.outer(shares, last), 0.0)
    below = at.astype(np.int64)
    row = np.arange(len(rows))
    low, high = ordered[row, below], ordered[row, np.minimum(below + 1, np.maximum(last, 0))]
    # Between equal infinities there is nothing to interpolate.
    with np.errstate(invalid="ignore"):
        between = np.where(low == high, low, low + (at - below) * (high - low))
    return np.asarray(np.where(at == below, low, between), dtype=np.float64)


def _generator(seed: tuple[int, str]) -> np.random.Generator:
    key = np.random.SeedSequence([seed[0], zlib.crc32(seed[1].encode("utf-8", "surrogatepass"))])
    return np.random.Generator(np.random.SFC64(key))


def _sums_of_units(value: Floats, weight: Floats, unit: Ints | None) -> Floats:
    """Of each unit that is drawn: the sum of weight times value, and of weight, [units, 2]."""
    sums = np.stack([weight * value, weight], axis=1)
    if unit is None:
        return sums
    _, place = np.unique(unit, return_inverse=True)
    return np.stack([np.bincount(place, weights=column) for column in sums.T], axis=1)


def _interval(means: Floats, confidence: float) -> tuple[float, float]:
    if np.isnan(means).any():  # infinite on both sides: nothing can be said
        return _NONE
    tail = (1 - confidence) / 2
    (low,), (high,) = _quantiles(means[None], (tail, 1 - tail))
    return float(low), float(high)


def _resampled_means(sums: Floats, resamples: int, random: np.random.Generator) -> Floats:
    units = len(sums)
    means = np.empty(resamples)
    rows = max(1, _CHUNK // units)
    finite = np.where(np.isinf(sums), 0.0, sums).astype(np.float32)
    infinite = [(x, (sums[:, 0] == x).astype(np.float32)) for x in INFINITIES if x in sums]
    for start in range(0, resamples, rows):
        size = (min(rows, resamples - start), units)
        if units >= POISSON_FROM:
            counts = _poisson(random, size)
            totals = (counts @ finite).astype(np.float64)
            for infinity, at_those in infinite:
                totals[counts @ at_those > 0, 0] += infinity
        else:
            drawn = random.integers(0, units, size=size, dtype=np.uint16)
            totals = sums.take(drawn, axis=0).sum(axis=1)
        means[start : start + size[0]] = totals[:, 0] / totals[:, 1]
    return means


def _poisson(random: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """How often each unit is drawn, float32."""
    return np.asarray(_POISSON.take(random.integers(0, _STEPS, size=size, dtype=np.uint16)))


# The quantiles of Poisson(1) at 65,536 even steps: a table look-up instead of a draw.
_STEPS = 65_536
_REACHED = [_STEPS * math.exp(-1) * sum(1 / math.factorial(j) for j in range(k)) for k in range(9)]
_POISSON = np.searchsorted(_REACHED[1:], np.arange(_STEPS), side="right").astype(np.float32)
