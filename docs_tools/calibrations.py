"""The tables of how often hindsight is right, from the files that the program reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenscope_core.branches import calibration

_FOLDER = Path(calibration.__file__).parent / "calibrations"
_GROUPS = {"seeded": "bugs put into working functions", "natural": "bugs that people wrote"}
_PREVALENCES = (1, 2, 3, 6, 11, 31)


def calibrations() -> str:
    """A section for every model that was measured."""
    tables = [json.loads(path.read_text("utf-8")) for path in sorted(_FOLDER.glob("*.json"))]
    return "\n\n".join(map(_model, tables))


def _model(table: dict[str, Any]) -> str:
    cost = table["cost"]
    early, thoroughly = (cost[name] / cost["scoring_s"] for name in ("hindsight_s", "thorough_s"))
    whole = ""
    if table["read"] < table["of"]:
        whole = (
            f"It was stopped when {table['read']:,} of {table['of']:,} functions were read: those "
            "of QuixBugs, then others in a random order. "
        )
    parts = [
        f"### {table['model']}",
        f"In {table['dtype']}, `{table['command']}`. {whole}{cost['functions']:,} of them "
        f"were read to the horizon as well: hindsight took {early:.1f} times the CPU time of "
        f"scoring them, without giving up {thoroughly:.1f} times, and the marks were the same in "
        f"{cost['same_marks']:,} of {cost['functions']:,}. On average "
        f"{100 * table['skipped']:.0f} % of the positions were passed over.",
    ]
    parts += [_group(table, name) for name in _GROUPS if name in table]
    return "\n\n".join(parts)


def _group(table: dict[str, Any], name: str) -> str:
    measured = table[name]
    head = (
        f"**{measured['bugs']:,} {_GROUPS[name]}**, and {measured['without_bug']:,} functions "
        f"without one, made from {measured['functions']:,}."
    )
    names = ["marks", "bugs marked", "marks without a bug"]
    names += [f"right, one in {n}" for n in _PREVALENCES]
    rows = [_row(f"≥ {row['threshold']:g} nats", row) for row in measured["hindsight"]]
    rows += [_row(f"*{other}, as many marks*", row) for other, row in measured["others"].items()]
    lines = [f"| {' | '.join(names)} |", f"|---{'|---:' * (len(names) - 1)}|", *rows]
    first = ", ".join(
        f"{signal} {_share(share)}" for signal, share in measured["first_line"].items()
    )
    return "\n".join([head, "", *lines, "", f"The first line is that of the bug: {first}."])


def _row(name: str, row: dict[str, Any]) -> str:
    cells = [name, _share(row["recall"]), _number(row["marks_without_bug"])]
    cells += [_share(row["precision"][str(n)]) for n in _PREVALENCES]
    return f"| {' | '.join(cells)} |"


def _share(values: list[float | None]) -> str:
    value, low, high = values
    if value is None or low is None or high is None:
        return "–"
    return f"{100 * value:.0f} % ({100 * low:.0f}–{100 * high:.0f})"


def _number(values: list[float | None]) -> str:
    value, low, high = values
    if value is None or low is None or high is None:
        return "–"
    return f"{value:.2f} ({low:.2f}–{high:.2f})"
