"""Traces and sessions on disk: bytes only, evicted or kept, never run."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import diskcache
import psutil
import pytest
from planted import plant

import tokenscope_core as ts
from tokenscope_core.store import mending as store_mending
from tokenscope_core.store.mending import alone


class Payload:
    """Runs code when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.witness,))


@pytest.fixture
def trace(lm: ts.LanguageModel) -> ts.Trace:
    return ts.generate(lm, ts.Request("def f(x):\n", max_new_tokens=4))


def test_a_trace_is_found_by_its_key(store: ts.Store, trace: ts.Trace) -> None:
    assert store.get(trace.key) is None
    assert store.put(trace) == trace.key
    found = store.get(trace.key)
    assert found is not None
    assert found.to_bytes() == trace.to_bytes()


def test_a_deleted_trace_is_gone(store: ts.Store, trace: ts.Trace) -> None:
    store.put(trace)
    assert store.delete(trace.key)
    assert store.get(trace.key) is None
    assert not store.delete(trace.key)


def test_everything_survives_reopening(tmp_path: Path, trace: ts.Trace) -> None:
    first = ts.Store(tmp_path)
    first.put(trace)
    first.put_session("mine", b"tree")
    first.close()
    second = ts.Store(tmp_path)
    assert second.get(trace.key) is not None
    assert second.get_session("mine") == b"tree"
    second.close()


def test_two_open_stores_share_a_folder(tmp_path: Path, trace: ts.Trace) -> None:
    first, second = ts.Store(tmp_path), ts.Store(tmp_path)
    first.put(trace)
    assert second.get(trace.key) is not None
    first.close()
    second.close()


def test_sessions_are_kept_replaced_and_deleted(store: ts.Store) -> None:
    assert store.get_session("a") is None
    store.put_session("a", b"1")
    store.put_session("a", b"2")
    assert store.get_session("a") == b"2"
    assert store.delete_session("a")
    assert store.get_session("a") is None


def test_sessions_are_listed_in_the_order_they_were_first_kept(store: ts.Store) -> None:
    assert store.session_names() == []
    for name in ("b", "a", "c", "b"):
        store.put_session(name, b"tree")
    store.delete_session("c")
    assert store.session_names() == ["b", "a"]


DAMAGE = b"not a database " * 100


@pytest.mark.parametrize("big", [False, True])
def test_a_planted_pickle_is_refused_and_never_run(tmp_path: Path, big: bool) -> None:
    witness = tmp_path / "it ran"
    value = [Payload(witness), b"x" * 100_000] if big else Payload(witness)
    plant(tmp_path, "key", value)
    store = ts.Store(tmp_path)
    with pytest.raises(ts.RecordError, match="not written by this program"):
        store.get("key")
    assert not witness.exists()
    assert store.delete("key")
    assert store.get("key") is None
    store.close()


@pytest.mark.parametrize("value", ["text", "x" * 100_000, 7, 1.5])
@pytest.mark.parametrize("cache", ["traces", "sessions"])
def test_a_planted_value_of_another_type_is_refused(
    tmp_path: Path, value: object, cache: str
) -> None:
    plant(tmp_path, "key", value, cache)
    store = ts.Store(tmp_path)
    with pytest.raises(ts.RecordError):
        store.get("key") if cache == "traces" else store.get_session("key")
    store.close()


def test_a_planted_key_does_not_disturb_the_others(tmp_path: Path, trace: ts.Trace) -> None:
    witness = tmp_path / "it ran"
    plant(tmp_path, (Payload(witness),), b"value")
    store = ts.Store(tmp_path)
    store.put(trace)
    assert store.get(trace.key) is not None
    assert not witness.exists()
    store.close()


@pytest.mark.parametrize("damage", [b"", b"ARROW1", b"\0" * 1000])
def test_a_damaged_record_is_named_and_can_be_replaced(
    tmp_path: Path, trace: ts.Trace, damage: bytes
) -> None:
    plant(tmp_path, trace.key, damage)
    store = ts.Store(tmp_path)
    with pytest.raises(ts.RecordError):
        store.get(trace.key)
    store.put(trace)
    assert store.get(trace.key) is not None
    store.close()


def test_a_record_whose_file_is_gone_is_a_miss(tmp_path: Path, lm: ts.LanguageModel) -> None:
    trace = ts.score(lm, "x = 1\n" * 60)  # large enough for a file of its own
    store = ts.Store(tmp_path)
    store.put(trace)
    files = list((tmp_path / "traces").glob("*/*/*.val"))
    assert files
    for file in files:
        file.unlink()
    assert store.get(trace.key) is None
    store.close()


def test_old_traces_make_room_but_sessions_stay(tmp_path: Path, trace: ts.Trace) -> None:
    store = ts.Store(tmp_path, size_limit=200_000)
    for i in range(20):
        store.put_session(f"session {i}", b"s" * 20_000)
    requests = [dataclasses.replace(trace.request, stop=(f"{i}",)) for i in range(60)]
    traces = [dataclasses.replace(trace, request=request) for request in requests]
    for each in traces:
        store.put(each)
    kept = [store.get(each.key) is not None for each in traces]
    assert kept[-1]
    assert not kept[0]
    assert all(store.get_session(f"session {i}") == b"s" * 20_000 for i in range(20))
    store.close()


def test_only_bytes_go_in(store: ts.Store) -> None:
    for value in ("text", 3, None, ["list"]):
        with pytest.raises(TypeError):
            store.put_session("name", value)  # type: ignore[arg-type]


def test_sessions_can_be_copied_while_they_are_written_and_brought_back(tmp_path: Path) -> None:
    store = ts.Store(tmp_path / "in use")
    sessions = {f"session {i}": bytes([i]) * 10**i for i in range(7)}
    for name, blob in sessions.items():
        store.put_session(name, blob)
    copy = tmp_path / "restored" / "sessions" / "cache.db"
    copy.parent.mkdir(parents=True)
    with sqlite3.connect(tmp_path / "in use/sessions/cache.db") as source:
        source.backup(sqlite3.connect(copy))
    store.close()
    restored = ts.Store(tmp_path / "restored")
    assert {name: restored.get_session(name) for name in restored.session_names()} == sessions
    restored.close()


def test_damaged_traces_are_computed_again_without_a_word(tmp_path: Path, trace: ts.Trace) -> None:
    damage(tmp_path / "traces")
    store = ts.Store(tmp_path)
    assert store.notices == ()
    store.put(trace)
    assert store.get(trace.key) is not None
    store.close()


def test_damaged_sessions_are_moved_aside_whole_and_said(tmp_path: Path) -> None:
    damage(tmp_path / "sessions")
    store = ts.Store(tmp_path)
    (notice,) = store.notices
    assert str(tmp_path / "sessions.damaged-1") in notice
    assert (tmp_path / "sessions.damaged-1" / "cache.db").read_bytes() == DAMAGE
    store.put_session("name", b"session")
    store.close()
    again = ts.Store(tmp_path)
    assert again.notices == ()
    assert again.get_session("name") == b"session"
    again.close()


def test_what_another_process_began_meanwhile_is_not_moved_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that start at once find the same damage; the first has mended it before the second."""
    damage(tmp_path / "sessions")

    @contextmanager
    def late(folder: Path) -> Iterator[None]:
        monkeypatch.undo()
        with closing(ts.Store(tmp_path)) as quicker:
            quicker.put_session("name", b"made by a person")
        with alone(folder):
            yield

    monkeypatch.setattr(store_mending, "alone", late)
    with closing(ts.Store(tmp_path)) as store:
        assert store.get_session("name") == b"made by a person"
        assert store.notices == ()
    assert not (tmp_path / "sessions.damaged-2").exists()


def damage(folder: Path) -> None:
    folder.mkdir()
    (folder / "cache.db").write_bytes(DAMAGE)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ts.RecordError, match="store"):
        ts.Store(tmp_path / "file")


def test_a_store_opens_though_another_process_begins_to_write_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_tag_index = diskcache.Cache.create_tag_index
    beaten = []

    def create_tag_index_once_another_writes(cache: diskcache.Cache) -> None:
        monkeypatch.undo()
        with closing(sqlite3.connect(Path(cache.directory) / "cache.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            beaten.append(cache.directory)
            create_tag_index(cache)

    monkeypatch.setattr(diskcache.Cache, "create_tag_index", create_tag_index_once_another_writes)
    with closing(ts.Store(tmp_path)) as store:
        assert beaten
        store.put_session("mine", b"tree")
        assert store.get_session("mine") == b"tree"


def test_visitors_who_come_and_stay_do_not_open_the_files_once_more_each(tmp_path: Path) -> None:
    def open_files() -> int:
        opened = psutil.Process().open_files()
        return sum(Path(file.path).is_relative_to(tmp_path) for file in opened)

    leave = threading.Event()
    with closing(ts.Store(tmp_path)) as store:

        def visit(number: int) -> None:
            store.put_session(f"session {number}", b"tree")
            store.get_capture("nothing")
            visited[number].set()
            leave.wait(60)

        visited = [threading.Event() for _ in range(40)]
        threads = [threading.Thread(target=visit, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        try:
            assert all(event.wait(60) for event in visited)
            assert len(store.session_names()) == 40
            assert 0 < open_files() <= 40
        finally:
            leave.set()
            for thread in threads:
                thread.join()
    assert open_files() == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_uses_the_store_too(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", _FORKED, str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert found.stdout.split() == ["child", "b'kept'", "parent", "b'answered'"]


_FORKED = """
import os, signal, sys
from tokenscope_core.store.store import Store

store = Store(sys.argv[1])
store.put_capture("asked", b"kept")
child = os.fork()
if not child:
    signal.alarm(30)
    store.put_capture("answer", b"answered")
    os.write(1, f"child {store.get_capture('asked')} ".encode())
    os._exit(0)
os.waitpid(child, 0)
print("parent", store.get_capture("answer"))
"""


def test_a_store_may_be_closed_twice(tmp_path: Path) -> None:
    store = ts.Store(tmp_path)
    store.close()
    store.close()
