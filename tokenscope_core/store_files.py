"""The store's files: diskcache without pickle, and what is done where one is damaged."""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import diskcache

from tokenscope_core.errors import RecordError

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_OPENING_WAITS_S = 60.0
# Of 4 kB each. Every connection has as many to itself, beside what all share of the mapped file.
_PAGES_PER_CONNECTION = 1024


class _Closable(Protocol):
    def close(self) -> None: ...


_Files = TypeVar("_Files", bound=_Closable)
_Result = TypeVar("_Result")


class OneThread(Generic[_Files]):
    """Files that are opened, used and closed in one thread of their own, which others wait for.

    diskcache opens a database once more in every thread that uses it, with memory and three files,
    and those of a thread that has ended are given back only when Python next collects its oldest
    garbage. The visitors of a server come in ever new threads.
    """

    def __init__(self, name: str, opened: Callable[[], _Files]) -> None:
        self._name, self._opened = name, opened
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"tokenscope-{self._name}")
        self._files = self._thread.submit(self._opened).result()
        self._process = os.getpid()

    def do(self, work: Callable[[_Files], _Result]) -> _Result:
        """What `work` returns or raises for the files."""
        if self._process != os.getpid() and not self._closed:
            # A forked process has no thread but its own, and SQLite's files are not to be shared:
            # https://www.sqlite.org/howtocorrupt.html section 2.6.
            self._begin()
        return self._thread.submit(work, self._files).result()

    def close(self) -> None:
        """Close them once what was begun is done; they cannot be used again. Once is enough."""
        if not self._closed:
            self.do(lambda files: files.close())
            self._closed = True
            self._thread.shutdown()


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


def open_cache(folder: Path, **settings: Any) -> tuple[diskcache.Cache, Path | None]:
    """Open a cache, or begin a new one where its database is damaged.

    Returns the cache, and where the damaged one was moved to.
    """
    try:
        return _open(folder, **settings), None
    except sqlite3.OperationalError:
        raise  # busy, full or read-only: nothing is wrong with what it holds
    except sqlite3.DatabaseError:
        with _alone(folder):
            return _mended(folder, **settings)


def _mended(folder: Path, **settings: Any) -> tuple[diskcache.Cache, Path | None]:
    try:
        # Another process may have been quicker: what it began is not to be moved away.
        return _open(folder, **settings), None
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        aside = _free_name(folder)
        folder.rename(aside)
        return _open(folder, **settings), aside


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from mending the same; SQLite lets go of the lock of one that died."""
    lock = sqlite3.connect(
        folder.with_name(f"{folder.name}.lock"), timeout=60, isolation_level=None
    )
    try:
        lock.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        lock.close()


@dataclass(frozen=True, slots=True)
class Found:
    """A record, and the tag it has; empty without one."""

    value: bytes
    tag: str


def read(cache: diskcache.Cache, key: str) -> Found | None:
    """A record; also where the disk has no room to note that it was used."""
    try:
        value, tag = cache.get(key, tag=True)
    except sqlite3.OperationalError:
        # `copy.copy` would open it anew, which writes.
        untouched = object.__new__(diskcache.Cache)
        untouched.__dict__.update(cache.__dict__, eviction_policy="none")
        value, tag = untouched.get(key, tag=True)
    return None if value is None else Found(value, str(tag or ""))


def _open(folder: Path, **settings: Any) -> diskcache.Cache:
    """Open a cache once those who write to it leave the room: diskcache waits for them in most of
    its statements, and fails at once in the others."""
    given_up = time.monotonic() + _OPENING_WAITS_S
    while True:
        try:
            return diskcache.Cache(
                str(folder),
                disk=_BytesDisk,
                sqlite_cache_size=_PAGES_PER_CONNECTION,
                **settings,
            )
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > given_up:
                raise
            time.sleep(0.01)


def _free_name(folder: Path) -> Path:
    names = (folder.with_name(f"{folder.name}.damaged-{n}") for n in itertools.count(1))
    return next(name for name in names if not name.exists())
