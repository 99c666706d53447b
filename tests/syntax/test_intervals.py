"""Intervals of means: their formula by hand, and what they cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenscope_core.syntax.folding.intervals import (
    Moments,
    interval_of_difference,
    interval_of_mean,
    moments_of_groups,
    moments_of_ranges,
    reason_for_none,
    student_quantile,
)


def moments(values: np.ndarray, weight: np.ndarray | None = None) -> Moments:
    """One part, each value a unit of its own."""
    weight = np.ones(len(values)) if weight is None else weight
    rows = np.arange(len(values))
    return moments_of_groups(np.zeros(len(values), dtype=np.int64), 1, rows, values, weight)


def draws(pool: np.ndarray, size: int, count: int, seed: int = 0) -> Moments:
    """Parts of so many values each, drawn from a pool."""
    values = np.random.default_rng(seed).choice(pool, size * count)
    unit = np.tile(np.arange(size), count)
    part = np.repeat(np.arange(count), size)
    return moments_of_groups(part, count, unit, values, np.ones(len(values)))


def test_students_quantiles_are_those_of_tables() -> None:
    freedom = np.array([1.0, 2.0, 3.0, 4.0, 9.0, 19.0, 29.0, 1e6])
    table = [12.7062, 4.3027, 3.1824, 2.7764, 2.2622, 2.0930, 2.0452, 1.9600]
    assert student_quantile(freedom, 0.95).tolist() == pytest.approx(table, abs=1e-3)
    ninety = [6.3138, 2.9200, 2.3534, 2.1318, 1.8331, 1.7291, 1.6991, 1.6449]
    assert student_quantile(freedom, 0.9).tolist() == pytest.approx(ninety, abs=1e-3)


def test_without_skewness_it_is_students_interval() -> None:
    values = np.array([*range(-10, 11)], dtype=np.float64)
    (low,), (high,) = interval_of_mean(moments(values), "statement", 0.95)
    half = 2.0860 * values.std(ddof=1) / np.sqrt(21)
    assert (low, high) == (pytest.approx(-half, abs=1e-3), pytest.approx(half, abs=1e-3))


def test_halls_interval_by_hand() -> None:
    values = np.array([0.0] * 9 + [10.0])
    n, q = 10, 2.262157
    error = values.std(ddof=1) / np.sqrt(n)
    deviations = values - values.mean()
    skewness = (deviations**3).mean() / (deviations**2).mean() ** 1.5
    a = skewness * np.sqrt(n * (n - 1)) / (n - 2) / np.sqrt(n)
    (low,), (high,) = interval_of_mean(moments(values), "statement", 0.95)
    for bound in (low, high):
        t = (1.0 - bound) / error
        transformed = t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6
        assert abs(transformed) == pytest.approx(q, abs=1e-3)
    assert high - 1.0 > 1.0 - low, "it reaches further to where the tail is"


@pytest.mark.parametrize("size", [20, 30, 100])
def test_it_covers_the_mean_of_skewed_values_and_misses_to_neither_side(size: int) -> None:
    # Gamma of shape 0.4 has the skewness of surprisals: 3.2.
    pool = np.random.default_rng(1).gamma(0.4, 2.0, 20_000)
    low, high = interval_of_mean(draws(pool, size, 20_000), "statement", 0.95)
    above, below = (low > pool.mean()).mean(), (high < pool.mean()).mean()
    assert 0.93 <= 1 - above - below <= 0.97
    assert max(above, below) <= 0.04


def test_units_of_unequal_weight_are_drawn_whole() -> None:
    """Statements of 8 tokens on average, with tokens more alike within one than between them."""
    random = np.random.default_rng(2)
    weight = random.geometric(0.12, 3000).astype(np.float64)
    level = random.gamma(0.4 * weight, 2.0) / weight + random.gamma(1.0, 0.4, 3000)
    mean = np.average(level, weights=weight)
    chosen = random.integers(0, 3000, (10_000, 20))
    found = moments_of_groups(
        np.repeat(np.arange(10_000), 20), 10_000, np.tile(np.arange(20), 10_000),
        level[chosen].ravel(), weight[chosen].ravel(),
    )  # fmt: skip
    low, high = interval_of_mean(found, "statement", 0.95)
    known = ~np.isnan(low)
    above, below = (low > mean)[known].mean(), (high < mean)[known].mean()
    assert 0.93 <= 1 - above - below <= 0.97
    assert max(above, below) <= 0.04


def test_a_difference_is_covered_whichever_side_is_skewed() -> None:
    random = np.random.default_rng(3)
    skewed, even = random.gamma(0.4, 2.0, 20_000), random.normal(2.0, 0.5, 20_000)
    truth = skewed.mean() - even.mean()
    for sizes in ((20, 20), (60, 25)):
        a, b = draws(even, sizes[0], 10_000, 4), draws(skewed, sizes[1], 10_000, 5)
        low, high = interval_of_difference(a, b, ("statement", "statement"), 0.95)
        # Where one side is skewed and the other is not, a little less than of a single mean.
        assert 0.92 <= ((low <= truth) & (truth <= high)).mean() <= 0.97
        assert max((low > truth).mean(), (high < truth).mean()) <= 0.06


def test_where_none_can_hold_it_says_why() -> None:
    few, same = np.arange(9.0), np.ones(12)
    assert reason_for_none(moments(few), "statement").tolist() == [
        "9 statements, at least 10 are needed"
    ]
    assert reason_for_none(moments(few), "text").tolist() == [""]
    assert reason_for_none(moments(same), "statement").tolist() == ["all its values are alike"]
    heavy = np.where(np.arange(12) == 0, 500.0, 1.0)
    assert reason_for_none(moments(np.arange(12.0), heavy), "statement").tolist() == [
        "most of it is in one or two statements"
    ]
    infinite = np.append(np.arange(12.0), np.inf)
    assert reason_for_none(moments(infinite), "statement").tolist() == ["a value is infinite"]
    assert reason_for_none(moments(np.empty(0)), "statement").tolist() == ["no token has a value"]
    for values in (few, same, infinite, np.empty(0)):
        low, high = interval_of_mean(moments(values), "statement", 0.95)
        assert np.isnan(low).all() and np.isnan(high).all()


@given(st.data())
def test_ranges_have_the_moments_of_their_rows(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 60))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    run = np.sort(random.integers(0, 12, size))
    value, weight = random.gamma(0.3, 3.0, size), random.choice([0.25, 0.5, 1.0], size)
    start = random.integers(0, size + 1, 20)
    end = np.minimum(start + random.integers(0, size + 1, 20), size)
    found = moments_of_ranges(run, value, weight, start, end)
    for at, (a, b) in enumerate(zip(start, end, strict=True)):
        rows = slice(a, b)
        by_hand = moments_of_groups(
            np.zeros(b - a, dtype=np.int64), 1, run[rows], value[rows], weight[rows]
        )
        for name in Moments.__slots__:
            expected, seen = getattr(by_hand, name)[0], getattr(found, name)[at]
            assert seen == pytest.approx(expected, rel=1e-6, abs=1e-7, nan_ok=True), name


def test_ranges_of_nothing_have_nothing() -> None:
    nothing = np.empty(0)
    found = moments_of_ranges(
        nothing.astype(np.int64), nothing, nothing, np.zeros(2, dtype=np.int64),
        np.zeros(2, dtype=np.int64),
    )  # fmt: skip
    assert found.units.tolist() == [0, 0]
    assert np.isnan(interval_of_mean(found, "statement", 0.95)[0]).all()
