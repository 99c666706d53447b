"""The tints of a scale, as levels and as style rules for them."""

from __future__ import annotations

import math

from tokenscope_core.display.scales import Scale, scale_of, tint_values
from tokenscope_core.record.arrays import Floats

TOP_LEVEL = 32


def _mix(colour: str, share: float, base: str) -> str:
    return f"color-mix(in oklab, var(--{colour}) {100 * share:.2f}%, var(--{base}))"


def tint_levels(name: str, values: Floats) -> tuple[list[int | None], Scale]:
    """How strongly the values [n] of a metric (stored, in nats) are tinted, 0 to `TOP_LEVEL`; None
    where there is none; and the scale they are tinted by, in bits."""
    scale = scale_of(name, values)
    return [
        _level(place, scale) for place in scale.places(tint_values(name, values)).tolist()
    ], scale


def _level(place: float, scale: Scale) -> int | None:
    if math.isnan(place):
        return None
    least = -1.0 if scale.kind == "diverging" else 0.0
    share = min(1.0, max(least, -place if scale.reverse else place))
    return round((share - least) / (1 - least) * TOP_LEVEL)


def ramp_css() -> str:
    """The tint classes t0 to t32: page to warm to hot, or cold to page to hot, mixed from the
    colours that strip.css names."""
    diverging = []
    for level in range(TOP_LEVEL + 1):
        reach = 2 * level / TOP_LEVEL - 1
        colour = _mix("hot" if reach > 0 else "cold", abs(reach), "panel")
        diverging.append(f"[data-kind=diverging] .t{level} {{ background-color: {colour}; }}")
    return "\n".join([sequential_css(), *diverging])


def sequential_css() -> str:
    """The tint classes t0 to t32 of a sequential scale alone: page to warm to hot."""
    return "\n".join(
        f".t{level} {{ background-color: {_sequential(level)}; }}" for level in range(TOP_LEVEL + 1)
    )


def fill_css() -> str:
    """The classes f0 to f32 for what is drawn: the fills of the sequential tints."""
    return "\n".join(
        f".f{level} {{ fill: {_sequential(level)}; }}" for level in range(TOP_LEVEL + 1)
    )


def _sequential(level: int) -> str:
    reach = 2 * level / TOP_LEVEL - 1
    return _mix("hot", reach, "warm") if reach > 0 else _mix("warm", 1 + reach, "panel")
