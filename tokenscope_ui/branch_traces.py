"""The traces of a tree's branches, as far as the store still holds them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

import pandas as pd

from tokenscope_core import RecordError, Session, Trace, tree_frame
from tokenscope_ui import code_standing, imported
from tokenscope_ui.server import service

# Some 3 kB a token with 20 candidates, so about 150 MB for all visitors together.
_MOST_TOKENS = 50_000


class _Read:
    """Traces that were read lately, by key. What a key names never changes, so that none of them
    is ever out of date. Safe to use from several threads."""

    def __init__(self) -> None:
        self._traces: OrderedDict[str, Trace] = OrderedDict()
        self._tokens = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> Trace | None:
        with self._lock:
            if key in self._traces:
                self._traces.move_to_end(key)
            return self._traces.get(key)

    def put(self, trace: Trace) -> None:
        with self._lock:
            if trace.key not in self._traces:
                self._traces[trace.key] = trace
                self._tokens += len(trace)
            while self._tokens > _MOST_TOKENS:
                self._tokens -= len(self._traces.popitem(last=False)[1])


_read = _Read()


def at_hand(session: Session) -> dict[str, Trace]:
    """The traces that are stored, by key; what was evicted or is damaged is left out."""
    found = {branch.key: stored(branch.key) for branch in session.branches}
    return {key: trace for key, trace in found.items() if trace is not None}


def stored(key: str) -> Trace | None:
    """A trace of the store; None where it is not there or cannot be read."""
    store = service().store
    try:
        # Asked every time: it may have been evicted since it was read.
        if key not in store and imported.get(key) is None:
            return None
        trace = _read.get(key) or store.get(key)
    except RecordError:
        return None
    if trace is not None:
        _read.put(trace)
    return trace


def figures(session: Session, traces: Mapping[str, Trace]) -> pd.DataFrame:
    """`tree_frame`, indexed by key, with `order` (made as the how manyth, from 1) and
    `standing` (missing where the trace is, or where it holds no code)."""
    frame = tree_frame(session, traces)
    order = {branch.key: number for number, branch in enumerate(session.branches, 1)}
    frame["order"] = frame["key"].map(order)
    frame["standing"] = pd.Series(
        [code_standing.at_end(traces[key]) if key in traces else None for key in frame["key"]],
        dtype="str",
    )
    return frame.set_index("key", drop=False)
