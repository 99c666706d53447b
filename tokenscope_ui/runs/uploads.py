"""Traces that somebody brought: they cannot be computed again, so they are kept with the sessions
that show them, each with a copy of its own, and go when these are deleted.

Their keys are digests of what they say (`from_file`, `interchange`); like any other trace they
open for whoever knows the key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tokenscope_core import RecordError, Trace
from tokenscope_core.sessions.uploads import is_from_file
from tokenscope_ui.server.server import service

_KEY = re.compile(r"[0-9a-f]{64}")


def parts(traces: Iterable[Trace]) -> dict[str, bytes]:
    """Of the traces those that somebody brought, as the store keeps them with a session."""
    return {_place(trace.key): trace.to_bytes() for trace in traces if is_from_file(trace.model)}


def get(key: str) -> Trace | None:
    """The trace of that key, also where its copy among the computed ones was evicted.

    Raises:
        RecordError: it cannot be read.
    """
    if not _KEY.fullmatch(key):
        return None
    store = service().store
    blob = store.get_session(_place(key))
    if blob is None:
        return None
    trace = Trace.from_bytes(blob)
    if trace.key != key or not is_from_file(trace.model):
        raise RecordError(
            asked=f"The imported trace {key[:12]} was to be read.",
            found="What is kept under that name is another one.",
            action="Import the file again.",
        )
    store.put(trace)
    return trace


def _place(key: str) -> str:
    return f"figures/{key}"
