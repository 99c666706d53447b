"""Traces and sessions on disk, through diskcache, as bytes only.

Computed traces may be evicted (size limit, least recently used); what a person made may not, so
the two live in separate caches.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import diskcache

from tokenscope_core.errors import RecordError
from tokenscope_core.trace import Trace

STORE_VARIABLE = "TOKENSCOPE_STORE"
DEFAULT_SIZE_LIMIT = 1024**3


def default_folder() -> Path:
    """Where TOKENSCOPE_STORE says, else the user's cache folder."""
    configured = os.environ.get(STORE_VARIABLE)
    if configured:
        return Path(configured).expanduser()
    cache_home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache_home).expanduser() / "tokenscope"


class _BytesDisk(diskcache.Disk):  # type: ignore[misc]
    """A Disk that neither writes nor reads pickles: a planted one would run code."""

    def put(self, key: Any) -> tuple[Any, bool]:
        if not isinstance(key, str):
            raise TypeError(f"store keys are text, not {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: bool) -> Any:
        if not isinstance(key, str):
            raise RecordError(
                asked="The store's keys were to be listed.",
                found="One was not written by this program.",
                action="Delete the store folder; traces are computed again.",
            )
        return key

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:
        if not isinstance(value, bytes):
            raise TypeError(f"the store holds bytes, not {type(value).__name__}")
        return super().store(value, read, key=key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        blob = None
        if mode in (diskcache.core.MODE_RAW, diskcache.core.MODE_BINARY):
            blob = super().fetch(mode, filename, value, read)
        if not isinstance(blob, bytes):
            raise RecordError(
                asked="A stored record was to be read.",
                found="It was not written by this program.",
                action="Delete it; a trace is computed again.",
            )
        return blob


@contextmanager
def _named_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, diskcache.Timeout, OSError) as error:
        raise RecordError(
            asked=f"The store in {folder} was to be used.",
            found=f"It cannot be ({type(error).__name__}: {error}).",
            action="Check its free space and permissions, or move the folder away; traces are "
            "computed again.",
        ) from error


class Store:
    """Traces by their key, and sessions by a name, in a folder shared by all processes.

    Raises:
        RecordError: here and in every method, where the folder cannot be read or written.
    """

    def __init__(
        self, folder: str | Path | None = None, *, size_limit: int = DEFAULT_SIZE_LIMIT
    ) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()
        with _named_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._traces = diskcache.Cache(
                str(self.folder / "traces"),
                disk=_BytesDisk,
                size_limit=size_limit,
                eviction_policy="least-recently-used",
            )
            self._sessions = diskcache.Cache(
                str(self.folder / "sessions"), disk=_BytesDisk, eviction_policy="none"
            )

    def put(self, trace: Trace) -> str:
        """Keep a trace; returns its key."""
        with _named_errors(self.folder):
            self._traces.set(trace.key, trace.to_bytes())
        return trace.key

    def get(self, key: str) -> Trace | None:
        """The trace with that key, or None when the store does not hold it.

        Raises:
            RecordError: it is there, but damaged or of an unknown version.
        """
        with _named_errors(self.folder):
            blob = self._traces.get(key)
        return None if blob is None else Trace.from_bytes(blob)

    def __contains__(self, key: str) -> bool:
        """Whether the store holds a trace; asking does not count as using it."""
        with _named_errors(self.folder):
            return key in self._traces

    def delete(self, key: str) -> bool:
        """Forget a trace; False when it was not there."""
        with _named_errors(self.folder):
            return bool(self._traces.delete(key))

    def put_session(self, name: str, blob: bytes) -> None:
        """Keep what a person made; never evicted."""
        with _named_errors(self.folder):
            self._sessions.set(name, blob)

    def get_session(self, name: str) -> bytes | None:
        """What `put_session` kept under that name, or None."""
        with _named_errors(self.folder):
            return cast("bytes | None", self._sessions.get(name))

    def session_names(self) -> list[str]:
        """The names of all sessions, in the order they were first kept.

        Raises:
            RecordError: one was not written by this program.
        """
        with _named_errors(self.folder):
            return list(self._sessions)

    def delete_session(self, name: str) -> bool:
        """Forget a session; False when it was not there."""
        with _named_errors(self.folder):
            return bool(self._sessions.delete(name))

    def close(self) -> None:
        """Release the files."""
        self._traces.close()
        self._sessions.close()
