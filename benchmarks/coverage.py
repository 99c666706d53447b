"""How often the intervals of means hold the mean, on a model's own figures.

`python -m benchmarks.coverage` scores real code, then draws statements and whole texts from it
anew, thousands of times, and counts how often the interval of `aggregate` holds the mean of all
that was drawn from. Texts are the functions of Python's standard library, or the solutions of a
file like HumanEval's (`--texts HumanEval.jsonl.gz`: `prompt`, which does not count, and
`canonical_solution`). `--model` takes what `load_model` does.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import tokenscope_core as ts
from tokenscope_core.errors import ContextLengthError
from tokenscope_core.record.arrays import Floats
from tokenscope_core.syntax.folding.frames import Syntax, analyse
from tokenscope_core.syntax.folding.intervals import Unit, interval_of_mean, moments_of_groups
from tokenscope_core.syntax.folding.shares import shares

LIBRARY = Path(ast.__file__).parent
METRICS = ("surprisal", "entropy")
EVERYTHING = "all tokens"
STATEMENTS = (5, 10, 20, 30, 50, 100, 300)
FEW_TEXTS, MANY_TEXTS = tuple(range(4, 10)), (10, 20, 30, 50, 100, 300)
# How many parts, the most frequent ones.
COMMON = 6
# Parts with fewer units than this are too few to draw from.
LEAST_POOL = 100
_LENGTH = (200, 1_500)


@dataclass(frozen=True, slots=True)
class Text:
    """A text as a program; what lies before a byte does not count."""

    syntax: Syntax
    begin: int


@dataclass(frozen=True, slots=True)
class Pool:
    """What is drawn from: of each unit its weight and its weighted sum, float64 [U]."""

    weight: Floats
    total: Floats

    @property
    def mean(self) -> float:
        """Of everything in it."""
        return float(self.total.sum() / self.weight.sum())


@dataclass(frozen=True, slots=True)
class Coverage:
    """In which share of draws the interval held the mean, lay above it, below it; of those that
    have one."""

    held: float
    above: float
    below: float
    given: float

    def __str__(self) -> str:
        if self.given < 0.5:
            return "none"
        return f"{self.held:.3f} ({self.above:.3f}, {self.below:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=None, help="the shipped one where it is not named")
    parser.add_argument("--texts", type=Path, default=None, help="a file like HumanEval's")
    parser.add_argument("--count", type=int, default=164, help="texts at most (164)")
    parser.add_argument("--draws", type=int, default=4_000, help="of each kind (4,000)")
    options = parser.parse_args()
    lm = ts.load_model(options.model) if options.model else ts.load_model()
    texts = list(_scored(lm, options.texts, options.count))
    print(f"{lm.identity.name}, {len(texts)} texts, {options.draws:,} draws of each kind")
    for metric in METRICS:
        rows = _rows(texts, metric)
        print(f"\n95 % intervals of mean {metric}: held (lay above, below)\n")
        _table(rows, "statement", STATEMENTS, options.draws)
        print()
        _table(rows, "text", (*FEW_TEXTS, *MANY_TEXTS), options.draws)
        print(f"\nof one text, taken for the mean of all: {_of_one_text(rows)}")


def _scored(lm: ts.LanguageModel, path: Path | None, count: int) -> Iterator[Text]:
    given = _functions() if path is None else _solutions(path)
    for prompt, code in list(given)[:count]:
        try:
            trace = ts.score(lm, prompt + code)
        except ContextLengthError:
            continue
        yield Text(analyse(trace, "python"), len(prompt.encode()))


def _functions() -> list[tuple[str, str]]:
    """Functions of the standard library of a length that models write, in an order of chance."""
    found = []
    for path in sorted(LIBRARY.glob("*.py")):
        source = path.read_text("utf-8")
        for node in ast.parse(source).body:
            code = ast.get_source_segment(source, node) or ""
            if isinstance(node, ast.FunctionDef) and _LENGTH[0] <= len(code) <= _LENGTH[1]:
                found.append(("", code + "\n"))
    order = np.random.default_rng(0).permutation(len(found))
    return [found[i] for i in order]


def _solutions(path: Path) -> list[tuple[str, str]]:
    data = path.read_bytes()
    lines = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8").splitlines()
    tasks = [json.loads(line) for line in lines]
    return [(task["prompt"], task["canonical_solution"]) for task in tasks]


def _rows(texts: list[Text], metric: str) -> pd.DataFrame:
    """The tokens behind the aggregates by category, of all texts together: see `shares`."""
    table = shares([text.syntax for text in texts], "category", metric, "all").dropna()
    places = table.groupby("trace")["position"]
    kept = [
        texts[int(str(number))].syntax.trace.byte_start[at] >= texts[int(str(number))].begin
        for number, at in places
    ]
    return table[np.concatenate(kept)]


def pool_of(rows: pd.DataFrame, part: str, unit: Unit) -> Pool:
    """The units of a part, from rows of `shares`."""
    chosen = rows if part == EVERYTHING else rows[rows["part"] == part]
    sums = chosen.assign(total=chosen["weight"] * chosen["value"]).groupby(
        "statement" if unit == "statement" else "trace"
    )[["weight", "total"]].sum()  # fmt: skip
    return Pool(sums["weight"].to_numpy(np.float64), sums["total"].to_numpy(np.float64))


def coverage(pool: Pool, unit: Unit, count: int, draws: int, seed: int = 0) -> Coverage:
    """Draw so many units, with replacement, so often, and hold the intervals against the mean."""
    chosen = np.random.default_rng(seed).integers(0, len(pool.weight), (draws, count))
    weight, total = pool.weight[chosen].ravel(), pool.total[chosen].ravel()
    moments = moments_of_groups(
        np.repeat(np.arange(draws), count), draws, np.tile(np.arange(count), draws),
        total / weight, weight,
    )  # fmt: skip
    low, high = interval_of_mean(moments, unit, 0.95)
    given = ~np.isnan(low)
    low, high, mean = low[given], high[given], pool.mean
    if not len(low):
        return Coverage(np.nan, np.nan, np.nan, 0.0)
    return Coverage(
        held=float(((low <= mean) & (mean <= high)).mean()),
        above=float((low > mean).mean()),
        below=float((high < mean).mean()),
        given=float(given.mean()),
    )


def _table(rows: pd.DataFrame, unit: Unit, counts: tuple[int, ...], draws: int) -> None:
    common = rows["part"].value_counts().index.tolist()[:COMMON]
    pools = {part: pool_of(rows, part, unit) for part in (EVERYTHING, *common)}
    pools = {part: pool for part, pool in pools.items() if len(pool.weight) >= LEAST_POOL}
    tokens = {part: pool.weight.sum() / len(pool.weight) for part, pool in pools.items()}
    heads = [f"{part}, {tokens[part]:.1f} a {unit}" for part in pools]
    print(f"| {unit}s | " + " | ".join(heads) + " |\n|" + " --- |" * (1 + len(heads)))
    for count in counts:
        cells = [str(coverage(pool, unit, count, draws)) for pool in pools.values()]
        print(f"| {count} | " + " | ".join(cells) + " |")


def _of_one_text(rows: pd.DataFrame) -> Coverage:
    """How often the interval over one text's statements holds the mean of all texts."""
    mean = pool_of(rows, EVERYTHING, "text").mean
    _, text = np.unique(rows["trace"], return_inverse=True)
    moments = moments_of_groups(
        text, int(text.max()) + 1, rows["statement"].to_numpy(np.int64),
        rows["value"].to_numpy(np.float64), rows["weight"].to_numpy(np.float64),
    )  # fmt: skip
    low, high = interval_of_mean(moments, "statement", 0.95)
    given = ~np.isnan(low)
    low, high = low[given], high[given]
    held = (low <= mean) & (mean <= high)
    return Coverage(held.mean(), (low > mean).mean(), (high < mean).mean(), 1.0)


if __name__ == "__main__":
    main()
