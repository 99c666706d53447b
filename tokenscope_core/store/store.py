"""Traces, what was computed about them, and sessions on disk, through diskcache, as bytes only.

What was computed may be evicted (size limit, least recently used), and captures do not drive out
the traces they are of; what a person made may not be. So each lives in a cache of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Self, TypeVar

import diskcache

from tokenscope_core.record.trace import Trace
from tokenscope_core.settings import StorageBounds
from tokenscope_core.store.errors import named_errors
from tokenscope_core.store.files import GoneError, OneThread, read
from tokenscope_core.store.folders import (
    CAPTURES,
    TRACES,
    StoreFolders,
    default_folders,
    move_earlier,
    moved,
)
from tokenscope_core.store.mending import Mended, is_damage, open_cache
from tokenscope_core.store.protected import (
    ANY_STATE,
    AnyState,
    ProtectedRecords,
    ProtectedSession,
    ProtectedTotals,
    part_place,
)

_LOG = logging.getLogger(__name__)
DEFAULT_SIZE_LIMIT = 1024**3
# Some 20 captures of all heads of a layer at 2,000 tokens.
DEFAULT_CAPTURE_LIMIT = 512 * 1024**2
_UNBOUNDED = StorageBounds()
_Part = TypeVar("_Part", diskcache.Cache, ProtectedRecords)
_Result = TypeVar("_Result")
_NOTHING: Mapping[str, bytes] = MappingProxyType({})


def _set_aside(mended: Mended) -> str:
    return (
        f"The file that held the sessions is damaged. It was moved to {mended.aside} as it was. "
        f"{mended.copied:,} of its records go on, {mended.damaged:,} were found damaged; SQLite's "
        "`.recover` may find more in it. New ones are kept again."
    )


@dataclass(frozen=True, slots=True)
class Usage:
    """How many records a part of the store holds, the bytes on disk, and the limit: where old ones
    make room for new ones, or of sessions where new ones are refused."""

    name: str
    records: int
    bytes: int
    limit: int | None

    @classmethod
    def of(cls, name: str, cache: diskcache.Cache) -> Self:
        """Of a part where old records make room."""
        return cls(name, len(cache), cache.volume(), cache.size_limit)


class Store:
    """Traces and captures by their key, sessions by a name, in folders shared by all processes.

    A capture is whatever an analysis computed about traces, such as attention.

    `bounds` limit how much is stored of what people made.

    A damaged file is noticed when it is opened or used: it is set aside, and the records that can
    be read are copied into a new one. Damaged traces are computed again without a notice.

    Where the folder of the sessions disappears while it is in use, nothing is written until it is
    there again or `create_anew` is called.

    Raises:
        RecordError: here and in every method, where the folder cannot be read or written. It names
            no folder; the log does.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        size_limit: int = DEFAULT_SIZE_LIMIT,
        capture_limit: int = DEFAULT_CAPTURE_LIMIT,
        bounds: StorageBounds = _UNBOUNDED,
    ) -> None:
        """
        Args:
            folder: one for everything; None for the configured ones.
            size_limit: at most so many bytes of traces; the least recently used are evicted.
            capture_limit: at most so many bytes of captures; the least recently used are evicted.
            bounds: how much is stored of what people made, which is never evicted.
        """
        self.folders = default_folders() if folder is None else StoreFolders.one(folder)
        self.bounds = bounds
        self._notices: list[str] = []
        with named_errors(self.folders):
            earlier = move_earlier(self.folders) if folder is None else None
            for place in (self.folders.protected, self.folders.caches):
                place.mkdir(parents=True, exist_ok=True)
            self._traces = self._evicting(TRACES, size_limit)
            self._captures = self._evicting(CAPTURES, capture_limit)
            self._protected = OneThread(self.folders.sessions, self._open_protected)
            if earlier is not None:
                moved(earlier, self._protected.do(lambda protected: protected.copy_from(earlier)))

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for the operator: which of the things people made were found damaged."""
        return tuple(self._notices)

    @property
    def gone(self) -> bool:
        """Whether the folder of what people made has disappeared."""
        return not self._protected.present

    def create_anew(self) -> None:
        """Create the folders that have disappeared, empty. For an operator who knows that they will
        not come back, such as a disk that is not mounted yet."""
        with named_errors(self.folders):
            for part in (self._protected, self._traces, self._captures):
                if not part.present:
                    part.reopen()

    def _open_protected(self) -> ProtectedRecords:
        opened = ProtectedRecords(self.folders.sessions, self.bounds)
        if opened.mended is not None:
            self._notices.append(_set_aside(opened.mended))
            _LOG.error("%s", self._notices[-1])
        return opened

    def _evicting(self, name: str, limit: int) -> OneThread[diskcache.Cache]:
        folder, policy = self.folders.caches / name, "least-recently-used"
        return OneThread(
            folder, lambda: open_cache(folder, size_limit=limit, eviction_policy=policy)[0]
        )

    def _do(self, part: OneThread[_Part], work: Callable[[_Part], _Result]) -> _Result:
        with named_errors(self.folders):
            try:
                return part.do(work)
            except GoneError:
                # Cleaning tools may delete a cache, which is then created again; the folder of
                # what people made is missing only where something is wrong.
                if part is self._protected or self.gone:
                    raise
            except Exception as error:
                if not is_damage(error):
                    raise
            part.reopen()
            return part.do(work)

    def put(self, trace: Trace) -> str:
        """Store a trace; returns its key."""
        blob = trace.to_bytes()
        self._do(self._traces, lambda traces: traces.set(trace.key, blob))
        return trace.key

    def get(self, key: str) -> Trace | None:
        """The trace with that key, or None when the store does not hold it.

        Raises:
            RecordError: it is there, but damaged or of an unknown version.
        """
        found = self._do(self._traces, lambda traces: read(traces, key))
        return None if found is None else Trace.from_bytes(found.value)

    def __contains__(self, key: str) -> bool:
        """Whether the store holds a trace; asking does not count as using it."""
        return self._do(self._traces, lambda traces: key in traces)

    def delete(self, key: str) -> bool:
        """Delete a trace; False when it was not there."""
        return self._do(self._traces, lambda traces: bool(traces.delete(key)))

    def put_capture(self, key: str, blob: bytes) -> None:
        """Store a result computed about traces, until others need the room."""
        self._do(self._captures, lambda captures: captures.set(key, blob))

    def get_capture(self, key: str) -> bytes | None:
        """The bytes that `put_capture` stored under that key, or None."""
        found = self._do(self._captures, lambda captures: read(captures, key))
        return None if found is None else found.value

    def delete_capture(self, key: str) -> bool:
        """Delete a capture; False when it was not there."""
        return self._do(self._captures, lambda captures: bool(captures.delete(key)))

    def put_session(
        self,
        name: str,
        blob: bytes,
        *,
        owner: str = "",
        parts: Mapping[str, bytes] = _NOTHING,
        replacing: bytes | AnyState | None = ANY_STATE,
    ) -> None:
        """Store a session; it is never evicted.

        Args:
            name: of the session.
            blob: the session.
            owner: whose quota it counts against, nobody's where it is empty; a session that exists
                goes on to count for whoever stored it first.
            parts: records that the session needs, by names of their own, as for `put_part`.
            replacing: the bytes that must be stored under that name until then, None for none;
                compared and replaced in one transaction, whatever other processes do.

        Raises:
            SessionChangedError: other bytes are stored there, and nothing was changed.
            StoreFullError: there is no room for it, and nothing was changed.
        """
        records = {**parts, name: blob}
        self._do(self._protected, lambda protected: protected.put(name, records, owner, replacing))

    def put_part(self, session: str, name: str, blob: bytes, *, owner: str = "") -> None:
        """Store a part of a session, until the session is deleted. `get_session` finds it by its
        own name, under which other sessions may have a copy of the same.

        Raises:
            StoreFullError: there is no room for it.
        """
        self._do(self._protected, lambda protected: protected.put(session, {name: blob}, owner))

    def get_session(self, name: str) -> bytes | None:
        """The bytes that `put_session` or `put_part` stored under that name, or None.

        Raises:
            RecordError: it is damaged.
        """
        return self._do(self._protected, lambda protected: protected.get(name))

    def session_revision(self, name: str) -> bytes | None:
        """`revision_of` the bytes of a session, read from its header; None without one."""
        return self._do(self._protected, lambda protected: protected.revision(name))

    def part_revision(self, session: str, name: str) -> bytes | None:
        """The same of a session's own copy of a part."""
        return self._do(
            self._protected, lambda protected: protected.revision(part_place(name, session))
        )

    def session_names(self, beginning: str = "") -> list[str]:
        """The names of the sessions that begin so, in the order they were first stored.

        Raises:
            RecordError: one was not written by this program.
        """
        return self._do(self._protected, lambda protected: protected.names(beginning))

    def delete_session(self, name: str, *, unless_after: float | None = None) -> bool:
        """Delete a session and its parts; False when nothing was deleted.

        Args:
            name: of the session.
            unless_after: seconds since the epoch; one that was changed later stays.
        """
        return self._do(self._protected, lambda protected: protected.delete(name, unless_after))

    def usage(self) -> tuple[Usage, ...]:
        """How much each database holds."""
        protected = self._do(self._protected, ProtectedRecords.usage)
        return (
            self._do(self._traces, partial(Usage.of, "traces")),
            self._do(self._captures, partial(Usage.of, "captures")),
            Usage("sessions", protected.records, protected.bytes, self.bounds.bytes_in_all),
        )

    def usage_of(self, owner: str) -> ProtectedTotals:
        """How much counts against somebody's quota."""
        return self._do(self._protected, lambda protected: protected.usage_of(owner))

    def sessions(self, owner: str | None = None) -> list[ProtectedSession]:
        """All sessions, or those of one owner, in the order they were first stored."""
        return self._do(self._protected, lambda protected: protected.sessions(owner))

    def usage_by_owner(self) -> dict[str, ProtectedTotals]:
        """The same for each owner who has stored something."""
        return self._do(self._protected, ProtectedRecords.usage_by_owner)

    def close(self) -> None:
        """Close the files once pending work is done; the store cannot be used again."""
        self._traces.close()
        self._captures.close()
        self._protected.close()
