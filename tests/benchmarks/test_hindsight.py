"""The benchmark of hindsight: bugs that are bugs, and a table counted by hand."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest

from benchmarks.hindsight.running import passes
from benchmarks.hindsight.seeding import KINDS, bugs
from benchmarks.hindsight.table import THRESHOLDS, _group

CODE = '''def pick(values, limit):
    """Keep what is small."""
    kept = []
    for value in values:
        if value < limit and not value == 3:
            kept.append(max(value, limit - 1))
    return kept
'''


def test_every_kind_of_bug_is_one_change_on_its_line() -> None:
    found = list(bugs(CODE))
    assert {bug.kind for bug in found} == set(KINDS)
    before = CODE.splitlines()
    for bug in found:
        ast.parse(bug.text)
        after = bug.text.splitlines()
        changed = [i + 1 for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        assert changed == [bug.line]


def test_a_program_passes_fails_or_takes_too_long() -> None:
    tests = "assert pick([1, 5], 4) == [3]"
    assert passes(CODE, tests)
    assert not passes(CODE.replace("<", ">"), tests)
    assert not passes("import pathlib; pathlib.Path('x').write_bytes(b'0' * 10_000_000)", "")
    assert not passes("x = bytearray(8 * 1024 ** 3)", "")


def row(lines: list[int], marks: dict[int, float], function: str) -> dict[str, Any]:
    figures = {"1": 1.0, "2": 2.0}
    return {
        "source": "humaneval", "function": function, "lines": lines,
        "marks": [[line, value, 0.0] for line, value in marks.items()],
        "signals": {"surprisal": figures, "typicality": figures, "entropy": figures},
        "lines_of_code": {"1": 10, "2": 20},
    }  # fmt: skip


def test_precision_and_recall_are_those_counted_by_hand() -> None:
    rows = [
        row([1], {1: 9.0, 2: 3.0}, "a"),  # found
        row([2], {1: 8.5}, "b"),  # a wrong mark
        row([1], {}, "c"),  # nothing
        row([2], {2: 30.0}, "d"),  # found
        row([], {1: 9.0}, "e"),  # a mark without a bug
        row([], {2: 1.0}, "f"),
    ]
    table = _group(rows)
    at = table["hindsight"][THRESHOLDS.index(8.0)]
    assert (table["bugs"], table["functions"], table["without_bug"]) == (4, 6, 2)
    assert at["recall"][0] == 0.5 and at["marks_without_bug"][0] == 0.5 and at["marks"] == 4
    right, wrong, false = 2 / 4, 1 / 4, 1 / 2
    for n in (1, 2, 31):
        expected = right / (right + wrong + (n - 1) * false)
        assert at["precision"][str(n)][0] == pytest.approx(expected, abs=1e-4)
    low, high = at["recall"][1:]
    assert 0.0 <= low < 0.5 < high <= 1.0
    assert table["first_line"]["hindsight"][0] == 0.5
    assert table["first_line"]["line length"][0] == 0.5
    assert table["others"]["surprisal"]["marks_without_bug"][0] == pytest.approx(
        at["marks_without_bug"][0], abs=0.51
    ), "as many marks, as far as ties allow"
    assert np.isfinite(table["others"]["random"]["recall"][0])
