"""The glossary of metrics as Markdown, from the rows that screens and files use."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tokenscope_core import METRICS
from tokenscope_core.attention.heads.statistics import HEAD_STATISTICS
from tokenscope_core.record.further_measures import ATTENTION, FIGURES, paragraphs
from tokenscope_core.record.metric_registry import ON_REQUEST, Metric

_STORAGE = {
    "column": "a column of every trace",
    "derived": "computed from a trace's columns whenever it is asked for",
    "accumulated": "computed from the columns of all tokens up to it whenever it is asked for",
    "on request": "measured on request, by running the model once more",
}
_DISTRIBUTION = {
    "raw": "the model's own: temperature 1, no filter",
    "sampled": "what the token was drawn from, after penalties, temperature and filters",
    "none": "none",
}


def metrics() -> str:
    """A section for every metric."""
    return "\n\n".join(_metric(metric) for metric in (*METRICS, *ON_REQUEST))


def head_statistics() -> str:
    """A section for every statistic of an attention head."""
    return "\n\n".join(
        _section(
            statistic.label, statistic.name, statistic.meaning,
            [
                ("definition", statistic.formula), ("unit", statistic.unit),
                ("rows", statistic.rows), ("source", statistic.source),
            ],
        )
        for statistic in HEAD_STATISTICS
    )  # fmt: skip


def further_measures() -> str:
    """A paragraph for everything else that is measured."""
    return paragraphs(FIGURES + ATTENTION)


def _metric(metric: Metric) -> str:
    low, high = metric.range
    return _section(
        metric.label, metric.name, metric.meaning,
        [
            ("definition", metric.formula), ("unit", metric.unit),
            ("between", f"{_number(low)} and {_number(high)}"),
            ("distribution", _DISTRIBUTION[metric.distribution]),
            ("known for", metric.known_for), ("kept as", _STORAGE[metric.storage]),
            ("source", metric.source),
        ],
    )  # fmt: skip


def _section(label: str, name: str, meaning: str, rows: list[tuple[str, str]]) -> str:
    return "\n".join(_lines(label, name, meaning, rows))


def _lines(label: str, name: str, meaning: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    yield f"### {label} {{ #{name} }}\n"
    yield f"`{name}`. {_escaped(meaning)}\n"
    first, *others = (f"| {what} | {_escaped(text)} |" for what, text in rows)
    yield f"{first}\n|---|---|"
    yield from others


def _escaped(text: str) -> str:
    """Formulae as they are: no emphasis, no column, no tag begins in them."""
    for sign in "\\|*_<>":
        text = text.replace(sign, f"&#{ord(sign)};")
    return text


def _number(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:g}"
