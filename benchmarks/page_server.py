"""How long the server takes to draw the decode page, without a browser.

`python -m benchmarks.page_server --repeat 12` has the shipped model write traces of about 500
tokens, puts each on the page, selects a token, and steps to the next. `--against FOLDER` does the
same in another checkout, trace by trace in alternating order, so that a busy machine is busy for
both; the ratios are medians over pairs. How often the code is read for a drawing is counted on one
more trace, which is not timed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("first draw", "token selected", "next token", "nothing changed")
# What is counted of a drawing: what it is called here, and the functions that do it.
COUNTED = {"language asked": ("language_of",), "regions computed": ("regions_in",)}
PARSES = "parses begun"


def main() -> None:
    """Print the medians of each step, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=12, help="traces that are drawn")
    parser.add_argument("--tokens", type=int, default=495, help="new tokens of each")
    parser.add_argument("--against", type=Path, help="another checkout, measured in the same run")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        _work()
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TOKENSCOPE_STORE"] = folder
        keys = _written(given.repeat + 2, given.tokens)
        trees = {"here": ROOT, **({"there": given.against} if given.against else {})}
        workers = {name: _Worker(tree.resolve()) for name, tree in trees.items()}
        for name, worker in workers.items():
            print(f"{name}: {json.dumps(worker.ask(keys[0], count=True))}")
            worker.ask(keys[1])
        timed: dict[str, list[dict[str, list[float]]]] = {name: [] for name in workers}
        for number, key in enumerate(keys[2:]):
            for name in list(workers)[:: -1 if number % 2 else 1]:
                timed[name].append(workers[name].ask(key))
        for worker in workers.values():
            worker.close()
    _tell(timed)


def _tell(timed: dict[str, list[dict[str, list[float]]]]) -> None:
    for step in STEPS:
        for name, runs in timed.items():
            cpu, wall = (1000 * statistics.median(run[step][i] for run in runs) for i in (0, 1))
            print(f"{step}, {name}: {cpu:.0f} ms CPU, {wall:.0f} ms, {len(runs)} traces")
        if "there" in timed:
            pairs = list(zip(timed["here"], timed["there"], strict=True))
            cpu, wall = (
                statistics.median(here[step][i] / there[step][i] for here, there in pairs)
                for i in (0, 1)
            )
            print(f"{step}, here / there: {cpu:.2f} CPU, {wall:.2f} wall, {len(pairs)} pairs")


def _written(count: int, tokens: int) -> list[str]:
    """Traces of the shipped model in the store; their keys."""
    import tokenscope_core as ts

    lm, store, seed = ts.load_model(), ts.Store(), 0
    keys: list[str] = []
    while len(keys) < count:
        seed += 1
        sampling = ts.Sampling(temperature=0.8, seed=seed)
        request = ts.Request("def fib(n):\n", tokens, sampling)
        trace = ts.generate(lm, request)
        if trace.finish_reason == "length":
            store.put(trace)
            keys.append(trace.key)
    store.close()
    return keys


class _Worker:
    """The page of one checkout, in a process of its own: asked for one trace after another."""

    def __init__(self, tree: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--worker"], cwd=tree,
            env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, key: str, *, count: bool = False) -> dict[str, Any]:
        """Seconds of CPU and of wall time by step, or how often something was done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([key, count]), file=self._process.stdin, flush=True)
        while not (line := self._process.stdout.readline()).startswith("{"):
            if not line:
                raise RuntimeError("the page's process ended; its messages are above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _work() -> None:
    # The checkout it was started in comes before the one that holds this file.
    sys.path[0] = str(Path.cwd())
    from streamlit.testing.v1 import AppTest

    for line in sys.stdin:
        key, count = json.loads(line)
        app = AppTest.from_file(str(Path.cwd() / "app.py"), default_timeout=600)
        app.query_params["run"] = key
        counts = _counting() if count else None
        found: dict[str, Any] = {}
        for step in STEPS:
            if step == "token selected":
                # The last is the least surprising of those offered, and the most usual.
                [b for b in app.button if (b.key or "").startswith("jump ")][-1].click()
            elif step == "next token":
                next(b for b in app.button if b.key == "next token").click()
            found[step] = _seconds(app.run)
            assert not app.exception, app.exception[0].value
            if counts is not None:
                found[step] = dict(counts)
                counts.clear()
        print(json.dumps(found), flush=True)


def _seconds(run: Callable[[], object]) -> list[float]:
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return [time.process_time() - cpu, time.perf_counter() - wall]


def _counting() -> Counter[str]:
    """Counts from now on, wherever a module of TokenScope calls what is counted."""
    counts: Counter[str] = Counter()
    import importlib
    import pkgutil

    import tokenscope_core.syntax
    import tokenscope_ui

    for package in (tokenscope_core.syntax, tokenscope_ui):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)

    def counted(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            counts[name] += 1
            return function(*args, **kwargs)

        return call

    for module in [m for n, m in sys.modules.items() if n.startswith("tokenscope_")]:
        for what, names in COUNTED.items():
            for name in names:
                if callable(function := getattr(module, name, None)):
                    setattr(module, name, counted(function, what))
        growing = getattr(module, "GrowingText", None)
        if isinstance(growing, type) and growing.__module__ == module.__name__:
            growing.__init__ = counted(growing.__init__, PARSES)  # type: ignore[misc]
    return counts


if __name__ == "__main__":
    main()
