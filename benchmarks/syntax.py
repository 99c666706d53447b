"""What reading syntax costs, and how right it is about unfinished code.

`python -m benchmarks.syntax` prints the times for 1k, 2k, 4k and 16k tokens of a Python program;
`python -m benchmarks.syntax --judge` holds the judge of unfinished code against CPython. No model
and no torch: the program is the standard library's, the metric made up.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tree_sitter import Parser

from benchmarks.paired import compare
from tokenscope_core import (
    ModelIdentity,
    Request,
    Trace,
    aggregate,
    icicle_frame,
    syntax_frame,
)
from tokenscope_core.record.metric_registry import STORED
from tokenscope_core.record.vocabulary import Vocabulary
from tokenscope_core.syntax.folding.frames import analyse
from tokenscope_core.syntax.grammar.languages import grammar
from tokenscope_core.syntax.judging.scopes import scopes_of
from tokenscope_core.syntax.judging.structure import name_marks
from tokenscope_core.syntax.judging.validity import breaking_pieces, validity
from tokenscope_core.syntax.unfinished.completion import completed
from tokenscope_core.syntax.unfinished.prefixes import GrowingText

LIBRARY = Path(ast.__file__).parent
SIZES = (1_000, 2_000, 4_000, 16_000)
CORPUS = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judge", action="store_true", help="accuracy instead of times")
    parser.add_argument("--texts", type=int, default=150, help="texts to judge (150)")
    options = parser.parse_args()
    if options.judge:
        _judge(options.texts)
    else:
        _times()


def words(text: bytes) -> list[bytes]:
    """Tokens as a byte-level BPE makes them."""
    return re.findall(rb" ?[\w\x80-\xff]+|\s+|[^\w\s\x80-\xff]", text)


def trace_of(tokens: Sequence[bytes]) -> Trace:
    """A trace of those tokens with random metrics."""
    table = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    size = len(tokens)
    values = np.random.default_rng(0)
    return Trace(
        request=Request(""),
        model=ModelIdentity("none", "", 1),
        vocabulary=Vocabulary({number: token for token, number in table.items()}),
        prompt_length=0,
        finish_reason="length",
        token_ids=np.array([table[token] for token in tokens], dtype=np.int64),
        source=np.full(size, "sampled"),
        metrics={name: values.gamma(1.0, 1.0, size) for name in STORED},
        candidate_ids=np.zeros((size, 1), dtype=np.int64),
        candidate_logprobs=np.full((size, 1), -1.0),
        candidate_kept=np.ones((size, 1), dtype=np.int8),
    )


def _times() -> None:
    tokens = words((LIBRARY / "argparse.py").read_bytes())
    print("CPU milliseconds (and nanoseconds a token, which stay level where time is linear)")
    _row("tokens", "align + 4 levels", "over a bare parse", "one row a token", "aggregate",
         "icicle", "growing, a token", "99 % within", "over a parse each", "validity",
         "10 candidates", "names", "scopes")  # fmt: skip
    for size in SIZES:
        trace = trace_of(tokens[:size])
        syntax = analyse(trace, "python")
        python = grammar("python")

        def bare(text: bytes = trace.text_bytes) -> object:
            return Parser(python.language).parse(text)  # noqa: B023

        reading = compare(bare, lambda t=trace: analyse(t, "python"), pairs=7)  # type: ignore[misc]
        growing = _growing(tokens[:size])
        each = reading.baseline_cpu_ms  # of the whole text: a parse each costs half of it
        _row(
            f"{size:,}",
            _with_rate(reading.candidate_cpu_ms, size),
            f"{reading.cpu_ratio:.1f}",
            _with_rate(_median_ms(lambda s=syntax: syntax_frame(s)), size),  # type: ignore[misc]
            _with_rate(_median_ms(lambda s=syntax: aggregate(s)), size),  # type: ignore[misc]
            _with_rate(_median_ms(lambda s=syntax: icicle_frame(s), runs=3), size),  # type: ignore[misc]
            f"{statistics.mean(growing):.3f}",
            f"{np.quantile(growing, 0.99):.2f}",
            f"{statistics.mean(growing) / (each / 2):.3f}",
            *(f"{ms:.1f}" for ms in _reading_times(trace)),
        )
    parts = [tokens[start : start + 2_000] for start in range(0, 20_000, 2_000)]
    corpus = [analyse(trace_of(part), "python") for part in parts] * (CORPUS // 20_000)
    traces = [syntax.trace for syntax in corpus]
    print(f"\naggregate over {sum(map(len, traces)):,} tokens: ", end="")
    print(f"{_median_ms(lambda: aggregate(corpus), runs=3):.0f} ms analysed, ", end="")
    whole = _median_ms(lambda: aggregate(traces, language="python"), runs=3)
    print(f"{whole:.0f} ms with the parsing")


def _reading_times(trace: Trace) -> list[float]:
    """Milliseconds for what a page shows of a trace: the verdict of every position, a click's
    candidates, the marks of names and the scopes at the end. Nothing is remembered in between."""
    last = len(trace) - 1
    chosen = np.random.default_rng(0).choice(trace.token_ids, 10)
    pieces = [trace.vocabulary.token_bytes[int(token_id)] for token_id in chosen]

    def names() -> object:
        name_marks.cache_clear()
        completed.cache_clear()
        return name_marks(trace.text_bytes)

    def scopes() -> object:
        completed.cache_clear()
        return scopes_of(trace, last, "python")

    return [
        _median_ms(lambda: validity(trace, "python")),
        _median_ms(lambda: breaking_pieces(trace, last, pieces, "python")),
        _median_ms(names),
        _median_ms(scopes),
    ]


def _growing(tokens: Sequence[bytes]) -> list[float]:
    """CPU milliseconds for each token of a text that grows."""
    text = GrowingText(grammar("python"))
    taken = []
    for token in tokens:
        began = time.thread_time()
        text.feed(token)
        taken.append(1000 * (time.thread_time() - began))
    return taken


def _judge(texts: int) -> None:
    warnings.simplefilter("ignore", SyntaxWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    chance = random.Random(0)
    sources = [_excerpt(path, chance) for path in sorted(LIBRARY.glob("*.py"))[:texts]]
    sources = [source for source in sources if source and _compiles(source)]
    prefixes = alarms = 0
    for source in sources:
        text = GrowingText(grammar("python"))
        for piece in _cut_anywhere(source, chance):
            prefixes += 1
            if not text.feed(piece):
                alarms += 1
                break
    print(f"Python {sys.version.split()[0]}, {len(sources)} excerpts of its standard library")
    print(f"valid code, cut anywhere: {prefixes:,} prefixes, {alarms} called broken")
    refused = found = near = wrong = accepted = 0
    for source in sources:
        tokens = words(source)
        at, changed = _mutated(tokens, chance)
        broke = _first_break(changed)
        if _compiles(b"".join(changed)):
            accepted += 1
            wrong += broke is not None
        else:
            refused += 1
            found += broke is not None
            near += broke is not None and broke - at <= 1
    print(f"one token changed: CPython takes {accepted}, of which {wrong} called broken; ", end="")
    print(f"it refuses {refused}, of which {found} found, {near} at the token or the next")


def _excerpt(path: Path, chance: random.Random) -> bytes:
    """Whole top-level statements of a module, about 3 kB from anywhere in it."""
    text = path.read_bytes()
    tree = ast.parse(text)
    lines = text.splitlines(keepends=True)
    if not tree.body:
        return b""
    first = chance.randrange(len(tree.body))
    start = tree.body[first].lineno - 1
    ends = [node.end_lineno or 0 for node in tree.body[first:]]
    end = next((e for e in ends if len(b"".join(lines[start:e])) > 3_000), ends[-1])
    return b"".join(lines[start:end])[:12_000]


def _cut_anywhere(text: bytes, chance: random.Random) -> list[bytes]:
    pieces, at = [], 0
    while at < len(text):
        width = chance.choice([1, 1, 2, 3, 4, 6])
        pieces.append(text[at : at + width])
        at += width
    return pieces


def _mutated(tokens: list[bytes], chance: random.Random) -> tuple[int, list[bytes]]:
    """One token left out, put in, exchanged or swapped with the next."""
    at = chance.randrange(len(tokens) - 1)
    before, here, after = tokens[:at], tokens[at], tokens[at + 1 :]
    other = chance.choice(tokens)
    return at, chance.choice(
        [
            [*before, *after],
            [*before, other, here, *after],
            [*before, other, *after],
            [*before, after[0], here, *after[1:]],
        ]
    )


def _first_break(tokens: Sequence[bytes]) -> int | None:
    text = GrowingText(grammar("python"))
    return next((i for i, token in enumerate(tokens) if not text.feed(token)), None)


def _compiles(text: bytes) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _median_ms(run: Callable[[], object], *, runs: int = 5) -> float:
    run()
    taken = []
    for _ in range(runs):
        began = time.process_time()
        run()
        taken.append(1000 * (time.process_time() - began))
    return statistics.median(taken)


def _with_rate(ms: float, tokens: int) -> str:
    return f"{ms:.1f} ({1e6 * ms / tokens:,.0f})"


def _row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
