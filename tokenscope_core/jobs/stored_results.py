"""Results of jobs, read from the store and written to it.

A record that cannot be read is deleted and computed again. One that cannot be written is logged for
the operator; those who wait for it get it from memory all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from tokenscope_core.errors import RecordError, StoreUnusableError
from tokenscope_core.jobs.analysis_tasks import Analysis, StoredAnalysis, key_of
from tokenscope_core.record.trace import Trace
from tokenscope_core.store.store import Store

_LOG = logging.getLogger(__name__)
_SHOWN_OF_A_KEY = 8


class StoredResults:
    """Traces and results of analyses in a store. No method raises for a store that fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def traces(self, keys: Iterable[str]) -> tuple[Trace, ...]:
        """The traces with these keys where the store has all of them, else an empty tuple."""
        traces = []
        for key in keys:
            try:
                trace = self._store.get(key)
            except StoreUnusableError:
                return ()
            except RecordError as error:
                _forget(key, error, self._store.delete)
                return ()
            if trace is None:
                return ()
            traces.append(trace)
        return tuple(traces)

    def save(self, trace: Trace) -> None:
        """Write a trace into the store."""
        try:
            self._store.put(trace)
        except RecordError as error:
            _LOG.warning("Not stored: %s", error)

    def result(self, analysis: Analysis) -> Any:
        """The stored result of an analysis; None where there is none."""
        if not isinstance(analysis, StoredAnalysis):
            return None
        key = key_of(analysis)
        try:
            blob = self._store.get_capture(key)
            return None if blob is None else analysis.from_bytes(blob)
        except StoreUnusableError:
            return None
        except RecordError as error:
            _forget(key, error, self._store.delete_capture)
            return None

    def save_result(self, analysis: Analysis, result: Any) -> None:
        """Write the whole result of an analysis into the store."""
        if not isinstance(analysis, StoredAnalysis):
            return
        try:
            self._store.put_capture(key_of(analysis), analysis.to_bytes(result))
        except RecordError as error:
            _LOG.warning("Not stored: %s", error)


def _forget(key: str, damage: RecordError, delete: Callable[[str], object]) -> None:
    _LOG.warning("Computing %s again: %s", key[:_SHOWN_OF_A_KEY], damage)
    try:
        delete(key)
    except RecordError as error:
        _LOG.warning("Not deleted: %s", error)
