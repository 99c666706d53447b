"""How a metric is put on a screen: its unit there, its fixed range, and which end is unsure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.record.arrays import Floats
from tokenscope_core.record.metric_registry import METRICS, NATS_PER_BIT, Metric, metric_named
from tokenscope_core.record.trace import Trace

LogUnit = Literal["bits", "nats"]
Kind = Literal["sequential", "diverging"]

# What code can be tinted by, the most useful first.
STRIP_METRICS: tuple[str, ...] = tuple(
    metric.name
    for metric in sorted(METRICS, key=lambda metric: metric.menu or 0)
    if metric.menu is not None
)


@dataclass(frozen=True, slots=True)
class Scale:
    """The range values are tinted over, in screen units, with labelled ticks; of a `logarithmic`
    one in decimal logarithms of them. The tint grows with the `root` of the distance from the end,
    or the middle, that has none: a power law, as of Stevens 1957, between fixed ends."""

    label: str
    unit: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    kind: Kind
    reverse: bool
    note: str
    logarithmic: bool = False
    root: int = 1

    def places(self, values: Floats) -> Floats:
        """Where values [n], in the `unit` of the scale, lie along it as it is drawn, float64 [n]
        without unit: 0 where there is no tint, 1 or -1 where it is full, beyond that outside."""
        if self.kind == "diverging":
            shares = values / (max(abs(self.low), abs(self.high)) or 1.0)
        else:
            pale = self.high if self.reverse else self.low
            shares = (values - pale) / ((self.high - self.low) or 1.0)
        return np.sign(shares) * np.abs(shares) ** (1 / self.root)


def screen_unit(metric: Metric, unit: LogUnit = "bits") -> str:
    """The unit a metric is shown in; empty for bare numbers."""
    match metric.unit:
        case "nats":
            return unit
        case "nats²":
            return f"{unit}²"
        case "ms" | "tokens":
            return metric.unit
        case _:
            return ""


def to_screen(name: str, values: Floats, unit: LogUnit = "bits") -> Floats:
    """Stored values [n], in nats where the metric is a log quantity, in the unit of the screen."""
    divisor = {"nats": NATS_PER_BIT, "nats²": NATS_PER_BIT**2}.get(metric_named(name).unit, 1.0)
    return values / divisor if unit == "bits" else values


def tint_values(name: str, values: Floats, unit: LogUnit = "bits") -> Floats:
    """What the tint of stored values [n] is proportional to: the screen value, of a rank its
    decimal logarithm."""
    return np.log10(values) if metric_named(name).logarithmic else to_screen(name, values, unit)


def scale_of(name: str, values: Floats, *, relative: bool = False, unit: LogUnit = "bits") -> Scale:
    """The scale of a metric: fixed, or stretched over the given stored values [n], in nats where
    the metric is a log quantity."""
    metric = metric_named(name)
    low, high = _fixed_range(name, unit)
    if relative:
        low, high = _stretched(name, tint_values(name, values, unit), (low, high))
    return Scale(
        label=metric.label,
        unit=screen_unit(metric, unit),
        low=low,
        high=high,
        ticks=_rank_ticks(low, high) if metric.logarithmic else _ticks(low, high, metric),
        kind="diverging" if metric.strong == "both" else "sequential",
        reverse=metric.strong == "low",
        note=_note("relative to this trace" if relative else "absolute", metric),
        logarithmic=metric.logarithmic,
        root=metric.root,
    )


def trace_scale(
    trace: Trace, name: str, stored: Floats, *, relative: bool = False, unit: LogUnit = "bits"
) -> Scale:
    """The scale of a metric over a trace, whose stored values are given: float64 [T], log
    quantities in nats."""
    return scale_of(name, stored[stretched_over(trace)], relative=relative, unit=unit)


def stretched_over(trace: Trace) -> NDArray[np.bool_]:
    """Which tokens a relative scale is stretched over, bool [T]: what was generated, or all of a
    text that was only scored; without special tokens, since one of a chat template can be ten
    times as surprising as all else."""
    generated = np.arange(len(trace)) >= trace.prompt_length
    return (generated if generated.any() else ~generated) & ~trace.special


def difference_values(name: str, a: Floats, b: Floats, unit: LogUnit = "bits") -> Floats:
    """What the tint of b - a is proportional to, for stored values [n] of both; of ranks the
    decimal logarithm of b / a."""
    return tint_values(name, b, unit) - tint_values(name, a, unit)


def difference_scale(
    name: str, values: Floats, *, relative: bool = False, unit: LogUnit = "bits"
) -> Scale:
    """The scale of `difference_values` [n], in the unit of the screen: neutral at 0, warm where b
    is the less sure one."""
    metric = metric_named(name)
    reach = metric.difference_tint * _in_unit(metric, unit)
    known = np.abs(values[np.isfinite(values)])
    if relative and len(known) and known.max() > 0:
        reach = math.ceil(float(known.max()) * 1000) / 1000
    return Scale(
        label=f"{metric.label}, B {'/' if metric.logarithmic else '−'} A",
        unit=screen_unit(metric, unit),
        low=-reach,
        high=reach,
        ticks=_ratio_ticks(reach)
        if metric.logarithmic
        else _ticks(-reach, reach, metric, both=True),
        kind="diverging",
        reverse=metric.strong == "low",
        note=_note("relative to this comparison" if relative else "absolute", metric),
        logarithmic=metric.logarithmic,
        root=metric.root,
    )


def _in_unit(metric: Metric, unit: LogUnit) -> float:
    """What a range in bits is multiplied by: a round number rather than ln 2, for reading."""
    return {"nats": 2 / 3, "nats²": 1 / 2}.get(metric.unit, 1.0) if unit == "nats" else 1.0


def _fixed_range(name: str, unit: LogUnit) -> tuple[float, float]:
    metric = metric_named(name)
    (low, high), factor = metric.tint, _in_unit(metric, unit)
    return low * factor, high * factor


def _stretched(name: str, values: Floats, fixed: tuple[float, float]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return fixed
    low, high = float(known.min()), float(known.max())
    if metric_named(name).strong == "both":
        reach = max(abs(low), abs(high))
        low, high = -reach, reach
    # Outward to what the strip's values are rounded to, so that none of them lies beyond.
    low, high = math.floor(low * 1000) / 1000, math.ceil(high * 1000) / 1000
    return (low, high) if high > low else (low, low + 1.0)


def _note(over: str, metric: Metric) -> str:
    return over + {1: "", 2: ", by square root", 3: ", by cube root"}[metric.root]


def _ticks(
    low: float, high: float, metric: Metric, *, both: bool = False
) -> tuple[tuple[float, str], ...]:
    """Five ticks that stand about evenly where the scale is drawn. Between the ends of a bent one
    each is a number of one digit away from what has no tint."""
    shares, pale = np.linspace(0, 1, 5), low
    if both or metric.strong == "both":
        shares, pale = np.linspace(-1, 1, 5), 0.0
    elif metric.strong == "low":
        shares, pale = np.linspace(-1, 0, 5), high
    extent = high - pale or pale - low
    ticks = []
    for away in (np.sign(shares) * np.abs(shares) ** metric.root * extent).tolist():
        value = pale + away
        if metric.root > 1 and 0 < abs(away) < extent:
            digits = max(0, -math.floor(math.log10(abs(away))))
            value = round(value, digits)
        else:
            # Off by less than a thousandth of the range, which nobody sees.
            digits = next(d for d in range(10) if abs(value - round(value, d)) <= extent / 1000)
        ticks.append((value, _trim(f"{value:.{digits}f}")))
    return tuple(ticks)


def _rank_ticks(low: float, high: float) -> tuple[tuple[float, str], ...]:
    powers: Sequence[float] = [p for p in range(7) if low <= p <= high]
    if len(powers) < 2:
        powers = [low, high]
    return tuple((float(p), _power_text(p)) for p in powers)


def _ratio_ticks(reach: float) -> tuple[tuple[float, str], ...]:
    factor = _power_text(reach)
    return ((-reach, f"1/{factor}"), (0.0, "1"), (reach, factor))


def _power_text(exponent: float) -> str:
    """A power of ten with three digits, or all of a whole number that is meant."""
    value = 10**exponent
    whole = value >= 100 or abs(value - round(value)) < 0.01
    return f"{round(value):,}" if whole else f"{value:.3g}"


def _trim(number: str) -> str:
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return "0" if number in {"-0", ""} else number.replace("-", "−")
