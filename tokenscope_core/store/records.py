"""A record of what a person made, as it lies in the database: a header, then the bytes.

SQLite checks none of what it reads: a bit that flipped on the disk would be another name or note.
The header holds a digest of the bytes, and one of where they are kept, for whom, and since when.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from tokenscope_core.errors import RecordError

# No record from before began like this: these were JSON, ASCII, ZIP and Arrow.
_MARK = b"\x89TSKEPT\x01"
# The mark, a digest of the bytes, seconds since the epoch, and a digest of all of that with the
# place and the owner.
_HEADER = struct.Struct("<8s32sd16s")
HEADER_BYTES = _HEADER.size
# Of a record in SQL: how many bytes a person kept, and what `described` reads.
SIZE = f"(LENGTH(value) - {HEADER_BYTES} * (substr(value, 1, {len(_MARK)}) = x'{_MARK.hex()}'))"
BEGINNING = f"substr(value, 1, {HEADER_BYTES})"


@dataclass(frozen=True, slots=True)
class Described:
    """What a header says: a digest of the bytes, and when they were kept, in seconds since the
    epoch."""

    revision: bytes
    changed: float


def revision_of(blob: bytes) -> bytes:
    """The same for the same bytes, and for no others."""
    return hashlib.sha256(blob).digest()


def wrap(place: str, owner: str, blob: bytes, now: float) -> bytes:
    """A record of bytes that are kept at a place, for an owner, since a time."""
    revision = revision_of(blob)
    return _HEADER.pack(_MARK, revision, now, _sealed(place, owner, revision, now)) + blob


def described(place: str, owner: str, beginning: bytes) -> Described | None:
    """What the first `HEADER_BYTES` of a record say; None of one from before there were headers.

    Raises:
        RecordError: they are damaged, or those of another place or owner.
    """
    mark = beginning[: len(_MARK)]
    if sum(a == b for a, b in zip(mark, _MARK, strict=False)) <= len(_MARK) // 2:
        return None
    if len(beginning) < HEADER_BYTES:
        raise damaged(place)
    mark, revision, changed, seal = _HEADER.unpack(beginning[:HEADER_BYTES])
    if mark != _MARK or seal != _sealed(place, owner, revision, changed):
        raise damaged(place)
    return Described(revision, changed)


def unwrap(place: str, owner: str, record: bytes) -> bytes:
    """The bytes that `wrap` was given; a record from before there were headers as it is.

    Raises:
        RecordError: it is damaged, or that of another place or owner.
    """
    found = described(place, owner, record[:HEADER_BYTES])
    if found is None:
        return record
    blob = record[HEADER_BYTES:]
    if revision_of(blob) != found.revision:
        raise damaged(place)
    return blob


def damaged(place: str) -> RecordError:
    """The error for a record that is not as it was kept."""
    return RecordError(
        asked=f"What is kept as “{place.rpartition('/')[2][:8]}…” was to be read.",
        found="It is damaged on the disk: its checksum does not match.",
        action="Take another copy: a session file, a link, the operator's backup.",
    )


def _sealed(place: str, owner: str, revision: bytes, changed: float) -> bytes:
    said = [place.encode("utf-8", "surrogatepass"), owner.encode("utf-8", "surrogatepass")]
    lengths = struct.pack("<QQd", len(said[0]), len(said[1]), changed)
    return hashlib.sha256(b"".join([lengths, *said, revision])).digest()[:16]
