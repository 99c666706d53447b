"""What people made, on disk: sessions, and what belongs to them. Bounded, and never evicted.

To a session belongs what its owner passed on of it (short links) and what it is nothing without
(imported figures). It is found by a name of its own, by whoever knows that, and is deleted with the
session: where several have the same, each has a copy.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tokenscope_core.errors import StoreFullError
from tokenscope_core.limits import KeepingBounds
from tokenscope_core.memory_need import size_text
from tokenscope_core.store_files import open_cache, read

_LOG = logging.getLogger(__name__)
_IN_THE_DATABASE = 2**40
# Between the name of what belongs to a session and the session's. "0" is the character after "/".
_OF, _AFTER_OF = "/of/", "/of0"


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of it there is: records, and their bytes."""

    records: int
    bytes: int


@dataclass(frozen=True, slots=True)
class KeptSession:
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


class KeptRecords:
    """Sessions and what belongs to them, by their names. Safe between processes.

    `aside` is where a damaged database was moved to when this one was opened.

    Raises:
        sqlite3.Error, diskcache.Timeout, OSError: here and in every method, where the folder cannot
            be read or written.
    """

    def __init__(self, folder: Path, bounds: KeepingBounds) -> None:
        self.bounds = bounds
        # Every record is on the disk before `put` returns, also if the power fails, and all are in
        # one file, which SQLite can copy while it is written.
        self._cache, self.aside = open_cache(
            folder,
            eviction_policy="none",
            sqlite_synchronous=2,
            disk_min_file_size=_IN_THE_DATABASE,
            tag_index=True,
        )

    def put(self, session: str, records: Mapping[str, bytes], owner: str) -> None:
        """Keep a session or what belongs to it: all of the records, or none.

        Args:
            session: the name of the session.
            records: by name; that of the session itself, or of what belongs to it. One that is
                there is replaced.
            owner: whom it counts for, nobody where it is empty; of a session that is there, and
                of all that belongs to it, whoever kept it first.

        Raises:
            StoreFullError: that would be more than the bounds allow. What takes no more room than
                before is always kept.
        """
        places = {
            name if name == session else f"{name}{_OF}{session}": blob
            for name, blob in records.items()
        }
        with self._cache.transact():
            kept = self._described(session)
            account = kept.owner if kept and kept.owner else owner
            self._require_room(places, account)
            for place, blob in places.items():
                self._cache.set(place, blob, tag=account)

    def get(self, name: str) -> bytes | None:
        """The session of that name, or what belongs to any session under it; None without one."""
        blob = read(self._cache, name)
        if blob is None:
            between = (name + _OF, name + _AFTER_OF)
            found = self._sql("SELECT key FROM Cache WHERE key > ? AND key < ?", *between)
            copies = (read(self._cache, str(place)) for (place,) in found)
            blob = next((copy for copy in copies if copy is not None), None)
        return blob

    def names(self, beginning: str) -> list[str]:
        """The names of the sessions that begin so, in the order they were first kept.

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
        """Forget a session and all that belongs to it.

        Args:
            session: its name.
            unless_after: seconds since the epoch; one that was changed later stays.

        Returns:
            False where nothing was deleted.
        """
        with self._cache.transact():
            if unless_after is not None and any(
                self._sql(
                    "SELECT 1 FROM Cache WHERE key = ? AND store_time > ?", session, unless_after
                )
            ):
                return False
            suffix = _OF + session
            found = self._sql(
                "SELECT key FROM Cache WHERE substr(key, -?) = ?", len(suffix), suffix
            )
            for (place,) in found:
                self._cache.delete(place)
            return bool(self._cache.delete(session)) or bool(found)

    def usage(self) -> Kept:
        """All of it: the bytes are those of the file."""
        return Kept(len(self._cache), self._cache.volume())

    def usage_of(self, owner: str) -> Kept:
        """What counts for somebody."""
        ((records, size),) = self._sql(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(value)), 0) FROM Cache WHERE tag = ?", owner
        )
        return Kept(records, size)

    def sessions(self, owner: str | None) -> list[KeptSession]:
        """All sessions, or those that count for somebody, in the order they were first kept."""
        columns = "SELECT key, tag, LENGTH(value), store_time FROM Cache"
        found = (
            self._sql(f"{columns} ORDER BY rowid")
            if owner is None
            else self._sql(f"{columns} WHERE tag = ? ORDER BY rowid", owner)
        )
        sessions: dict[str, KeptSession] = {}
        for place, tag, size, changed in found:
            name = str(place).rpartition(_OF)[2]
            had = sessions.get(name, KeptSession(name, tag or "", 0, 0.0))
            sessions[name] = KeptSession(
                name, had.owner or tag or "", had.bytes + size, max(had.changed, changed)
            )
        return list(sessions.values())

    def usage_by_owner(self) -> dict[str, Kept]:
        """What counts for each who keeps something."""
        found = self._sql(
            "SELECT tag, COUNT(*), SUM(LENGTH(value)) FROM Cache"
            " WHERE tag IS NOT NULL AND tag != '' GROUP BY tag"
        )
        return {str(owner): Kept(records, size) for owner, records, size in found}

    def close(self) -> None:
        """Release the files."""
        self._cache.close()

    def _described(self, place: str) -> _Described | None:
        found = self._sql("SELECT tag, LENGTH(value) FROM Cache WHERE key = ?", place)
        return _Described(*found[0]) if found else None

    def _require_room(self, places: Mapping[str, bytes], account: str) -> None:
        before = {place: self._described(place) for place in places}
        asked = sum(map(len, places.values()))
        growth = asked - sum(had.bytes for had in before.values() if had is not None)
        if growth <= 0 and None not in before.values():
            return
        all_here = self._cache.volume()
        if self.bounds.bytes_in_all is not None and all_here + growth > self.bounds.bytes_in_all:
            _LOG.warning("There is no room to keep more: %s are kept", size_text(all_here))
            raise _server_full(asked, all_here, self.bounds.bytes_in_all)
        if account:
            own = [had for had in before.values() if had is not None and had.owner == account]
            _require_share(
                self.usage_of(account),
                Kept(len(places) - len(own), asked - sum(had.bytes for had in own)),
                self.bounds,
                asked,
            )

    def _sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return cast("list[tuple[Any, ...]]", self._cache._sql(statement, values).fetchall())


def _require_share(here: Kept, more: Kept, bounds: KeepingBounds, asked: int) -> None:
    """Refuse what would be more than one visitor may keep."""
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
