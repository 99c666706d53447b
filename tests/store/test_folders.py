"""Where the store lies by default, and what an earlier version kept elsewhere."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

import tokenscope_core as ts
from tokenscope_core.store import folders as store_folders
from tokenscope_core.store.folders import STORE_VARIABLE, StoreFolders, default_folders


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home as XDG has it, with nothing configured."""
    monkeypatch.delenv(STORE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


def test_what_people_make_lies_with_data_and_the_rest_with_caches(home: Path) -> None:
    folders = StoreFolders(home / "data" / "tokenscope", home / "cache" / "tokenscope")
    assert default_folders() == folders
    with closing(ts.Store()) as store:
        store.put_session("a", b"tree")
        store.put_capture("b", b"capture")
    assert (folders.sessions / "cache.db").exists()
    assert {path.name for path in folders.caches.iterdir()} == {"traces", "captures"}


def test_the_variable_names_one_folder_for_both(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORE_VARIABLE, str(home / "here"))
    assert default_folders() == StoreFolders.one(home / "here")
    with closing(ts.Store(home / "cache" / "tokenscope")) as earlier:
        earlier.put_session("a", b"tree")
    with closing(ts.Store()) as store:
        assert store.get_session("a") is None, "what is configured is left alone"


def earlier_store(home: Path, name: str, blob: bytes) -> None:
    with closing(ts.Store(home / "cache" / "tokenscope")) as earlier:
        earlier.put_session(name, blob, owner="ada", parts={"part": b"part"})
        earlier.put_capture("capture", b"capture")


def test_a_store_of_an_earlier_version_is_found_and_moved(home: Path) -> None:
    earlier_store(home, "a", b"tree")
    with closing(ts.Store()) as store:
        assert store.get_session("a") == b"tree"
        assert store.get_session("part") == b"part"
        assert store.get_capture("capture") == b"capture"
        assert store.usage_of("ada").records == 2
    assert not (home / "cache" / "tokenscope" / "sessions").exists()


def test_sessions_on_both_sides_are_brought_together(home: Path) -> None:
    with closing(ts.Store()) as store:
        store.put_session("new", b"new")
        store.put_session("both", b"newer")
    earlier_store(home, "both", b"older")
    earlier_store(home, "a", b"tree")
    with closing(ts.Store()) as store:
        assert store.get_session("a") == b"tree"
        assert (store.get_session("new"), store.get_session("both")) == (b"new", b"newer")
    cache = home / "cache" / "tokenscope"
    assert not (cache / "sessions").exists()
    assert (cache / "sessions.moved-1" / "cache.db").exists(), "nothing is deleted"
    with closing(ts.Store()) as store:
        assert len(store.session_names()) == 3


def test_sessions_on_another_disk_are_copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier_store(home, "a", b"tree")
    rename = Path.rename

    def across(old: Path, new: Path) -> Path:
        if "data" in Path(new).parts and "cache" in old.parts:
            raise OSError(18, "Invalid cross-device link")
        return rename(old, new)

    monkeypatch.setattr(store_folders.Path, "rename", across)
    with closing(ts.Store()) as store:
        assert store.get_session("a") == b"tree"
    assert (home / "cache" / "tokenscope" / "sessions.moved-1").exists()


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(2, "gone"), PermissionError(13, "read-only")],
    ids=lambda e: e.strerror,
)
def test_a_store_whose_old_folder_cannot_be_put_away_opens(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    """Another process may have begun at the same time, or the old disk takes no writing."""
    with closing(ts.Store()) as store:
        store.put_session("new", b"new")
    earlier_store(home, "a", b"tree")

    def failing(old: Path, new: Path) -> Path:
        raise error

    monkeypatch.setattr(store_folders.Path, "rename", failing)
    with closing(ts.Store()) as store:
        assert set(store.session_names()) == {"a", "new"}
