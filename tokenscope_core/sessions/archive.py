"""Zip archives of a few small members, written alike from alike, and read with bounds.

Read is what this module writes, and what common tools make of the same members: stored or deflated,
not encrypted, without a comment or the extensions for four gigabytes.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from tokenscope_core.failures import MalformedError, reason_of

_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
# Before the end where a second one, for four gigabytes, says where the directory is.
_LOCATOR_MARK, _LOCATOR_SIZE = b"PK\x06\x07", 20
# What the directory says of one member: 46 bytes, a name, perhaps a few times.
_MAX_DIRECTORY_ENTRY = 512
_FAILURES = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError,
    NotImplementedError, OverflowError, LookupError,
)  # fmt: skip


class ArchiveError(MalformedError):
    """An archive is damaged, or beyond its bounds."""


@dataclass(frozen=True, slots=True)
class Members:
    """An open archive: its members by name, in their order."""

    archive: zipfile.ZipFile
    by_name: Mapping[str, zipfile.ZipInfo]

    @property
    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self.by_name)


def write(members: Mapping[str, bytes], *, stored: str) -> bytes:
    """An archive of these members; those whose name ends in `stored` are not compressed."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, blob in members.items():
            info = zipfile.ZipInfo(name)  # dated 1980
            info.create_system = 3
            info.external_attr = 0o644 << 16
            compressed = not name.endswith(stored)
            info.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
            archive.writestr(info, blob)
    return sink.getvalue()


def members(blob: bytes, *, most: int) -> Members:
    """Open an archive of at most so many members.

    Raises:
        ArchiveError: it is none, has more, or two of one name.
    """
    try:
        mark, _, _, _, count, size, offset, comment = _END.unpack(blob[-_END.size :])
        if mark != _END_MARK or comment or offset + size + _END.size != len(blob):
            raise ArchiveError("it does not end as a zip archive does")
        if blob[-_END.size - _LOCATOR_SIZE :].startswith(_LOCATOR_MARK):
            raise ArchiveError("it has the extensions for four gigabytes")
        if count > most or size > most * _MAX_DIRECTORY_ENTRY:
            raise ArchiveError(f"it has {count:,} members, and {most:,} are read")
        archive = zipfile.ZipFile(io.BytesIO(blob))
        infos = archive.infolist()
    except ArchiveError:
        raise
    except _FAILURES as error:
        raise ArchiveError(reason_of(error)) from error
    by_name = {info.filename: info for info in infos}
    if len(infos) > most or len(by_name) != len(infos):
        raise ArchiveError("it has too many members, or two of one name")
    return Members(archive, by_name)


def size(opened: Members, name: str) -> int:
    """To how many bytes a member says that it unpacks; `content` reads no more than that."""
    return opened.by_name[name].file_size


def content(opened: Members, name: str, limit: int) -> bytes:
    """A member's bytes, at most `limit`.

    Raises:
        ArchiveError: there is none of that name, it is damaged or too large, or it is packed in a
            way that is not read.
    """
    info = opened.by_name.get(name)
    if info is None:
        raise ArchiveError(f"it lacks {name}")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(f"{name[:100]!r} is neither stored nor deflated")
    if info.file_size > limit:
        raise ArchiveError(f"{name[:100]!r} unpacks to {info.file_size:,} bytes, over {limit:,}")
    try:
        with opened.archive.open(info) as member:
            unpacked = member.read(limit + 1)
    except _FAILURES as error:
        raise ArchiveError(f"{name[:100]!r} is damaged") from error
    if len(unpacked) != info.file_size:
        raise ArchiveError(f"{name[:100]!r} is not as long as it says")
    return unpacked
