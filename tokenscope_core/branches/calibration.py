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
_LEAST_RECALL = 0.05
# What knows nothing of the code.
_BLIND = ("random", "line length")

Interval = tuple[float, float, float]
"""A share from 0 to 1, and the ends of its 95 % interval."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often marks from a threshold on, in nats, are right on one kind of bugs.

    `bugs`: how many it was measured on; `recall`: the share of them that is marked; `precision`, by
    n: the share of marks on a line of a bug where one function in n has one; `chance`: that
    share, where every second function has one, for as many marks at random or on the longest lines,
    whichever is more. None where there was no mark.
    """

    threshold: float
    bugs: int
    recall: Interval | None
    precision: Mapping[int, Interval | None]
    chance: float | None

    @property
    def finds(self) -> bool:
        """Whether the marks are anything to go by: they reach one bug in twenty and are right more
        often than blind ones, by the lower ends of the intervals."""
        half = self.precision.get(2)
        if half is None or self.recall is None:
            return False
        return self.recall[1] >= _LEAST_RECALL and half[1] > (self.chance or 0.0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured for one model: rates by threshold, on bugs that were put into working
    functions and on bugs that people wrote. `command` is what measured it."""

    model: str
    dtype: str
    command: str
    seeded: Mapping[float, Rate]
    natural: Mapping[float, Rate]


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
    if not rate.finds:
        return (
            f"This model finds no bugs this way: of {rate.bugs} put into working functions "
            f"{_percent(rate.recall)} were marked, and as many marks on the longest lines or at "
            "random are right about as often."
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
            ),
        )
        for table in tables
    )


def _rates(measured: dict[str, Any] | None) -> dict[float, Rate]:
    if measured is None:
        return {}
    blind = (measured["others"][name]["precision"]["2"] for name in _BLIND)
    chance = max((known[0] for share in blind if (known := _interval(share))), default=None)
    return {
        row["threshold"]: Rate(
            threshold=row["threshold"],
            bugs=measured["bugs"],
            recall=_interval(row["recall"]),
            precision={int(n): _interval(share) for n, share in row["precision"].items()},
            chance=chance,
        )
        for row in measured["hindsight"]
    }


def _interval(values: list[float | None]) -> Interval | None:
    value, low, high = values
    return None if value is None or low is None or high is None else (value, low, high)


def _percent(share: Interval | None) -> str:
    if share is None:
        return "none"
    value, low, high = (100 * part for part in share)
    return f"{value:.0f} % ({low:.0f} to {high:.0f})"
