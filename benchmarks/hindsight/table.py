"""From what was read of single functions to a table: precision and recall, with intervals.

A mark is right where it is on a line of the bug. At most three of a function are made, the clearest
ones, one a line. Precision where one function in n has a bug is R / (R + W + (n - 1) F), with R
right and W wrong marks for each function with a bug and F marks for each without. Intervals are
95 % of 1,000 bootstrap samples of functions, a function and its versions together. Other signals
make as many marks in functions without a bug as hindsight does.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenscope_core import LanguageModel
from tokenscope_core.branches.hindsight import DEFAULT_GIVE_UP, DEFAULT_HORIZON, DEFAULT_TOP
from tokenscope_core.branches.marks import DEFAULT_THRESHOLD, PER_FUNCTION

THRESHOLDS = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0)
ONE_IN = (1, 2, 3, 6, 11, 31)
_SAMPLES, _INTERVAL = 1_000, (2.5, 97.5)
_NATURAL = "quixbugs"

Row = dict[str, Any]
Floats = NDArray[np.float64]
# The marks of a function, (line, value), for every value that a signal has there.
Marker = Callable[[Row], list[tuple[int, float]]]


def table_of(
    rows: Sequence[Row], lm: LanguageModel, given: Namespace, *, of: int
) -> dict[str, Any]:
    """The calibration of a model by what was read of so many functions, as plain JSON values;
    figures as [value, low, high]."""
    names = {lm.files.fingerprint_in(dtype) for dtype in ("float32", "bfloat16", "float16")}
    groups = {
        "seeded": [row for row in rows if row["source"] != _NATURAL],
        "natural": [row for row in rows if row["source"] == _NATURAL],
    }
    return {
        "version": 1,
        "model": lm.identity.name,
        "fingerprints": sorted(name for name in names if name),
        "dtype": given.dtype,
        "command": _command(given),
        "read": len(rows),
        "of": of,
        "top": DEFAULT_TOP,
        "horizon": DEFAULT_HORIZON,
        "give_up": DEFAULT_GIVE_UP,
        "per_function": PER_FUNCTION,
        "threshold": DEFAULT_THRESHOLD,
        "skipped": float(np.mean([row["skipped"] for row in rows])),
        "cost": _cost(rows),
        **{name: _group(some) for name, some in groups.items() if some},
    }


def write_table(path: Path, table: dict[str, Any]) -> None:
    """As JSON that a person can read."""
    path.write_text(json.dumps(table, indent=1) + "\n")


def _command(given: Namespace) -> str:
    return (
        f"python -m benchmarks.hindsight --dtype {given.dtype} --seeded {given.seeded} "
        f"--thorough {given.thorough}" + (" --model FOLDER" if given.model else "")
    )


def _cost(rows: Sequence[Row]) -> dict[str, Any]:
    both = [row for row in rows if "thorough" in row]
    return {
        "functions": len(both),
        "scoring_s": sum(row["scoring_s"] for row in both),
        "hindsight_s": sum(row["hindsight_s"] for row in both),
        "thorough_s": sum(row["thorough"]["hindsight_s"] for row in both),
        "tokens": sum(row["tokens"] for row in both),
        "tokens_read": sum(row["read"] for row in both),
        "tokens_read_thoroughly": sum(row["thorough"]["read"] for row in both),
        "same_marks": sum(
            _above(row["marks"], DEFAULT_THRESHOLD)
            == _above(row["thorough"]["marks"], DEFAULT_THRESHOLD)
            for row in both
        ),
    }


def _above(marks: Sequence[Sequence[float]], threshold: float) -> list[int]:
    return [int(line) for line, value, _choice in marks if value >= threshold][:PER_FUNCTION]


def _group(rows: Sequence[Row]) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    functions = sorted({row["function"] for row in rows})
    of = np.array([functions.index(row["function"]) for row in rows])
    samples = draw.multinomial(
        len(functions), np.full(len(functions), 1 / len(functions)), _SAMPLES
    )
    weights: Floats = np.vstack((np.ones(len(rows)), samples[:, of]))
    buggy = np.array([bool(row["lines"]) for row in rows])
    hindsight = [_counts(rows, _hindsight, threshold) for threshold in THRESHOLDS]
    random = np.random.default_rng(1)
    others: dict[str, Marker] = {
        "surprisal": lambda row: _lines(row["signals"]["surprisal"]),
        "typicality": lambda row: _lines(row["signals"]["typicality"]),
        "entropy": lambda row: _lines(row["signals"]["entropy"]),
        "line length": lambda row: _lines(row["lines_of_code"]),
        "random": lambda row: [(int(line), random.random()) for line in row["lines_of_code"]],
    }
    at = THRESHOLDS.index(DEFAULT_THRESHOLD)
    return {
        "bugs": int(buggy.sum()),
        "functions": len(functions),
        "without_bug": int((~buggy).sum()),
        "hindsight": [
            {"threshold": threshold, **_figures(counts, weights, buggy)}
            for threshold, counts in zip(THRESHOLDS, hindsight, strict=True)
        ],
        "others": {
            name: _figures(_as_many(rows, mark, hindsight[at], buggy), weights, buggy)
            for name, mark in others.items()
        },
        "first_line": {
            name: _first(rows, mark, weights, buggy)
            for name, mark in {"hindsight": _hindsight, **others}.items()
        },
    }


def _hindsight(row: Row) -> list[tuple[int, float]]:
    best: dict[int, float] = {}
    for line, value, _choice in row["marks"]:
        best[int(line)] = max(best.get(int(line), -np.inf), value)
    return list(best.items())


def _lines(values: dict[str, float]) -> list[tuple[int, float]]:
    return [(int(line), value) for line, value in values.items()]


def _counts(rows: Sequence[Row], mark: Marker, threshold: float) -> Floats:
    """Right marks, wrong marks and whether the bug is found, of each function: [rows, 3]."""
    found = []
    for row in rows:
        best = sorted(mark(row), key=lambda pair: -pair[1])[:PER_FUNCTION]
        lines = [line for line, value in best if value >= threshold]
        right = sum(line in row["lines"] for line in lines)
        found.append((right, len(lines) - right, right > 0))
    return np.array(found, dtype=np.float64)


def _as_many(rows: Sequence[Row], mark: Marker, like: Floats, buggy: NDArray[np.bool_]) -> Floats:
    """The counts at the threshold that gives as many marks in functions without a bug."""
    wanted = int(like[~buggy, 1].sum())
    values = sorted(
        (
            value
            for row, has in zip(rows, buggy, strict=True)
            if not has
            for _line, value in sorted(mark(row), key=lambda pair: -pair[1])[:PER_FUNCTION]
        ),
        reverse=True,
    )
    threshold = values[wanted - 1] if 0 < wanted <= len(values) else np.inf
    return _counts(rows, mark, threshold)


def _figures(counts: Floats, weights: Floats, buggy: NDArray[np.bool_]) -> dict[str, Any]:
    with np.errstate(invalid="ignore", divide="ignore"):
        with_bug, without = weights[:, buggy], weights[:, ~buggy]
        right, wrong, found = (with_bug @ counts[buggy] / with_bug.sum(axis=1, keepdims=True)).T
        false = without @ counts[~buggy, 1] / without.sum(axis=1)
        return {
            "recall": _interval(found),
            "marks_without_bug": _interval(false),
            "marks": int(counts[:, :2].sum()),
            "precision": {
                str(n): _interval(right / (right + wrong + (n - 1) * false)) for n in ONE_IN
            },
        }


def _first(
    rows: Sequence[Row], mark: Marker, weights: Floats, buggy: NDArray[np.bool_]
) -> list[float | None]:
    """How often the line with the largest value is that of the bug; without a value, it is not."""
    right = []
    for row in rows:
        line, _ = max(mark(row), key=lambda pair: pair[1], default=(0, 0.0))
        right.append(line in row["lines"])
    with_bug = weights[:, buggy]
    return _interval(with_bug @ np.array(right)[buggy] / with_bug.sum(axis=1))


def _interval(values: Floats) -> list[float | None]:
    """The figure itself, which comes first, and its interval; None where there is none: no mark."""
    known = values[1:][~np.isnan(values[1:])]
    low, high = np.percentile(known, _INTERVAL) if len(known) else (np.nan, np.nan)
    return [None if np.isnan(x) else round(float(x), 4) for x in (values[0], low, high)]


def main() -> None:
    """Print the table of a file of results, by hand: `python -m benchmarks.hindsight.table`."""
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    groups = {name: [r for r in rows if (r["source"] == _NATURAL) == (name == "natural")]
              for name in ("seeded", "natural")}  # fmt: skip
    print(json.dumps({"cost": _cost(rows), **{n: _group(g) for n, g in groups.items()}}, indent=1))


if __name__ == "__main__":
    main()
