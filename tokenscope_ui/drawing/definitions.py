"""What a metric's name opens in place: its definition, how to read it, and the way to the rest."""

from __future__ import annotations

import math

from tokenscope_core.record.metric_registry import Metric

# Beside the page it is read on, whatever path the app is served at.
GLOSSARY = "[All figures](metrics)"
_DISTRIBUTIONS = {
    "raw": "Of the model’s own distribution: temperature 1, no filter. ",
    "sampled": "Of what the token was drawn from: after penalties, temperature and filters. ",
    "none": "",
}


def in_words(metric: Metric) -> str:
    """Markdown for a help: formula, unit, range, how to read it, source and the glossary."""
    low, high = (_number(end) for end in metric.range)
    return (
        f"**{metric.label}** = `{metric.formula}`, in {metric.unit}, {low} to {high}.\n\n"
        f"{metric.meaning} {_DISTRIBUTIONS[metric.distribution]}"
        f"Known for {metric.known_for}.\n\nSource: {metric.source}. {GLOSSARY}"
    )


def _number(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:g}".replace("-", "−")
