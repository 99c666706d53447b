"""The traces of a tree's branches, as far as the store still holds them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from tokenscope_core import RecordError, Session, Trace, tree_frame
from tokenscope_core.caching import cache
from tokenscope_ui.runs import uploads
from tokenscope_ui.server.lru_cache import Remembered
from tokenscope_ui.server.server import service
from tokenscope_ui.trace import code_standing


@cache
def _read() -> Remembered[Trace]:
    """Traces that were read lately, by key, for all visitors together. What a key names never
    changes, so that none of them is ever out of date."""
    return Remembered(service().limits.trace_memory_mb * 10**6)


def at_hand(session: Session) -> dict[str, Trace]:
    """The traces that are stored, by key; what was evicted or is damaged is left out."""
    found = {branch.key: stored(branch.key) for branch in session.branches}
    return {key: trace for key, trace in found.items() if trace is not None}


def stored(key: str) -> Trace | None:
    """A trace of the store; None where it is not there or cannot be read."""
    store = service().store
    try:
        # Asked every time: it may have been evicted since it was read.
        if key not in store and uploads.get(key) is None:
            return None
        trace = _read().get(key) or store.get(key)
    except RecordError:
        return None
    if trace is not None:
        _read().put(key, trace, trace.nbytes)
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
