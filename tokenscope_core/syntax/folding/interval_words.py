"""What an interval of a mean is an interval for, or why there is none, in words."""

from __future__ import annotations

from tokenscope_core.syntax.folding.intervals import Moments, Unit, reason_for_none

# In which share of draws 95 % intervals over so few texts held the mean of all texts: in the part
# of a program where they held least, and where they held most. `python -m benchmarks.coverage`.
HELD_OVER_FEW_TEXTS: dict[int, tuple[float, float]] = {
    4: (0.78, 0.97), 5: (0.81, 0.97), 6: (0.84, 0.97), 7: (0.84, 0.98), 8: (0.85, 0.97),
    9: (0.87, 0.97),
}  # fmt: skip


def interval_remarks(moments: Moments, unit: Unit, texts: int) -> list[str]:
    """A remark for each part: "none: " and the reason, or "for this text" and the like.

    Args:
        moments: of the parts, [G].
        unit: what counts as drawn.
        texts: how many texts there are.
    """
    parts = zip(reason_for_none(moments, unit), moments.units.tolist(), strict=True)
    return [
        f"{_NONE}{reason}" if reason else _for_what(unit, texts, units) for reason, units in parts
    ]


def difference_remarks(
    a: Moments, b: Moments, units: tuple[Unit, Unit], texts: tuple[int, int]
) -> list[str]:
    """The same for the difference of two sides: what holds for either of them."""
    sides = [
        interval_remarks(moments, unit, count)
        for moments, unit, count in zip((a, b), units, texts, strict=True)
    ]
    return [_of_both(first, second) for first, second in zip(*sides, strict=True)]


def _of_both(first: str, second: str) -> str:
    if first.startswith(_NONE):
        return first
    if second.startswith(_NONE):
        return second
    return "for these two texts" if first == second == _ONE else f"{first}; {second}"


_NONE, _ONE = "none: ", "for this text"


def _for_what(unit: Unit, texts: int, units: int) -> str:
    if unit == "statement":
        return _ONE if texts == 1 else f"for these {texts} texts, not for others"
    held = HELD_OVER_FEW_TEXTS.get(units)
    if held is None:
        return f"over {units} texts"
    return (
        f"over {units} texts, which is few: 95 % intervals held the mean in {100 * held[0]:.0f} to "
        f"{100 * held[1]:.0f} % of simulated cases"
    )
