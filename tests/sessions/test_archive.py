"""What an archive says of itself is bounded before it is believed."""

from __future__ import annotations

import struct

import pytest

from tokenscope_core.sessions import archive

_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")


def entry(name: bytes, comment: bytes = b"") -> bytes:
    sizes = (0, 0, 0)
    fixed = _ENTRY.pack(
        b"PK\x01\x02", 20, 20, 0, 0, 0, 0, *sizes, len(name), 0, len(comment), 0, 0, 0, 0
    )
    return fixed + name + comment


def with_a_second_directory(hidden: int) -> bytes:
    """Its end tells of one member, the end for four gigabytes, in the comment of that, of more."""
    entries = b"".join(entry(b"%08d" % number) for number in range(hidden))
    whole = len(entries) + len(entry(b"z"))
    comment = _END_64.pack(
        b"PK\x06\x06", 44, 45, 45, 0, 0, hidden + 1, hidden + 1, whole, 0
    ) + _LOCATOR.pack(b"PK\x06\x07", 0, whole, 1)
    last = entry(b"z", comment)
    return entries + last + _END.pack(b"PK\x05\x06", 0, 0, 1, 1, len(last), len(entries), 0)


def test_a_directory_for_four_gigabytes_is_not_read() -> None:
    with pytest.raises(archive.ArchiveError, match="extensions for four gigabytes"):
        archive.members(with_a_second_directory(2), most=10)


def test_an_archive_of_too_many_members_is_refused_by_what_its_end_says() -> None:
    blob = archive.write({f"{number}": b"" for number in range(11)}, stored="")
    assert len(archive.members(blob, most=11).names) == 11
    with pytest.raises(archive.ArchiveError, match="11 members, and 10 are read"):
        archive.members(blob, most=10)
