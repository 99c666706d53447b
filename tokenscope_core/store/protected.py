"""What people made, on disk: sessions, and what belongs to them. Bounded, and never evicted.

A session's parts are the short links that its owner made and the imported figures that cannot be
computed again. A part is found by a name of its own, by whoever knows that name, and is deleted
with its session; where several sessions have the same part, each has a copy.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import diskcache

from tokenscope_core.errors import RecordError, SessionChangedError, StoreFullError
from tokenscope_core.models.files.memory_need import size_text
from tokenscope_core.settings import StorageBounds
from tokenscope_core.store.files import read
from tokenscope_core.store.mending import Row, open_cache, rows
from tokenscope_core.store.records import (
    BEGINNING,
    HEADER_BYTES,
    SIZE,
    described,
    revision_of,
    unwrap,
    wrap,
)

_LOG = logging.getLogger(__name__)
_IN_THE_DATABASE = 2**40
# Between the name of what belongs to a session and the session's. "0" is the character after "/".
_OF, _AFTER_OF = "/of/", "/of0"


class AnyState:
    """Stands for any earlier content of a record, or none."""


ANY_STATE: Final = AnyState()


@dataclass(frozen=True, slots=True)
class ProtectedTotals:
    """How many records there are, and their bytes."""

    records: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ProtectedSession:
    """A session with what belongs to it: its name, whom it counts for (empty for nobody), the
    bytes, and when it was changed last, in seconds since the epoch."""

    name: str
    owner: str
    bytes: int
    changed: float


@dataclass(frozen=True, slots=True)
class _Described:
    """Of one record: whom it counts for, and its bytes."""

    owner: str | None
    bytes: int


class ProtectedRecords:
    """Sessions and what belongs to them, by their names. Safe between processes.

    `mended` is what became of a damaged database when this one was opened.

    Raises:
        sqlite3.Error, diskcache.Timeout, OSError: here and in every method, where the folder cannot
            be read or written.
    """

    def __init__(self, folder: Path, bounds: StorageBounds) -> None:
        self.bounds = bounds
        # With full synchronisation every record is on the disk before `put` returns, even if the
        # power fails then. All are in one file, which SQLite can copy while it is written.
        self._cache, self.mended = open_cache(
            folder,
            _copy_records,
            eviction_policy="none",
            sqlite_synchronous=2,
            disk_min_file_size=_IN_THE_DATABASE,
            tag_index=True,
            # No record has an expiry date, so that one which looks expired is damaged.
            cull_limit=0,
        )

    def put(
        self,
        session: str,
        records: Mapping[str, bytes],
        owner: str,
        replacing: bytes | AnyState | None = ANY_STATE,
    ) -> None:
        """Write a session, its parts, or both: all of the records, or none.

        Args:
            session: the name of the session.
            records: bytes by the name of the session itself or of a part. An existing record is
                replaced.
            owner: whose quota it counts against, nobody's where it is empty. A session that exists
                goes on to count, with its parts, for whoever stored it first.
            replacing: the bytes that the session must have until then, None for no session.

        Raises:
            SessionChangedError: the session has other bytes.
            StoreFullError: that would be more than the bounds allow. Records that take no more room
                than those they replace are always accepted.
        """
        places = {
            name if name == session else part_place(name, session): blob
            for name, blob in records.items()
        }
        with self._cache.transact():
            if not isinstance(replacing, AnyState):
                self._require(session, replacing)
            existing = self._described(session)
            account = existing.owner if existing and existing.owner else owner
            self._require_room(places, account)
            now = time.time()
            for place, blob in places.items():
                self._cache.set(place, wrap(place, account, blob, now), tag=account)

    def copy_from(self, folder: Path) -> int:
        """Copy the sound records of another folder whose names are not here; returns how many."""
        return _copy_records(rows(folder), self._cache)[0]

    def get(self, name: str) -> bytes | None:
        """The session of that name, or a part of that name of any session; None without one.

        Raises:
            RecordError: every copy of it is damaged.
        """
        blob = self._at(name)
        if blob is not None:
            return blob
        problem = None
        between = (name + _OF, name + _AFTER_OF)
        for (place,) in self._sql("SELECT key FROM Cache WHERE key > ? AND key < ?", *between):
            try:
                blob = self._at(str(place))
            except RecordError as error:
                problem = error
            else:
                if blob is not None:
                    return blob
        if problem is not None:
            raise problem
        return None

    def revision(self, name: str) -> bytes | None:
        """The digest that `revision_of` gives for the bytes at that very place; None without any.

        Raises:
            RecordError: its header is damaged.
        """
        found = self._sql(f"SELECT tag, {BEGINNING} FROM Cache WHERE key = ?", name)
        if not found:
            return None
        tag, beginning = found[0]
        says = described(name, tag or "", beginning)
        if says is not None:
            return says.revision
        blob = self._at(name)
        return None if blob is None else revision_of(blob)

    def names(self, beginning: str) -> list[str]:
        """The names of the sessions that begin so, in the order they were first stored.

        Raises:
            RecordError: one was not written by this program.
        """
        if not beginning:
            return [name for name in self._cache if _OF not in name]
        found = self._sql(
            "SELECT key FROM Cache WHERE key >= ? AND key < ? ORDER BY rowid",
            beginning,
            beginning + chr(0x10FFFF),
        )
        return [str(name) for (name,) in found if _OF not in str(name)]

    def delete(self, session: str, unless_after: float | None = None) -> bool:
        """Delete a session and its parts.

        Args:
            session: its name.
            unless_after: seconds since the epoch; one that was changed later stays.

        Returns:
            False where nothing was deleted.
        """
        with self._cache.transact():
            if unless_after is not None and any(
                one.changed > unless_after for one in self._sessions("key = ?", session)
            ):
                return False
            suffix = _OF + session
            found = self._sql(
                "SELECT key FROM Cache WHERE substr(key, -?) = ?", len(suffix), suffix
            )
            for (place,) in found:
                self._cache.delete(place)
            return bool(self._cache.delete(session)) or bool(found)

    def usage(self) -> ProtectedTotals:
        """The totals of all records; the bytes are those of the file."""
        ((records,),) = self._sql("SELECT COUNT(*) FROM Cache")
        return ProtectedTotals(records, self._cache.volume())

    def usage_of(self, owner: str) -> ProtectedTotals:
        """The totals of what counts against somebody's quota."""
        ((records, size),) = self._sql(
            f"SELECT COUNT(*), COALESCE(SUM({SIZE}), 0) FROM Cache WHERE tag = ?", owner
        )
        return ProtectedTotals(records, size)

    def sessions(self, owner: str | None) -> list[ProtectedSession]:
        """All sessions, or those of one owner, in the order they were first stored."""
        found = self._sessions("1") if owner is None else self._sessions("tag = ?", owner)
        sessions: dict[str, ProtectedSession] = {}
        for record in found:
            name = record.name.rpartition(_OF)[2]
            had = sessions.get(name, ProtectedSession(name, record.owner, 0, 0.0))
            sessions[name] = ProtectedSession(
                name,
                had.owner or record.owner,
                had.bytes + record.bytes,
                max(had.changed, record.changed),
            )
        return list(sessions.values())

    def usage_by_owner(self) -> dict[str, ProtectedTotals]:
        """The totals of each owner who has stored something."""
        found = self._sql(
            f"SELECT tag, COUNT(*), SUM({SIZE}) FROM Cache"
            " WHERE tag IS NOT NULL AND tag != '' GROUP BY tag"
        )
        return {str(owner): ProtectedTotals(records, size) for owner, records, size in found}

    def close(self) -> None:
        """Close the files."""
        self._cache.close()

    def _at(self, place: str) -> bytes | None:
        found = read(self._cache, place)
        return None if found is None else unwrap(place, found.tag, found.value)

    def _require(self, session: str, expected: bytes | None) -> None:
        try:
            there = self.revision(session)
        except RecordError as error:
            raise SessionChangedError from error
        if there != (None if expected is None else revision_of(expected)):
            raise SessionChangedError

    def _sessions(self, where: str, *values: object) -> Iterator[ProtectedSession]:
        """One for each record, under its own place."""
        columns = f"SELECT key, tag, {SIZE}, store_time, {BEGINNING} FROM Cache"
        for place, tag, size, stored, beginning in self._sql(
            f"{columns} WHERE {where} ORDER BY rowid", *values
        ):
            try:
                says = described(str(place), tag or "", beginning)
            except RecordError:
                says = None
            changed = stored if says is None else says.changed
            yield ProtectedSession(str(place), tag or "", size, changed)

    def _described(self, place: str) -> _Described | None:
        found = self._sql(f"SELECT tag, {SIZE} FROM Cache WHERE key = ?", place)
        return _Described(*found[0]) if found else None

    def _require_room(self, places: Mapping[str, bytes], account: str) -> None:
        before = {place: self._described(place) for place in places}
        asked = sum(map(len, places.values()))
        growth = asked - sum(had.bytes for had in before.values() if had is not None)
        if growth <= 0 and None not in before.values():
            return
        all_here = self._cache.volume()
        if self.bounds.bytes_in_all is not None and all_here + growth > self.bounds.bytes_in_all:
            _LOG.warning("There is no room to store more: %s are stored", size_text(all_here))
            raise _server_full(asked, all_here, self.bounds.bytes_in_all)
        if account:
            own = [had for had in before.values() if had is not None and had.owner == account]
            _require_share(
                self.usage_of(account),
                ProtectedTotals(len(places) - len(own), asked - sum(had.bytes for had in own)),
                self.bounds,
                asked,
            )

    def _sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return cast("list[tuple[Any, ...]]", self._cache._sql(statement, values).fetchall())


def _copy_records(found: Iterator[Row], into: diskcache.Cache) -> tuple[int, int]:
    """Copy the sound records into a cache, but for names that it has; returns how many names are
    sound, and how many rows are damaged."""
    sound: set[str] = set()
    of_sound: set[int] = set()
    others: set[int] = set()
    with into.transact():
        for row in found:
            value = _sound(row)
            if value is None:
                others.add(row.number)
                continue
            of_sound.add(row.number)
            sound.add(row.place)
            if row.place not in into:
                into.set(row.place, value, tag=row.tag)
    return len(sound), len(others - of_sound)


def _sound(row: Row) -> bytes | None:
    """The record as it is stored today, with a checksum; None where it is damaged."""
    try:
        unwrap(row.place, row.tag, row.value)
        says = described(row.place, row.tag, row.value[:HEADER_BYTES])
    except RecordError:
        return None
    if says is not None:
        return row.value
    if not row.place or not row.value or not 0 < row.stored < math.inf:
        return None
    return wrap(row.place, row.tag, row.value, row.stored)


def part_place(name: str, session: str) -> str:
    """Where a part of a session is stored."""
    return f"{name}{_OF}{session}"


def _require_share(
    here: ProtectedTotals, more: ProtectedTotals, bounds: StorageBounds, asked: int
) -> None:
    """Refuse what would exceed the quota of one visitor."""
    size, records = bounds.bytes_per_visitor, bounds.records_per_visitor
    if size is not None and here.bytes + more.bytes > size:
        raise _full(
            asked,
            f"What you keep here takes {size_text(here.bytes)}; a visitor may keep "
            f"{size_text(size)}.",
            "Delete sessions that you no longer need, or download this one as a file.",
        )
    if records is not None and here.records + more.records > records:
        raise _full(
            asked,
            f"You keep {here.records:,} sessions, short links and imports; a visitor may keep "
            f"{records:,}.",
            "Delete sessions that you no longer need, or download this one as a file.",
        )


def _server_full(asked: int, here: int, limit: int) -> StoreFullError:
    return _full(
        asked,
        f"What all visitors keep takes {size_text(here)} on this server, which is set to keep "
        f"{size_text(limit)}.",
        "Download it as a file. There is room again once sessions are deleted, or the operator "
        "allows more.",
    )


def _full(asked: int, found: str, action: str) -> StoreFullError:
    return StoreFullError(
        asked=f"{size_text(asked)} were to be kept on the server.", found=found, action=action
    )
