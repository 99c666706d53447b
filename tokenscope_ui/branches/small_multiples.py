"""The surprisal of several branches from their forks on, as the overview's script draws it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TypedDict

from tokenscope_core import Trace
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.formatting import metric_text
from tokenscope_core.display.scales import LogUnit, to_screen
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.sessions.branch import Branch
from tokenscope_ui.branches.words import mean_text


class Row(TypedDict):
    """One branch: values (None where there is none) and texts of its tokens from `start` on."""

    name: str
    colour: int
    start: int
    values: list[float | None]
    tokens: list[str]
    figures: str
    label: str


def encode(branches: Sequence[tuple[Branch, Trace, float]], unit: LogUnit) -> bytes:
    """Rows of an overview as JSON in UTF-8; at least one.

    Args:
        branches: each with its trace and its mean surprisal (nats).
        unit: of the screen.
    """
    rows = [_row(branch, trace, mean, unit) for branch, trace, mean in branches]
    known = [value for row in rows for value in row["values"] if value is not None]
    return json.dumps(
        {
            "first": min(row["start"] for row in rows),
            "last": max(row["start"] + len(row["values"]) for row in rows),
            "high": max(known, default=0.0),
            "unit": unit,
            "branches": rows,
        },
        allow_nan=False,
    ).encode("ascii")


def _row(branch: Branch, trace: Trace, mean: float, unit: LogUnit) -> Row:
    start = 0 if branch.edit is None else min(branch.edit.position, len(trace))
    values, tokens = _columns(trace, start, unit)
    return Row(
        name=branch.name,
        colour=branch.colour,
        start=start,
        values=values,
        tokens=tokens,
        figures=f"mean {mean_text(mean, unit)}{_peak(values, tokens, start, unit, short=True)}",
        label=f"Surprisal of {branch.name} from position {start}: mean "
        f"{mean_text(mean, unit)}{_peak(values, tokens, start, unit, short=False)}",
    )


# Of the branches of one overview, which is drawn anew at every click on the page.
@lru_cache(maxsize=24)
def _columns(trace: Trace, start: int, unit: LogUnit) -> tuple[list[float | None], list[str]]:
    values = [
        None if math.isnan(value) else round(value, 4)
        for value in to_screen("surprisal", trace.surprisal[start:], unit).tolist()
    ]
    table = trace.vocabulary.token_bytes
    tokens = [table[i].decode("utf-8", errors="replace") for i in trace.token_ids[start:].tolist()]
    return values, tokens


def _peak(
    values: Sequence[float | None], tokens: Sequence[str], start: int, unit: LogUnit, *, short: bool
) -> str:
    known = [(value, index) for index, value in enumerate(values) if value is not None]
    if not known:
        return ""
    value, index = max(known, key=lambda pair: pair[0])
    if short:
        return f" · at most {value:.1f} at {start + index:,}"
    text = on_one_line(tokens[index].encode("utf-8", errors="replace"))
    return f", highest {metric_text('surprisal', value, unit)} at {start + index:,}, {text}"
