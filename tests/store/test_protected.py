"""How much of what people made a store keeps: for each, in all, and what it refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import tokenscope_core as ts
from tokenscope_core.settings import Limits, StorageBounds
from tokenscope_core.store.protected import ProtectedTotals

BOUNDS = StorageBounds(bytes_in_all=None, bytes_per_visitor=1000, records_per_visitor=4)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ts.Store]:
    with closing(ts.Store(tmp_path, bounds=BOUNDS)) as store:
        yield store


def test_a_session_beyond_what_a_visitor_may_keep_is_refused_by_name(store: ts.Store) -> None:
    store.put_session("a", b"x" * 600, owner="ada")
    with pytest.raises(ts.StoreFullError, match=r"600 B; a visitor may keep 1\.0 kB") as refused:
        store.put_session("b", b"y" * 401, owner="ada")
    assert "401 B were to be kept" in refused.value.asked
    assert "Delete sessions" in refused.value.action
    assert "file" in refused.value.action
    assert store.get_session("a") == b"x" * 600, "what was there stays"
    assert store.get_session("b") is None
    store.put_session("b", b"y" * 400, owner="ada")


def test_what_others_keep_does_not_count(store: ts.Store) -> None:
    store.put_session("a", b"x" * 1000, owner="ada")
    store.put_session("b", b"x" * 1000, owner="eve")
    store.put_session("c", b"x" * 5000)
    assert store.usage_of("ada") == ProtectedTotals(1, 1000)
    assert store.usage_by_owner() == {
        "ada": ProtectedTotals(1, 1000),
        "eve": ProtectedTotals(1, 1000),
    }


def test_so_many_records_and_no_more(store: ts.Store) -> None:
    for name in "abcd":
        store.put_session(name, b"", owner="ada")
    with pytest.raises(ts.StoreFullError, match=r"You keep 4 sessions.*may keep 4"):
        store.put_session("e", b"", owner="ada")
    store.put_session("d", b"changed", owner="ada")
    store.delete_session("a")
    store.put_session("e", b"", owner="ada")


def test_a_session_at_the_bound_can_shrink_but_not_grow(store: ts.Store) -> None:
    store.put_session("a", b"x" * 1000, owner="ada")
    with pytest.raises(ts.StoreFullError):
        store.put_session("a", b"x" * 1001, owner="ada")
    store.put_session("a", b"y" * 1000, owner="ada")
    store.put_session("a", b"z" * 999, owner="ada")
    store.put_session("a", b"x" * 1000, owner="ada")


def test_a_lowered_bound_takes_nothing_away(tmp_path: Path) -> None:
    with closing(ts.Store(tmp_path)) as before:
        before.put_session("a", b"x" * 5000, owner="ada")
    with closing(ts.Store(tmp_path, bounds=BOUNDS)) as store:
        assert store.get_session("a") == b"x" * 5000
        store.put_session("a", b"y" * 4000, owner="ada")
        with pytest.raises(ts.StoreFullError):
            store.put_session("b", b"", owner="ada")


def test_deleting_makes_room(store: ts.Store) -> None:
    store.put_session("a", b"x" * 1000, owner="ada")
    assert store.delete_session("a")
    store.put_session("b", b"x" * 1000, owner="ada")


def test_a_session_counts_for_whoever_began_it(store: ts.Store) -> None:
    store.put_session("a", b"x" * 500, owner="ada")
    store.put_session("a", b"x" * 600, owner="eve")
    store.put_part("a", "share/1", b"x" * 100, owner="eve")
    assert store.usage_by_owner() == {"ada": ProtectedTotals(2, 700)}


def test_what_an_older_version_kept_counts_once_it_is_changed(tmp_path: Path) -> None:
    with closing(ts.Store(tmp_path)) as older:
        older.put_session("a", b"x" * 500)
    with closing(ts.Store(tmp_path, bounds=BOUNDS)) as store:
        assert store.usage_of("ada") == ProtectedTotals(0, 0)
        store.put_session("a", b"x" * 501, owner="ada")
        assert store.usage_of("ada") == ProtectedTotals(1, 501)


def test_what_belongs_to_a_session_is_found_by_its_own_name_and_goes_with_it(
    store: ts.Store,
) -> None:
    store.put_session("a", b"tree", owner="ada", parts={"figures/1": b"f"})
    store.put_part("a", "share/1", b"link", owner="ada")
    store.put_part("b", "share/1", b"link", owner="eve")
    assert store.get_session("figures/1") == b"f"
    assert store.session_names() == ["a"]
    assert store.delete_session("a")
    assert store.get_session("figures/1") is None
    assert store.get_session("share/1") == b"link", "another has made the same link"
    store.delete_session("b")
    assert store.get_session("share/1") is None
    assert store.usage_by_owner() == {}


def test_a_session_and_its_parts_are_kept_together_or_not_at_all(store: ts.Store) -> None:
    with pytest.raises(ts.StoreFullError):
        store.put_session("a", b"tree", owner="ada", parts={"p/1": b"x" * 500, "p/2": b"y" * 500})
    assert store.usage_of("ada") == ProtectedTotals(0, 0)
    assert store.get_session("p/1") is None


def test_deleting_a_session_leaves_those_whose_names_end_alike(store: ts.Store) -> None:
    for name in ("a", "ada/a", "_a", "%a"):
        store.put_session(name, name.encode())
    store.delete_session("a")
    assert store.session_names() == ["ada/a", "_a", "%a"]


def test_sessions_are_listed_by_how_their_names_begin(store: ts.Store) -> None:
    for name in ("ada/2", "eve/1", "ada/1", "adam/1"):
        store.put_session(name, b"", parts={f"{name}/part": b""})
    assert store.session_names("ada/") == ["ada/2", "ada/1"]


def test_the_whole_store_is_bounded_whoever_asks(tmp_path: Path) -> None:
    with closing(ts.Store(tmp_path, bounds=StorageBounds(bytes_in_all=500_000))) as store:
        names = iter(range(100))
        with pytest.raises(ts.StoreFullError, match=r"all visitors keep takes .* 500.0 kB") as full:
            while True:
                name = f"session {next(names)}"
                store.put_session(name, b"x" * 100_000, owner=name)
        kept = store.session_names()
        assert 1 < len(kept) < 6
        assert "operator" in full.value.action
        used = {usage.name: usage for usage in store.usage()}["sessions"]
        assert used.bytes <= 500_000
        assert used.limit == 500_000
        assert all(store.get_session(name) == b"x" * 100_000 for name in kept)
        store.delete_session(kept[0])
        store.delete_session(kept[1])
        store.put_session("again", b"x" * 100_000)


def test_writers_at_the_same_time_do_not_pass_the_bound_together(tmp_path: Path) -> None:
    bounds = StorageBounds(records_per_visitor=10)
    stores = [ts.Store(tmp_path, bounds=bounds) for _ in range(4)]

    def fill(number: int) -> int:
        kept = 0
        for i in range(10):
            try:
                stores[number].put_session(f"{number}-{i}", b"x", owner="ada")
                kept += 1
            except ts.StoreFullError:
                pass
        return kept

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(fill, range(4))) == 10
    assert stores[0].usage_of("ada") == ProtectedTotals(10, 10)
    for store in stores:
        store.close()


def test_a_store_of_the_version_before_opens_as_it_was(tmp_path: Path) -> None:
    """Without an index of owners, and with links and figures under their bare names."""
    with closing(ts.Store(tmp_path)) as older:
        for name in ("ada/1", "share/x", "figures/y"):
            older.put_session(name, name.encode())
    with closing(sqlite3.connect(tmp_path / "sessions" / "cache.db")) as database:
        database.execute("DROP INDEX Cache_tag_rowid")
        database.execute("UPDATE Cache SET tag = NULL")
        database.execute("DELETE FROM Settings WHERE key = 'tag_index'")
        database.commit()
    with closing(ts.Store(tmp_path, bounds=BOUNDS)) as store:
        for name in ("ada/1", "share/x", "figures/y"):
            assert store.get_session(name) == name.encode()
        store.put_session("ada/1", b"changed", owner="ada")
        assert store.usage_of("ada") == ProtectedTotals(1, 7)


def test_bounds_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENSCOPE_KEPT_MB", "100")
    monkeypatch.setenv("TOKENSCOPE_KEPT_PER_VISITOR_MB", "10")
    monkeypatch.setenv("TOKENSCOPE_KEPT_PER_VISITOR", "50")
    assert Limits.from_environment().storage_bounds == StorageBounds(100_000_000, 10_000_000, 50)


@pytest.mark.parametrize("value", ["nan", "inf", "0", "-1", "ten"])
def test_a_limit_that_is_no_positive_number_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("TOKENSCOPE_GRACE_S", value)
    with pytest.raises(ts.RequestError, match="positive number"):
        Limits.from_environment()
