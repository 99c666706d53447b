"""Two branches as two strips paint them: what differs is marked, and tinted by a metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core import Comparison, Trace, compare
from tokenscope_core.caching import lru_cache
from tokenscope_core.comparison.marks import change_marks
from tokenscope_core.display.formatting import difference_text
from tokenscope_core.display.painting import HOVER_METRICS
from tokenscope_core.display.scales import (
    LogUnit,
    Scale,
    difference_scale,
    difference_values,
    scale_of,
    stretched_over,
    tint_values,
    to_screen,
)
from tokenscope_core.display.tokens import tokens
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_ui.compare.state import Side
from tokenscope_ui.components import strip
from tokenscope_ui.trace.strip_payload import (
    hover_field,
    numbers,
    strip_scale,
)

_LINES_BEFORE = 2
_OTHER: dict[Side, str] = {"a": "B", "b": "A"}


@dataclass(frozen=True, slots=True)
class ComparisonLook:
    """How both strips are drawn. With `difference` the tint is that of B - A; with `whole` the
    text is there from its beginning, without from shortly before the two part."""

    metric: str
    difference: bool
    relative: bool
    unit: LogUnit
    invisibles: bool
    whole: bool


@lru_cache(maxsize=8)
def compared(a: Trace, b: Trace) -> Comparison:
    """The comparison of two branches, made once; nothing is measured.

    Raises: as `compare`.
    """
    return compare(a, b)


@lru_cache(maxsize=8)
def rows(comparison: Comparison) -> pd.DataFrame:
    """The comparison's `frame`, made once."""
    return comparison.frame()


def positions(comparison: Comparison, side: Side) -> Ints:
    """The position each row has on a side, -1 where it has none."""
    alignment = comparison.alignment
    return alignment.position_a if side == "a" else alignment.position_b


def row_of(comparison: Comparison, side: Side, position: int) -> int | None:
    """The row that holds a token of one side."""
    found = np.flatnonzero(positions(comparison, side) == position)
    return int(found[0]) if len(found) else None


def side_trace(comparison: Comparison, side: Side) -> Trace:
    """The trace of a side."""
    return comparison.a if side == "a" else comparison.b


@lru_cache(maxsize=8)
def first_shown(comparison: Comparison) -> tuple[int, int]:
    """Without what both begin with: the first position that is shown, and the number of its line.

    That is the beginning of a line, a few before the two part; the same in both.
    """
    pieces = _pieces(comparison.a)
    begins = [
        position
        for position in range(1, min(comparison.shared_prefix, len(pieces) - 1) + 1)
        if pieces[position - 1].endswith(b"\n") or pieces[position].startswith(b"\n")
    ]
    first = [0, *begins][-1 - min(_LINES_BEFORE, len(begins))]
    line = comparison.a.first_line + sum(data.count(b"\n") for data in pieces[:first])
    return first, line


def _pieces(trace: Trace) -> list[bytes]:
    special = trace.special.tolist()
    table = trace.vocabulary.token_bytes
    return [
        b"" if hidden else table[token_id]
        for token_id, hidden in zip(trace.token_ids.tolist(), special, strict=True)
    ]


@lru_cache(maxsize=16)
def side_payload(comparison: Comparison, side: Side, look: ComparisonLook) -> bytes:
    """The payload of one side. Cached, since equal bytes are not sent again."""
    trace = side_trace(comparison, side)
    own = positions(comparison, side)
    facing = own >= 0
    texts, flags = tokens(trace, show_bytes=look.invisibles)
    for position, mark in zip(
        own[facing].tolist(), change_marks(comparison.alignment)[facing], strict=True
    ):
        flags[position] |= int(mark)
    values, scale = _tint(comparison, side, look)
    first, line = (0, 1) if look.whole else first_shown(comparison)
    hover = [hover_field(trace, name, look.unit) for name in HOVER_METRICS]
    hover.append(_difference_field(comparison, side, look))
    return strip.encode(
        {
            "key": f"{side} {trace.key}",
            "text": texts[first:],
            "flags": flags[first:],
            "values": numbers(values[first:]),
            "reasons": _reasons(trace, side, values, first, look),
            "scale": strip_scale(scale),
            "hover": [
                {"label": field["label"], "values": field["values"][first:]} for field in hover
            ],
            "invisibles": look.invisibles,
            "first_position": first,
            "first_line": line,
            "running": False,
        }
    )


def _tint(comparison: Comparison, side: Side, look: ComparisonLook) -> tuple[Floats, Scale]:
    """The values of one side, and the scale of both, so that equal tints are equal numbers."""
    if not look.difference:
        both = [
            trace.column(look.metric)[stretched_over(trace)]
            for trace in (comparison.a, comparison.b)
        ]
        stored = side_trace(comparison, side).column(look.metric)
        scale = scale_of(look.metric, np.concatenate(both), relative=look.relative, unit=look.unit)
        return tint_values(look.metric, stored, look.unit), scale
    moved = differences(comparison, look.metric, look.unit)
    own = positions(comparison, side)
    values = np.full(len(side_trace(comparison, side)), np.nan)
    values[own[own >= 0]] = moved[own >= 0]
    return values, difference_scale(look.metric, moved, relative=look.relative, unit=look.unit)


def differences(comparison: Comparison, metric: str, unit: LogUnit) -> Floats:
    """B - A of a metric for every row, as it is tinted; NaN where a side has no value."""
    table = rows(comparison)
    a, b = (table[f"{metric}_{side}"].to_numpy(float, na_value=np.nan) for side in ("a", "b"))
    return difference_values(metric, a, b, unit)


def difference_texts(comparison: Comparison, metric: str, unit: LogUnit) -> list[str]:
    """B - A of a metric for every row in words; ranks as they are, not by their logarithm."""
    stored = rows(comparison)[f"{metric}_diff"].to_numpy(float, na_value=np.nan)
    return [difference_text(metric, v, unit) for v in to_screen(metric, stored, unit).tolist()]


def _reasons(
    trace: Trace, side: Side, values: Floats, first: int, look: ComparisonLook
) -> dict[int, str]:
    reasons = {}
    for position in np.flatnonzero(np.isnan(values)).tolist():
        if np.isnan(trace.column(look.metric)[position]):
            reason = trace.missing_reason(look.metric, position)
        else:
            reason = f"nothing to compare it with in {_OTHER[side]}"
        if position >= first:
            reasons[position - first] = reason
    return reasons


def _difference_field(comparison: Comparison, side: Side, look: ComparisonLook) -> strip.HoverField:
    own = positions(comparison, side)
    values: list[str | None] = [None] * len(side_trace(comparison, side))
    texts = difference_texts(comparison, look.metric, look.unit)
    known = ~np.isnan(differences(comparison, look.metric, look.unit))
    for row in np.flatnonzero((own >= 0) & known).tolist():
        values[own[row]] = texts[row]
    return {"label": f"{BY_NAME[look.metric].label}, B − A", "values": values}
