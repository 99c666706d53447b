"""The functions that are measured: with a bug put in, with a bug that people wrote, and without."""

from __future__ import annotations

import ast
import bisect
import colorsys
import difflib
import fnmatch
import fractions
import gzip
import heapq
import inspect
import json
import posixpath
import random
import shlex
import statistics
import string
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from benchmarks.hindsight.running import passes
from benchmarks.hindsight.seeding import KINDS, Bug, bugs

Source = Literal["humaneval", "stdlib", "quixbugs"]
_LIBRARY: tuple[ModuleType, ...] = (
    bisect, colorsys, difflib, fnmatch, fractions, heapq, posixpath, shlex, statistics, string,
    textwrap, random, inspect,
)  # fmt: skip
_LIBRARY_LINES = range(8, 41)


@dataclass(frozen=True, slots=True)
class Case:
    """A function to read: `lines` are those of its bug, from 1, none where it has none; `kind` is
    the bug's, `function` names what it was made of."""

    source: Source
    function: str
    text: str
    lines: tuple[int, ...]
    kind: str


def seeded(human_eval: Path | None, count: int, seed: int) -> Iterator[Case]:
    """Functions with a bug put in, and each of them as it was, `count` bugs: two of three in
    HumanEval's solutions, each failing its tests, where the file is at hand; the others in the
    standard library, untested."""
    draw = random.Random(seed)
    of_tasks = round(count * 2 / 3) if human_eval else 0
    tasks = _lines(human_eval) if human_eval else []
    texts: list[tuple[Source, str, str, str]] = [
        ("humaneval", t["task_id"], t["prompt"] + t["canonical_solution"],
         f"{t['test']}\ncheck({t['entry_point']})")
        for t in tasks
    ]  # fmt: skip
    draw.shuffle(texts)
    yield from _with_bugs(texts, of_tasks, draw)
    library: list[tuple[Source, str, str, str]] = [
        ("stdlib", name, text, "") for name, text in _library()
    ]
    draw.shuffle(library)
    yield from _with_bugs(library, count - of_tasks, draw)


def natural(quixbugs: Path) -> Iterator[Case]:
    """The programs of QuixBugs, each with its bug and without."""
    for row in _lines(quixbugs):
        yield Case("quixbugs", row["name"], row["buggy"], tuple(row["buggy_lines"]), "natural")
        yield Case("quixbugs", row["name"], row["correct"], (), "none")


def _with_bugs(
    texts: Sequence[tuple[Source, str, str, str]], count: int, draw: random.Random
) -> Iterator[Case]:
    """As many bugs, the kinds in turn as far as they go, at most two in a function."""
    made = dict.fromkeys(KINDS, 0)
    for source, name, text, tests in texts:
        left = count - sum(made.values())
        if left <= 0:
            return
        by_kind: dict[str, list[Bug]] = {}
        for bug in bugs(text):
            by_kind.setdefault(bug.kind, []).append(bug)
        found = 0
        for kind in sorted(by_kind, key=lambda kind: made[kind]):
            bug = draw.choice(by_kind[kind])
            if tests and passes(bug.text, tests):
                continue
            made[kind] += 1
            found += 1
            yield Case(source, name, bug.text, (bug.line,), kind)
            if found == min(2, left):
                break
        if found:
            yield Case(source, name, text, (), "none")


def _library() -> Iterator[tuple[str, str]]:
    for module in _LIBRARY:
        source = inspect.getsource(module)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and not node.decorator_list:
                lines = range(node.lineno - 1, node.end_lineno or 0)
                if len(lines) in _LIBRARY_LINES:
                    whole = source.splitlines(keepends=True)[lines.start : lines.stop]
                    yield f"{module.__name__}.{node.name}", textwrap.dedent("".join(whole))


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
