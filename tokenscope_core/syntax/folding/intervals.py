"""Intervals of means over parts of programs, in closed form and for all parts at once.

Tokens of one statement depend on each other and surprisals are skewed, so neither bootstrap
percentiles over tokens nor Student's interval hold what they say. Here the sampling unit is a
statement or a text, drawn as a whole; the mean is the ratio of two sums over units. Its studentised
error T is skewed by A (third moment of the residuals) and bent by B (long units pull the mean to
themselves, and hide their own residual). Hall 1992, "On the removal of skewness by transformation",
J. R. Stat. Soc. B 54, gives a cubic that is monotone and takes both out of T to second order:

    g(T) = ((1 + a T)³ - 1) / (3 a) + A / 6,    a = A / 3 - B

Bounds are its inverse at Student quantiles. Of two samples A and B are those of the difference
(Zhou and Dinh 2005, "Nonparametric confidence intervals for the one- and two-sample problems",
Biostatistics 6). Degrees of freedom are the effective number of units (Kish 1965, "Survey
Sampling") less one, combined as by Welch 1947. What such intervals cover on real surprisals and
entropies is simulated by `python -m benchmarks.coverage`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.record.arrays import Floats, Ints

Unit = Literal["statement", "text"]

# From how many units on an interval is given. Over fewer statements no method held on surprisals;
# means of whole texts are less skewed.
LEAST_UNITS: dict[Unit, int] = {"statement": 10, "text": 4}
# The same for their effective number: below, one long unit makes up most of a part.
LEAST_EFFECTIVE = 2.5
# Within how small a share of the whole spread residuals are rounding errors of running totals.
_ROUNDING = 1e-18


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums over the sampling units of each of G parts: `units`, int64 [G], says how many, all
    others are float64 [G].

    A unit has a weight w (tokens, in parts of tokens), a sum s of weight times value, and a
    residual e = s - `mean` w, where `mean` = Σs / Σw.
    """

    units: Ints
    weight: Floats
    mean: Floats
    weight_squares: Floats
    residual_squares: Floats
    residual_cubes: Floats
    residual_weight: Floats

    @property
    def effective(self) -> Floats:
        """How many units of equal weight would say as much, (Σw)² / Σw² (Kish 1965), float64 [G]; 0
        where there are none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.units > 0, self.weight**2 / self.weight_squares, 0.0)


def moments_of_groups(
    group: Ints, groups: int, unit: Ints, value: Floats, weight: Floats
) -> Moments:
    """The moments of each group of rows.

    Args:
        group: which part a row is in, 0 to `groups` - 1, int64 [R].
        groups: how many parts there are.
        unit: which sampling unit a row is in, int64 [R].
        value, weight: float64 [R], no NaN.
    """
    _, unit = np.unique(unit, return_inverse=True)
    cells, cell = np.unique(group * (int(unit.max(initial=0)) + 1) + unit, return_inverse=True)
    part = np.zeros(len(cells), dtype=np.int64)
    part[cell] = group
    w = _by_part(cell, len(cells), weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        s = _by_part(cell, len(cells), weight * value)
        total = _by_part(part, groups, w)
        mean = _by_part(part, groups, s) / total
        e = s - mean[part] * w
        return Moments(
            units=np.bincount(part, minlength=groups),
            weight=total,
            mean=mean,
            weight_squares=_by_part(part, groups, w**2),
            residual_squares=_without_rounding(_by_part(part, groups, e**2), float(np.sum(s**2))),
            residual_cubes=_by_part(part, groups, e**3),
            residual_weight=_by_part(part, groups, e * w),
        )


def _by_part(part: Ints, parts: int, what: Floats) -> Floats:
    return np.bincount(part, weights=what, minlength=parts).astype(np.float64)


def moments_of_ranges(run: Ints, value: Floats, weight: Floats, start: Ints, end: Ints) -> Moments:
    """The moments of ranges of rows, from running totals: linear in rows and ranges, however deep
    they nest.

    Args:
        run: the sampling unit of each row, int64 [R], ascending.
        value, weight: float64 [R], finite.
        start, end: which rows each range holds, int64 [N]; its first and last unit may reach
            beyond it.
    """
    nothing = np.zeros(len(start))
    if not len(run):
        return Moments(nothing.astype(np.int64), nothing, nothing * np.nan, *[nothing] * 4)
    begins = np.flatnonzero(np.diff(run, prepend=run[0] - 1))
    ends = np.append(begins[1:], len(run))
    unit = np.cumsum(np.diff(run, prepend=run[0]) != 0)
    # Small numbers, so that differences of running totals are exact.
    centre = float(np.average(value, weights=weight))
    w_until, s_until = (
        np.concatenate([[0.0], np.cumsum(what)]) for what in (weight, weight * (value - centre))
    )
    w_units, s_units = w_until[ends] - w_until[begins], s_until[ends] - s_until[begins]
    powers = [(i, j) for i in range(4) for j in range(4 - i) if i + j]
    units_until = {
        (i, j): np.concatenate([[0.0], np.cumsum(s_units**i * w_units**j)]) for i, j in powers
    }
    held = end > start
    first, last = unit[np.where(held, start, 0)], unit[np.where(held, end - 1, 0)]
    alone = first == last
    # The parts of the first and the last unit that lie inside, then the whole ones between them.
    head, tail = np.where(alone, end, ends[first]), np.where(alone, end, begins[last])
    total = {}
    for i, j in powers:
        found = np.zeros(len(start))
        for a, b in ((start, head), (tail, end)):
            found += (s_until[b] - s_until[a]) ** i * (w_until[b] - w_until[a]) ** j * (b > a)
        between = units_until[i, j][last] - units_until[i, j][np.minimum(first + 1, last)]
        total[i, j] = np.where(held, found + np.where(alone, 0.0, between), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total[1, 0] / total[0, 1]
    r = np.where(held, mean, 0.0)
    squares = total[2, 0] - 2 * r * total[1, 1] + r**2 * total[0, 2]
    return Moments(
        units=np.where(held, 1 + last - first, 0),
        weight=total[0, 1],
        mean=centre + mean,
        weight_squares=total[0, 2],
        residual_squares=_without_rounding(squares, float(units_until[2, 0][-1]) * 1e4),
        residual_cubes=total[3, 0] - 3 * r * total[2, 1] + 3 * r**2 * total[1, 2]
        - r**3 * total[0, 3],
        residual_weight=total[1, 1] - r * total[0, 2],
    )  # fmt: skip


def _without_rounding(squares: Floats, scale: float) -> Floats:
    return np.where(squares > _ROUNDING * scale, squares, np.where(np.isnan(squares), np.nan, 0.0))


def interval_of_mean(
    moments: Moments,
    unit: Unit,
    confidence: float,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[Floats, Floats]:
    """(low, high) of each part's mean, float64 [G], in the unit of its values; NaN where none can
    be given: see `reason_for_none`.

    Args:
        moments: of the parts.
        unit: what was drawn as a whole.
        confidence: how often the interval is to hold the mean, between 0 and 1.
        within: the range of the values; bounds outside of it say nothing and are cut.
    """
    given = reason_for_none(moments, unit) == ""
    spread = _Spread.of(moments)
    low, high = _bounds(
        moments.mean, spread.variance, spread.raw, spread.cubes, spread.tilt * spread.raw,
        moments.effective - 1, given, confidence,
    )  # fmt: skip
    return np.clip(low, *within), np.clip(high, *within)


def interval_of_difference(
    a: Moments, b: Moments, units: tuple[Unit, Unit], confidence: float
) -> tuple[Floats, Floats]:
    """(low, high) of the mean of b less that of a, float64 [G] in the unit of the values, part by
    part, when the units of each are drawn apart from those of the other; NaN where either has no
    interval of its own.

    Args:
        a, b: moments of the same parts.
        units: what was drawn of a, and of b.
        confidence: as in `interval_of_mean`.
    """
    given = (reason_for_none(a, units[0]) == "") & (reason_for_none(b, units[1]) == "")
    first, second = _Spread.of(a), _Spread.of(b)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = first.variance + second.variance
        freedom = variance**2 / (
            first.variance**2 / (a.effective - 1) + second.variance**2 / (b.effective - 1)
        )
        return _bounds(
            b.mean - a.mean, variance, first.raw + second.raw, second.cubes - first.cubes,
            second.tilt * second.raw - first.tilt * first.raw, freedom, given, confidence,
        )  # fmt: skip


def reason_for_none(moments: Moments, unit: Unit) -> NDArray[np.object_]:
    """Why a part has no interval, in words, text [G]; empty where it has one."""
    least = LEAST_UNITS[unit]
    reasons = np.full(len(moments.units), "", dtype=object)
    reasons[moments.residual_squares == 0] = "all its values are alike"
    reasons[moments.effective < LEAST_EFFECTIVE] = f"most of it is in one or two {unit}s"
    for units in np.unique(moments.units[moments.units < least]).tolist():
        plural = "" if units == 1 else "s"
        reasons[moments.units == units] = f"{units} {unit}{plural}, at least {least} are needed"
    reasons[~np.isfinite(moments.mean)] = "a value is infinite"
    reasons[moments.units == 0] = "no token has a value"
    return reasons


@dataclass(frozen=True, slots=True, eq=False)
class _Spread:
    """Of each part: the variance of its mean, the same without the correction for few units, its
    third central moment, and how the variance and the error go together, float64 [G]."""

    variance: Floats
    raw: Floats
    cubes: Floats
    tilt: Floats

    @classmethod
    def of(cls, moments: Moments) -> _Spread:
        n, total = moments.effective, moments.weight
        with np.errstate(invalid="ignore", divide="ignore"):
            raw = moments.residual_squares / total**2
            few = np.sqrt(n * (n - 1)) / (n - 2)
            return cls(
                variance=raw * n / (n - 1),
                raw=raw,
                cubes=moments.residual_cubes / total**3 * few,
                tilt=moments.residual_weight / total**2,
            )


def _bounds(
    middle: Floats,
    variance: Floats,
    raw: Floats,
    cubes: Floats,
    tilt: Floats,
    freedom: Floats,
    given: NDArray[np.bool_],
    confidence: float,
) -> tuple[Floats, Floats]:
    low, high = np.full(len(middle), np.nan), np.full(len(middle), np.nan)
    at = np.flatnonzero(given)
    if not len(at):
        return low, high
    skew, bend = (what[at] / raw[at] ** 1.5 for what in (cubes, tilt))
    error, quantile = np.sqrt(variance[at]), student_quantile(freedom[at], confidence)
    # The second correction is estimated poorly where values are rarely large: it may only widen.
    upper = _untransformed(-quantile, skew / 3 - np.minimum(bend, 0.0), skew / 6)
    lower = _untransformed(quantile, skew / 3 - np.maximum(bend, 0.0), skew / 6)
    low[at], high[at] = middle[at] - lower * error, middle[at] - upper * error
    return low, high


def _untransformed(z: Floats, a: Floats, b: Floats) -> Floats:
    """T for which Hall's cubic is z: see the formula of the module."""
    straight = np.abs(a) < 1e-9
    slope = np.where(straight, 1.0, a)
    return np.asarray(np.where(straight, z - b, (np.cbrt(1 + 3 * slope * (z - b)) - 1) / slope))


def student_quantile(freedom: Floats, confidence: float) -> Floats:
    """How far the middle `confidence` of Student's t reaches, float64 [G] in standard errors, for
    degrees of freedom from 1 on.

    Hill 1970, Algorithm 396, Communications of the ACM 13; within 3e-4 of its value from 2 on, and
    too far by a tenth at most between 1 and 2.
    """
    n, tail = np.maximum(np.asarray(freedom, dtype=np.float64), 1.0), 1 - confidence
    normal = NormalDist().inv_cdf(tail / 2)
    a = 1 / (n - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * np.sqrt(a * np.pi / 2) * n
    y = (d * tail) ** (2 / n)
    c_near = np.where(n < 5, c + 0.3 * (n - 4.5) * (normal + 0.6), c)
    c_near = (((0.05 * d * normal - 5) * normal - 7) * normal - 2) * normal + b + c_near
    squared = normal**2
    near = (((0.4 * squared + 6.3) * squared + 36) * squared + 94.5) / c_near - squared - 3
    near = np.expm1(a * ((near / b + 1) * normal) ** 2)
    far = 1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)
    far = (far * y - 1) * (n + 1) / (n + 2) + 1 / y
    found = np.sqrt(n * np.where(y > a + 0.05, near, far))
    # Exact where the general formula is weakest.
    half = (1 + confidence) / 2
    one, two = np.tan(np.pi * (half - 0.5)), np.sqrt(2 / (tail * (2 - tail)) - 2)
    return np.asarray(np.where(n == 1, one, np.where(n == 2, two, found)))
