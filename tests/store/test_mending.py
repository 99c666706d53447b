"""A database with a bit that flipped opens, with what can be read of it, and says so."""

from __future__ import annotations

import logging
import random
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import tokenscope_core as ts

NAMES = [f"session {number}" for number in range(30)]


@pytest.fixture
def sound(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Path:
    caplog.set_level(logging.CRITICAL)
    with closing(ts.Store(tmp_path)) as store:
        for name in NAMES:
            store.put_session(name, name.encode() * 60, owner="ada")
    return tmp_path / "sessions" / "cache.db"


def flip(file: Path, bit: int) -> None:
    blob = bytearray(file.read_bytes())
    blob[bit // 8] ^= 1 << bit % 8
    file.write_bytes(blob)


def found(folder: Path) -> tuple[list[bytes | None], tuple[str, ...]]:
    with closing(ts.Store(folder)) as store:
        read = [store.get_session(name) for name in NAMES]
        store.put_session("new", b"new")
        assert store.get_session("new") == b"new"
        return read, store.notices


# Where a text of the schema, a setting of the header, or the tree of the first page is.
@pytest.mark.parametrize("place", ["schema", "header"])
def test_no_flip_of_the_first_page_costs_a_session(sound: Path, place: str) -> None:
    whole = sound.read_bytes()
    draw = random.Random(place)
    page = whole[:4096]
    first = 8 * (page.index(b"tableSettings") if place == "schema" else 0)
    last = 8 * (4096 if place == "schema" else 100)
    said = 0
    for _ in range(25):
        sound.write_bytes(whole)
        flip(sound, draw.randrange(min(first, 8 * 2000), last))
        read, notices = found(sound.parents[1])
        assert read == [name.encode() * 60 for name in NAMES]
        said += len(notices)
    assert said


def test_a_damaged_page_of_records_costs_its_own_alone(sound: Path) -> None:
    blob = bytearray(sound.read_bytes())
    at = blob.index(NAMES[12].encode() * 5)
    page = at // 4096 * 4096
    blob[page : page + 8] = bytes(8)
    sound.write_bytes(blob)
    read, (notice,) = found(sound.parents[1])
    there = [name for name, value in zip(NAMES, read, strict=True) if value]
    assert 20 <= len(there) < 30
    assert f"{len(there)} of its records go on" in notice
    assert (sound.parents[1] / "sessions.damaged-1" / "cache.db").read_bytes() == bytes(blob)


def test_a_record_under_another_name_is_not_taken_for_it(sound: Path) -> None:
    blob = sound.read_bytes()
    record = re.search(rb"session 7.{1,40}ada\x89TSKEPT", blob, re.DOTALL)
    assert record is not None
    sound.write_bytes(blob[: record.start()] + b"sessioN 7" + blob[record.start() + 9 :])
    read, (notice,) = found(sound.parents[1])
    assert read.count(None) == 1
    assert "29 of its records go on, 1 were found damaged" in notice


def test_a_store_that_is_damaged_while_it_is_in_use_goes_on(sound: Path) -> None:
    with closing(ts.Store(sound.parents[1])) as store:
        at = sound.read_bytes().index(NAMES[12].encode() * 5)
        with sound.open("r+b") as file:
            file.seek(at // 4096 * 4096)
            file.write(bytes(8))
        assert store.get_session(NAMES[12]) is None
        (notice,) = store.notices
        there = [name for name in NAMES if store.get_session(name)]
        assert f"{len(there)} of its records go on" in notice
        assert len(there) >= 20


def test_records_without_checksums_are_brought_over_with_one(sound: Path) -> None:
    with closing(sqlite3.connect(sound)) as database:
        database.execute("UPDATE Cache SET value = ?, tag = NULL", (b"as it was before",))
        database.commit()
    flip(sound, 8 * 18 + 5)
    with closing(ts.Store(sound.parents[1])) as store:
        assert store.get_session(NAMES[0]) == b"as it was before"
        assert len(store.notices) == 1
    flip(sound, 8 * (sound.read_bytes().index(b"as it was before") + 3))
    with closing(ts.Store(sound.parents[1])) as store:
        kept: list[bytes | None] = []
        for name in NAMES:
            try:
                kept.append(store.get_session(name))
            except ts.RecordError:
                kept.append(None)
    assert kept.count(None) == 1
    assert set(kept) == {None, b"as it was before"}
