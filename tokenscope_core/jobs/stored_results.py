"""What the store has of what is asked for, and what is worth keeping of what was computed.

A record that cannot be read is computed again, and one that cannot be written is not lost to those
who wait for it: the log tells the operator.
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


class Answers:
    """Answers from a store, and answers for it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def traces(self, keys: Iterable[str]) -> tuple[Trace, ...]:
        """The traces of these keys where the store holds them all, else none."""
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

    def keep(self, trace: Trace) -> None:
        """Put a trace into the store."""
        try:
            self._store.put(trace)
        except RecordError as error:
            _LOG.warning("Not kept: %s", error)

    def result(self, analysis: Analysis) -> Any:
        """What an analysis found before; None where the store has nothing of it."""
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

    def keep_result(self, analysis: Analysis, result: Any) -> None:
        """Put the whole result of an analysis into the store."""
        if not isinstance(analysis, StoredAnalysis):
            return
        try:
            self._store.put_capture(key_of(analysis), analysis.to_bytes(result))
        except RecordError as error:
            _LOG.warning("Not kept: %s", error)


def _forget(key: str, damage: RecordError, delete: Callable[[str], object]) -> None:
    _LOG.warning("Computing %s again: %s", key[:_SHOWN_OF_A_KEY], damage)
    try:
        delete(key)
    except RecordError as error:
        _LOG.warning("Not deleted: %s", error)
