"""Answering from the store, in a process that has imported nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from tokenscope_core import LanguageModel, Request, Store, generate

_PROGRAM = """
import json, statistics, sys, time
began = time.perf_counter()
from tokenscope_core import Store
opened = time.perf_counter()
store = Store(sys.argv[1])
times, cpu_times = [], []
for _ in range(200):
    start, cpu = time.perf_counter(), time.process_time()
    trace = store.get(sys.argv[2])
    times.append(1000 * (time.perf_counter() - start))
    cpu_times.append(1000 * (time.process_time() - cpu))
assert trace is not None and trace.text
print(json.dumps({
    "import_ms": 1000 * (opened - began),
    "first_ms": times[0],
    "median_ms": statistics.median(times),
    "cpu_ms": statistics.median(cpu_times),
    "heavy": sorted({"torch", "transformers"} & set(sys.modules)),
}))
"""


@dataclass(frozen=True, slots=True)
class CacheHit:
    """Size as stored; milliseconds: importing the library, the first and the median answer, and the
    latter's CPU time; `heavy` names what was imported that an answer must not need."""

    tokens: int
    stored_bytes: int
    import_ms: float
    first_ms: float
    median_ms: float
    cpu_ms: float
    heavy: tuple[str, ...]


def cache_hit(lm: LanguageModel, *, new_tokens: int) -> CacheHit:
    """Store a run, then ask for it in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        trace = generate(lm, Request("def f(x):\n", max_new_tokens=new_tokens))
        key = store.put(trace)
        store.close()
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, folder, key],
            check=True,
            capture_output=True,
            text=True,
        )
    found = json.loads(done.stdout)
    return CacheHit(len(trace), len(trace.to_bytes()), **{**found, "heavy": tuple(found["heavy"])})
