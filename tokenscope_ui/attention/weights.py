"""Attention weights on a screen: in per cent, on a scale that says what a tint means."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from tokenscope_core.display.scales import Scale
from tokenscope_core.record.arrays import Floats
from tokenscope_ui.attention.view_choice import ReceivedTint, WeightScale

SCALES: dict[WeightScale, str] = {
    "relative": "to the greatest",
    "linear": "0 to 100 %",
    "log": "logarithmic",
}
SCALE_HELP = (
    "To the greatest: the strongest tint is the largest weight shown. 0 to 100 %: the same tint is "
    "the same weight everywhere. Logarithmic: that too, from 0.1 to 100 %, each tick ten times the "
    "one before, so that faint attention shows."
)
# Below a thousandth of a row nothing can be read from a tint.
LOG_FLOOR = 1e-3


def share_text(share: float) -> str:
    """A share of attention in per cent: two digits, more where it is small."""
    if math.isnan(share):
        return "not available"
    percent = 100 * share
    # What is written with more digits must not round up to one that is written with fewer.
    if percent >= 9.95:
        return f"{percent:.0f} %"
    if percent >= 0.995:
        return f"{percent:.1f} %"
    return f"{percent:.2g} %" if percent >= 1e-3 else ("<0.001 %" if percent > 0 else "0 %")


def times_text(times: float) -> str:
    """How many times as much as attention spread evenly."""
    return f"{times:,.1f} ×" if times >= 0.1 or times == 0 else f"{times:.2g} ×"


def tinted(weight: Floats, scale: WeightScale) -> Floats:
    """What the tint is proportional to: per cent, or the decimal logarithm of it."""
    if scale != "log":
        return 100 * weight
    with np.errstate(divide="ignore"):
        return np.asarray(np.log10(100 * np.maximum(weight, LOG_FLOOR)))


def weight_scale(
    weight: Floats, scale: WeightScale, *, label: str = "attention weight", over: str = "this row"
) -> Scale:
    """The scale of `tinted` values."""
    note = "absolute"
    if scale == "log":
        low, high = math.log10(100 * LOG_FLOOR), 2.0
        ticks = tuple((float(p), f"{10.0**p:g}") for p in range(-1, 3))
        note = "absolute, logarithmic"
    else:
        low, high = 0.0, 100.0
        if scale == "relative":
            high, note = _greatest(weight), f"relative to {over}"
        ticks = tuple((share * high, f"{share * high:.3g}") for share in (0, 0.25, 0.5, 0.75, 1))
    return Scale(
        label=label, unit="%", low=low, high=high, ticks=ticks, kind="sequential",
        reverse=False, note=note,
    )  # fmt: skip


def _greatest(weight: Floats) -> float:
    known = weight[np.isfinite(weight)]
    most = 100 * float(known.max()) if len(known) else 0.0
    # Outward to what the strip's values are rounded to, so that none of them lies beyond.
    return math.ceil(most * 1000) / 1000 or 100.0


def received_tint(
    frame: pd.DataFrame, tint: ReceivedTint, apart: tuple[int, ...]
) -> tuple[Floats, Scale]:
    """What tokens are tinted by and its scale: the rows they receive, by the root, so that what
    receives little can be told apart beside what receives much, or the decimal logarithm of their
    ratio to even attention.

    Args:
        frame: `Received.frame`.
        tint: which of the two.
        apart: positions without a tint.
    """
    column = frame["received" if tint == "mass" else "ratio"].to_numpy(dtype=np.float64, copy=True)
    column[list(apart)] = np.nan
    column[~(frame["even"].to_numpy() > 0)] = np.nan
    known = column[np.isfinite(column)]
    most = float(known.max()) if len(known) else 1.0
    if tint == "mass":
        high = math.ceil(most * 1000) / 1000 or 1.0
        ticks = tuple((s * s * high, f"{s * s * high:.3g}") for s in (0, 0.25, 0.5, 0.75, 1))
        return column, Scale(
            label="attention received", unit="rows", low=0.0, high=high, ticks=ticks,
            kind="sequential", reverse=False, note="relative to this text, by square root", root=2,
        )  # fmt: skip
    # The last tokens, which few rows follow, lie far beyond all others.
    values = np.log10(np.clip(column, 0.1, 10.0))
    reach = max(0.3, math.ceil(float(np.abs(values[np.isfinite(values)]).max(initial=0)) * 10) / 10)
    texts = (f"{10.0**-reach:.2g}", "1", f"{10.0**reach:.3g}")
    return values, Scale(
        label="attention received", unit="× even", kind="diverging", low=-reach, high=reach,
        ticks=tuple(zip((-reach, 0.0, reach), texts, strict=True)), reverse=False,
        note="relative to this text, logarithmic",
    )  # fmt: skip


def points_text(difference: float) -> str:
    """A difference of two shares in percentage points, with its sign."""
    if math.isnan(difference):
        return "not available"
    points = 100 * difference
    digits = f"{points:+.1f}" if abs(points) >= 1 else f"{points:+.2g}"
    number = digits if float(digits) else "0"
    return f"{number} points".replace("-", "−")


def points_scale(values: Floats) -> Scale:
    """The scale of a difference B - A in percentage points: neutral at 0, relative to the row."""
    reach = _greatest(np.abs(values))
    ticks = ((-reach, f"−{reach:.3g}"), (0.0, "0"), (reach, f"{reach:.3g}"))
    return Scale(
        label="attention, B − A", unit="points", low=-reach, high=reach, ticks=ticks,
        kind="diverging", reverse=False, note="relative to this row",
    )  # fmt: skip
