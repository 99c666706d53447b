"""What people made is read as it was kept, or not at all: a bit that flipped is noticed."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tokenscope_core import RecordError, Store
from tokenscope_core.store.records import HEADER_BYTES, described, revision_of, unwrap, wrap

BLOB = b'{"name":"a branch","note":"what it shows"}' * 3


def flipped(blob: bytes, bit: int) -> bytes:
    changed = bytearray(blob)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_every_single_bit_that_flips_is_noticed() -> None:
    record = wrap("ada/1", "ada", BLOB, 1.5)
    assert unwrap("ada/1", "ada", record) == BLOB
    for bit in range(8 * len(record)):
        with pytest.raises(RecordError, match="checksum does not match"):
            unwrap("ada/1", "ada", flipped(record, bit))


@pytest.mark.parametrize(("place", "owner"), [("ada/2", "ada"), ("ada/1", "eve"), ("ada/", "1ada")])
def test_a_record_counts_at_its_place_and_for_its_owner_alone(place: str, owner: str) -> None:
    record = wrap("ada/1", "ada", BLOB, 1.5)
    with pytest.raises(RecordError):
        unwrap(place, owner, record)


@pytest.mark.parametrize("length", range(1, HEADER_BYTES))
def test_a_record_that_is_cut_short_is_damaged(length: int) -> None:
    record = wrap("ada/1", "ada", BLOB, 1.5)[:length]
    if length > 4:
        with pytest.raises(RecordError):
            unwrap("ada/1", "ada", record)


@pytest.mark.parametrize("old", [b"", b"{", BLOB, b"PK\x03\x04", b"ARROW1", b"\x89PNG\r\n\x1a\n"])
def test_a_record_from_before_there_were_checksums_opens_as_it_is(old: bytes) -> None:
    assert unwrap("ada/1", "ada", old) == old
    assert described("ada/1", "ada", old[:HEADER_BYTES]) is None


def test_the_header_says_what_is_there_and_since_when() -> None:
    found = described("a", "", wrap("a", "", BLOB, 12.25)[:HEADER_BYTES])
    assert found is not None
    assert (found.revision, found.changed) == (revision_of(BLOB), 12.25)


def test_a_store_of_plain_records_opens_and_what_is_changed_has_a_checksum(tmp_path: Path) -> None:
    Store(tmp_path).close()
    database = tmp_path / "sessions" / "cache.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "INSERT INTO Cache (key, raw, store_time, tag, mode, value) VALUES (?, 1, ?, ?, 1, ?)",
            ("old", time.time() - 5000, "ada", BLOB),
        )
        connection.commit()
    with closing(Store(tmp_path)) as store:
        assert store.get_session("old") == BLOB
        assert store.session_revision("old") == revision_of(BLOB)
        assert store.usage_of("ada").bytes == len(BLOB)
        (session,) = store.sessions("ada")
        assert session.changed < time.time() - 4000
        store.put_session("old", BLOB, replacing=BLOB)
        assert store.usage_of("ada").bytes == len(BLOB), "a checksum is nothing a person keeps"
    with closing(sqlite3.connect(database)) as connection:
        ((value,),) = connection.execute("SELECT value FROM Cache").fetchall()
    assert unwrap("old", "ada", value) == BLOB


def test_flipped_bits_of_kept_records_are_said_and_the_others_open(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        for name in ("a", "b"):
            store.put_session(name, BLOB, owner="ada", parts={f"part/{name}": BLOB})
    draw = random.Random(0)
    database = tmp_path / "sessions" / "cache.db"
    whole = database.read_bytes()
    with closing(sqlite3.connect(database)) as connection:
        ((value,),) = connection.execute("SELECT value FROM Cache WHERE key = 'a'").fetchall()
        for _ in range(50):
            changed = flipped(value, draw.randrange(8 * len(value)))
            connection.execute("UPDATE Cache SET value = ? WHERE key = 'a'", (changed,))
            connection.commit()
            with closing(Store(tmp_path)) as store:
                with pytest.raises(RecordError, match="damaged on the disk"):
                    store.get_session("a")
                assert store.get_session("b") == store.get_session("part/a") == BLOB
                assert len(store.sessions("ada")) == 2, "it can be found and deleted"
    assert len(whole) == database.stat().st_size
