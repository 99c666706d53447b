"""The store's files: diskcache without pickle, in one thread, and watched for being taken away."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import diskcache

from tokenscope_core.errors import RecordError
from tokenscope_core.store.watched_thread import WatchedThread

DATABASE = "cache.db"
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_OPENING_WAITS_S = 60.0
# Of 4 kB each. Every connection has as many to itself, beside what all share of the mapped file.
_PAGES_PER_CONNECTION = 1024


class GoneError(Exception):
    """The files were deleted, moved or unmounted while they were in use."""


class _Closable(Protocol):
    def close(self) -> None: ...


_Files = TypeVar("_Files", bound=_Closable)
_Result = TypeVar("_Result")


class OneThread(Generic[_Files]):
    """Files that are opened, used and closed in one thread of their own, which others wait for.

    diskcache opens a database once more in every thread that uses it, with memory and three files,
    and those of a thread that has ended are given back only when Python next collects its oldest
    garbage. The visitors of a server come in ever new threads.

    A system lets a program go on with a file that has been deleted, and what is written there is
    lost. So the file is looked at before and after each use. Where another is in its place, as when
    another process has mended it, that is opened.
    """

    def __init__(self, folder: Path, opened: Callable[[], _Files]) -> None:
        """Open them, and create them where they are not there.

        Args:
            folder: what holds the database.
            opened: how to open them.
        """
        self._folder, self._opened = folder, opened
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._thread = WatchedThread(f"tokenscope-{self._folder.name}", self._open)

    def _open(self) -> None:
        self._files = self._opened()
        self._identity = _identity(self._folder)

    @property
    def present(self) -> bool:
        """Whether there are any at their place now."""
        return _identity(self._folder) is not None

    def do(self, work: Callable[[_Files], _Result]) -> _Result:
        """What `work` returns or raises for the files.

        Raises:
            GoneError: they are not there, or went meanwhile; then what was written is lost.
            OSError: as `WatchedThread.do`.
        """
        if self._process != os.getpid() and not self._closed:
            # A forked process has no thread but its own, and SQLite's files are not to be shared:
            # https://www.sqlite.org/howtocorrupt.html section 2.6.
            self._require_present()
            self._begin()
        return self._thread.do(lambda: self._watched(work))

    def reopen(self) -> None:
        """Close and open them, and create them where they are not there."""
        self._thread.do(self._reopened)

    def close(self) -> None:
        """Close them once what was begun is done; they cannot be used again. Once is enough."""
        if not self._closed:
            self._closed = True
            self._thread.do(self._files.close)
            self._thread.end()

    def _watched(self, work: Callable[[_Files], _Result]) -> _Result:
        while True:
            if self._is_other():
                self._reopened()
            result = work(self._files)
            if not self._is_other():
                return result

    def _is_other(self) -> bool:
        self._require_present()
        return _identity(self._folder) != self._identity

    def _require_present(self) -> None:
        if not self.present:
            raise GoneError

    def _reopened(self) -> None:
        self._files.close()
        self._open()


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder's database from any other; None without one."""
    try:
        found = (folder / DATABASE).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


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


def open_unchecked(folder: Path, **settings: Any) -> diskcache.Cache:
    """Open a cache once those who write to it leave the room: diskcache waits for them in most of
    its statements, and fails at once in the others."""
    given_up = time.monotonic() + _OPENING_WAITS_S
    # Those of the file would win over the defaults, and a bit of them may have flipped.
    everything = diskcache.DEFAULT_SETTINGS | settings
    everything["sqlite_cache_size"] = _PAGES_PER_CONNECTION
    while True:
        try:
            return diskcache.Cache(str(folder), disk=_BytesDisk, **everything)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > given_up:
                raise
            time.sleep(0.01)
