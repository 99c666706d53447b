"""A database that is found damaged is set aside whole, and what can be read of it goes on.

SQLite finds damage where it happens to look, as any of a dozen errors, or not at all. So a database
is looked at as a whole when it is opened: its header, its schema, its pages and its indexes.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diskcache

from tokenscope_core.caching import cache
from tokenscope_core.store.files import DATABASE, open_unchecked

_LOG = logging.getLogger(__name__)
# What says nothing of what the file holds: it is in use, the disk is full, may not be written.
_OUTSIDE = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_INTERRUPT,
}  # fmt: skip
# What reading a damaged table raises; Python cannot read every message of SQLite's.
_UNREADABLE = (sqlite3.Error, UnicodeError, OverflowError, MemoryError)
# So many numbers are tried between what can be read from either end of a table.
_TRIED_BETWEEN = 100_000
_MAGIC = b"SQLite format 3\x00"
# https://www.sqlite.org/fileformat2.html section 1.3.
_WRITE_VERSION, _READ_VERSION, _SIZE_IN_PAGES, _HEADER_BYTES = 18, 19, 28, 100
_FREE_PAGES = slice(32, 40)
_COUNTERS = (24, 92)


class DamagedError(Exception):
    """A database is not as it was written."""


@dataclass(frozen=True, slots=True)
class Mended:
    """Where a damaged database was moved to, how many of its records go on, and how many were
    found damaged. Others may not have been found at all."""

    aside: Path
    copied: int = 0
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A record as it was found, unchecked: its number in the table, and what it says."""

    number: int
    place: str
    tag: str
    stored: float
    value: bytes


# Copies the sound rows into a cache; returns how many are sound, and how many damaged.
CopyRecords = Callable[[Iterator[Row], diskcache.Cache], tuple[int, int]]


def is_damage(error: BaseException) -> bool:
    """Whether an error of diskcache says that the database is not as it was written."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            # Python's own: a text of the schema that is no UTF-8.
            return isinstance(error, sqlite3.OperationalError)
        return code & 0xFF not in _OUTSIDE
    # diskcache's own code raises any of these when it meets a damaged schema or setting.
    return isinstance(
        error,
        DamagedError | UnicodeError | ValueError | TypeError | LookupError | AttributeError
        | OverflowError,
    )  # fmt: skip


def open_cache(
    folder: Path, copy: CopyRecords | None = None, **settings: Any
) -> tuple[diskcache.Cache, Mended | None]:
    """Open a cache; where its database is damaged, begin another with what can be read of it.

    Args:
        folder: of the cache.
        copy: copies the sound records of the damaged database into the new one; None where they
            can be computed again.
        settings: of diskcache.

    Returns the cache, and what became of the damaged one.
    """
    try:
        return _open_sound(folder, settings), None
    except Exception as error:
        if not is_damage(error):
            raise
    with alone(folder):
        return _mended(folder, copy, settings)


def _mended(
    folder: Path, copy: CopyRecords | None, settings: dict[str, Any]
) -> tuple[diskcache.Cache, Mended | None]:
    try:
        # Another process may have mended it while this one waited for the lock; its new database
        # must not be moved away.
        return _open_sound(folder, settings), None
    except Exception as error:
        if not is_damage(error):
            raise
        _LOG.error("The database in %s is damaged: %s: %s", folder, type(error).__name__, error)
    copied = damaged = 0
    if copy is not None:
        # The new database is written to another folder first, so that a crash at any moment leaves
        # one that is whole.
        beside = folder.with_name(f"{folder.name}{_BESIDE}")
        shutil.rmtree(beside, ignore_errors=True)
        with closing(open_unchecked(beside, **settings)) as fresh:
            copied, damaged = copy(rows(folder), fresh)
    aside = free_name(folder, "damaged")
    folder.rename(aside)
    return _open_sound(folder, settings), Mended(aside, copied, damaged)


_BESIDE = ".mended"


def _open_sound(folder: Path, settings: dict[str, Any]) -> diskcache.Cache:
    beside = folder.with_name(f"{folder.name}{_BESIDE}")
    if beside.exists() and not folder.exists():
        beside.rename(folder)
    # Before diskcache writes its settings into it.
    _require_header(folder / DATABASE)
    if (folder / DATABASE).exists():
        _require_sound(folder / DATABASE)
    return open_unchecked(folder, **settings)


def _require_header(database: Path) -> None:
    try:
        with database.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return
    versions = {header[_WRITE_VERSION], header[_READ_VERSION]} if len(header) > 20 else set()
    if header and (not header.startswith(_MAGIC) or not versions <= {1, 2} or not versions):
        raise DamagedError("its header is none of SQLite's")


def _require_sound(file: Path) -> None:
    with closing(sqlite3.connect(file, timeout=60)) as database:
        schema = _schema(database)
        for name, text in _schema_of_its_kind().items():
            # What is missing is created: another process may be about to.
            if schema.get(name, text) != text:
                raise DamagedError(f"its schema has another {name}")
        ((said,), *_) = database.execute("PRAGMA integrity_check(1)").fetchall()
    if said != "ok":
        raise DamagedError(str(said))


@cache
def _schema_of_its_kind() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        diskcache.Cache(folder, eviction_policy="none").close()
        with closing(sqlite3.connect(Path(folder) / DATABASE)) as database:
            return _schema(database)


def _schema(database: sqlite3.Connection) -> dict[str, str]:
    found = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {str(name): str(text) for name, text in found.fetchall()}


def rows(folder: Path) -> Iterator[Row]:
    """What can be read of a database that is damaged; the folder is left alone.

    First with a sound first page, which holds the schema and is the same in all, then as it is: a
    record may come twice.
    """
    for mend in (_with_sound_schema, None):
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="reading-") as copy:
            for file in folder.glob(f"{DATABASE}*"):
                if not file.name.endswith("-shm"):
                    shutil.copy(file, copy)
            if mend is not None:
                mend(Path(copy) / DATABASE)
            yield from _readable(Path(copy) / DATABASE)


def _readable(database: Path) -> Iterator[Row]:
    """Its records from one end up to where it is damaged, from the other, and what is between."""
    columns = "SELECT rowid, key, tag, store_time, value FROM Cache NOT INDEXED"
    found: list[set[int]] = []
    with closing(sqlite3.connect(database)) as connection:
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            connection.execute(f"{columns} LIMIT 0")
        except _UNREADABLE:
            return
        for order in ("ASC", "DESC"):
            found.append(set())
            try:
                for values in connection.execute(f"{columns} ORDER BY rowid {order}"):
                    found[-1].add(values[0])
                    yield _row(*values)
                return
            except _UNREADABLE:
                continue
        # Numbers are given one after another, but a damaged one may be anything.
        first = max(found[0], default=0) + 1
        last = min(min(found[1], default=first + _TRIED_BETWEEN), first + _TRIED_BETWEEN)
        for number in range(first, last):
            with contextlib.suppress(*_UNREADABLE):
                for values in connection.execute(f"{columns} WHERE rowid = ?", (number,)):
                    yield _row(*values)


def _row(number: Any, place: Any, tag: Any, stored: Any, value: Any) -> Row:
    return Row(
        number if isinstance(number, int) else 0,
        place if isinstance(place, str) else "",
        tag if isinstance(tag, str) else "",
        float(stored) if isinstance(stored, int | float) else 0.0,
        value if isinstance(value, bytes) else b"",
    )


def _with_sound_schema(database: Path) -> None:
    """Put the first page of a fresh database into the place of this one's."""
    with tempfile.TemporaryDirectory() as folder:
        diskcache.Cache(folder, eviction_policy="none").close()
        page = bytearray((Path(folder) / DATABASE).read_bytes()[:4096])
    pages = database.stat().st_size // len(page)
    struct.pack_into(">I", page, _SIZE_IN_PAGES, pages)
    page[_FREE_PAGES] = bytes(8)
    for place in _COUNTERS:
        struct.pack_into(">I", page, place, 1)
    with database.open("r+b") as file:
        file.write(page)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from mending or moving the same; SQLite lets go of the lock of one that
    died."""
    lock = sqlite3.connect(
        folder.with_name(f"{folder.name}.lock"), timeout=60, isolation_level=None
    )
    try:
        lock.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        lock.close()


def free_name(folder: Path, what: str) -> Path:
    """A name beside a folder that nothing has yet: `sessions.damaged-1`."""
    names = (folder.with_name(f"{folder.name}.{what}-{n}") for n in itertools.count(1))
    return next(name for name in names if not name.exists())
