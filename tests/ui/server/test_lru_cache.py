"""What is remembered for all visitors stays within its bytes."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

import tokenscope_core as ts
from tokenscope_core.settings import Limits
from tokenscope_ui.server.lru_cache import Remembered


def test_what_was_not_used_for_longest_is_forgotten_first() -> None:
    remembered: Remembered[str] = Remembered(300)
    for name in ("a", "b", "c"):
        remembered.put(name, name.upper(), 100)
    assert remembered.get("a") == "A"
    remembered.put("d", "D", 100)
    assert {name: remembered.get(name) for name in "abcd"} == {
        "a": "A",
        "b": None,
        "c": "C",
        "d": "D",
    }


def test_the_same_again_takes_no_more_room() -> None:
    remembered: Remembered[str] = Remembered(300)
    for _ in range(5):
        remembered.put("a", "A", 100)
        remembered.put("b", "B", 200)
    assert (remembered.get("a"), remembered.get("b")) == ("A", "B")


def test_one_that_is_larger_than_the_bound_is_remembered_alone() -> None:
    remembered: Remembered[str] = Remembered(300)
    remembered.put("a", "A", 100)
    remembered.put("large", "LARGE", 1_000)
    assert (remembered.get("a"), remembered.get("large")) == (None, "LARGE")
    remembered.put("b", "B", 100)
    assert (remembered.get("large"), remembered.get("b")) == (None, "B")


@pytest.mark.parametrize("tokens", [30, 120])
def test_a_trace_knows_about_what_it_takes(lm: ts.LanguageModel, tokens: int) -> None:
    request = ts.Request(
        "def f(x):\n", max_new_tokens=tokens, sampling=ts.Sampling(temperature=1.0, seed=1)
    )
    blob = ts.generate(lm, request).to_bytes()
    ts.Trace.from_bytes(blob)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        trace = ts.Trace.from_bytes(blob)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.7 * taken < trace.nbytes < 1.5 * taken


def test_an_operator_bounds_the_traces_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENSCOPE_TRACE_MEMORY_MB", "5")
    assert Limits.from_environment() == Limits(trace_memory_mb=5)
