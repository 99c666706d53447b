"""The traces of a tree's branches, as far as the store still holds them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import pandas as pd

from tokenscope_core import RecordError, Session, Trace, tree_frame
from tokenscope_ui.branch_syntax import parses
from tokenscope_ui.server import service


def at_hand(session: Session) -> dict[str, Trace]:
    """The traces that are stored, by key; what was evicted or is damaged is left out."""
    found = {branch.key: stored(branch.key) for branch in session.branches}
    return {key: trace for key, trace in found.items() if trace is not None}


def stored(key: str) -> Trace | None:
    """A trace of the store; None where it is not there or cannot be read."""
    try:
        # Asked of the store every time: it may have been evicted since it was read.
        return _read(key) if key in service().store else None
    except (RecordError, LookupError):
        return None


# A trace is named by its content, so what was read once stays right.
@lru_cache(maxsize=256)
def _read(key: str) -> Trace:
    trace = service().store.get(key)
    if trace is None:
        raise LookupError(key)
    return trace


def figures(session: Session, traces: Mapping[str, Trace]) -> pd.DataFrame:
    """`tree_frame`, indexed by key, with `order` (made as the how manyth, from 1) and `parses`
    (missing where the trace is)."""
    frame = tree_frame(session, traces)
    order = {branch.key: number for number, branch in enumerate(session.branches, 1)}
    frame["order"] = frame["key"].map(order)
    frame["parses"] = pd.Series(
        [parses(traces[key].text_bytes) if key in traces else None for key in frame["key"]],
        dtype="str",
    )
    return frame.set_index("key", drop=False)
