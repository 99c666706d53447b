"""The tints of a scale as style rules, mixed from the colours that colours.css names."""

from __future__ import annotations

TOP_LEVEL = 32


def _mix(colour: str, share: float, base: str) -> str:
    return f"color-mix(in oklab, var(--{colour}) {100 * share:.2f}%, var(--{base}))"


def ramp_css() -> str:
    """The tint classes t0 to t32: page to warm to hot, or cold to page to hot."""
    rules = []
    for level in range(TOP_LEVEL + 1):
        reach = 2 * level / TOP_LEVEL - 1
        upper = reach > 0
        sequential = _mix("hot", reach, "warm") if upper else _mix("warm", 1 + reach, "panel")
        diverging = _mix("hot" if upper else "cold", abs(reach), "panel")
        rules += [
            f".t{level} {{ background-color: {sequential}; }}",
            f"[data-kind=diverging] .t{level} {{ background-color: {diverging}; }}",
        ]
    return "\n".join(rules)
