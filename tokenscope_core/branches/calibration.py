"""How often marks of hindsight are right, for the models that it was measured for.

Written by `python -m benchmarks.hindsight`, a file a model, in `calibrations`; what was measured,
and how, is in `docs/hindsight.md`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenscope_core.caching import cache
from tokenscope_core.record.trace_columns import ModelIdentity

_FOLDER = Path(__file__).parent / "calibrations"
# One function in so many has a bug.
_SAID = (2, 6, 31)
# What knows nothing of the code.
_BLIND = ("random", "line length")

Interval = tuple[float, float, float]
"""A share from 0 to 1, and the ends of its 95 % interval."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often marks from a threshold on, in nats, are right on one kind of bugs.

    `bugs`: how many it was measured on; `recall`: the share of them that is marked; `precision`, by
    n: the share of marks on a line of a bug where one function in n has one. None where there was
    no mark.
    """

    threshold: float
    bugs: int
    recall: Interval | None
    precision: Mapping[int, Interval | None]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured for one model: rates by threshold, on bugs that were put into working
    functions and on bugs that people wrote. `command` is what measured it. `finds`: whether the
    line with the clearest place is that of a seeded bug more often than the longest line, or one
    at random: their intervals do not meet.
    """

    model: str
    dtype: str
    command: str
    seeded: Mapping[float, Rate]
    natural: Mapping[float, Rate]
    finds: bool


def calibration_of(model: ModelIdentity) -> Calibration | None:
    """What was measured for a model, in whatever precision; None where nothing was."""
    known = _calibrations()
    return next((found for names, found in known if model.fingerprint in names), None)


def calibration_words(model: ModelIdentity, threshold: float) -> str:
    """How often marks from a threshold on, in nats, are right for a model: sentences."""
    found = calibration_of(model)
    rate = None if found is None else found.seeded.get(threshold)
    if found is None or rate is None:
        return "How often such marks are right was not measured for this model."
    on_seeded = f"Measured on {rate.bugs} bugs put into working functions"
    if not found.finds:
        return (
            f"This model finds no bugs this way: of {rate.bugs} put into working functions "
            f"{_percent(rate.recall)} were marked, and its clearest place is on the line of a bug "
            "no more often than the longest line is."
        )
    said = "; ".join(
        f"{_percent(rate.precision[n])} where one function in {n} has a bug" for n in _SAID
    )
    words = (
        f"{on_seeded}: {_percent(rate.recall)} of them are marked, and so many of the marks are on "
        f"the line of a bug: {said}."
    )
    natural = found.natural.get(threshold)
    if natural is not None:
        words += f" Of {natural.bugs} that people wrote, {_percent(natural.recall)} are marked."
    return words


@cache
def _calibrations() -> tuple[tuple[frozenset[str], Calibration], ...]:
    """All that was measured, with the fingerprints of the models that it holds for."""
    tables = [json.loads(path.read_text("utf-8")) for path in sorted(_FOLDER.glob("*.json"))]
    return tuple(
        (
            frozenset(table["fingerprints"]),
            Calibration(
                table["model"],
                table["dtype"],
                table["command"],
                _rates(table.get("seeded")),
                _rates(table.get("natural")),
                _finds(table["seeded"]["first_line"]),
            ),
        )
        for table in tables
    )


def _rates(measured: dict[str, Any] | None) -> dict[float, Rate]:
    if measured is None:
        return {}
    return {
        row["threshold"]: Rate(
            threshold=row["threshold"],
            bugs=measured["bugs"],
            recall=_interval(row["recall"]),
            precision={int(n): _interval(share) for n, share in row["precision"].items()},
        )
        for row in measured["hindsight"]
    }


def _finds(first_line: dict[str, list[float | None]]) -> bool:
    own = _interval(first_line["hindsight"])
    blind = [known[2] for name in _BLIND if (known := _interval(first_line[name]))]
    return own is not None and own[1] > max(blind, default=0.0)


def _interval(values: list[float | None]) -> Interval | None:
    value, low, high = values
    return None if value is None or low is None or high is None else (value, low, high)


def _percent(share: Interval | None) -> str:
    if share is None or not share[0]:
        return "none"
    value, low, high = (100 * part for part in share)
    return f"{value:.0f} % ({low:.0f} to {high:.0f})"
