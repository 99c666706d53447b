"""A store whose folder goes while it is in use: nothing is said to be kept that is not."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import tokenscope_core as ts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a secret place"


@pytest.fixture
def store(folder: Path) -> Iterator[ts.Store]:
    with closing(ts.Store(folder)) as store:
        store.put_session("a", b"tree")
        yield store


def test_nothing_is_kept_in_a_folder_that_is_gone(store: ts.Store, folder: Path) -> None:
    assert not store.gone
    shutil.rmtree(folder)
    assert store.gone
    for use in (
        lambda: store.put_session("b", b"tree"),
        lambda: store.get_session("a"),
        lambda: store.put_capture("c", b"capture"),
        store.usage,
    ):
        with pytest.raises(ts.RecordError, match="Its folder is gone"):
            use()
    assert not folder.exists(), "nobody has said so"


def test_a_file_that_goes_during_a_write_is_not_said_to_be_kept(
    store: ts.Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tokenscope_core.store.protected import ProtectedRecords

    put = ProtectedRecords.put

    def put_and_vanish(self: ProtectedRecords, *values: object) -> None:
        put(self, *values)  # type: ignore[arg-type]
        shutil.rmtree(folder)

    monkeypatch.setattr(ProtectedRecords, "put", put_and_vanish)
    with pytest.raises(ts.RecordError, match="Its folder is gone"):
        store.put_session("b", b"tree")


def test_a_folder_that_comes_back_is_used_again(store: ts.Store, folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(ts.RecordError):
        store.get_session("a")
    folder.with_name("elsewhere").rename(folder)
    assert store.get_session("a") == b"tree"
    store.put_session("b", b"tree")


def test_it_is_created_anew_when_a_person_says_so(store: ts.Store, folder: Path) -> None:
    shutil.rmtree(folder)
    store.create_anew()
    assert not store.gone
    assert store.get_session("a") is None
    store.put_session("b", b"tree")
    with closing(ts.Store(folder)) as again:
        assert again.get_session("b") == b"tree"


def test_a_store_that_another_process_began_in_its_place_is_used(
    store: ts.Store, folder: Path
) -> None:
    shutil.rmtree(folder)
    with closing(ts.Store(folder)) as other:
        other.put_session("b", b"theirs")
    assert store.get_session("b") == b"theirs"
    store.put_session("c", b"mine")
    with closing(ts.Store(folder)) as again:
        assert again.get_session("c") == b"mine"


def test_caches_that_a_cleaner_emptied_are_begun_anew_without_a_word(
    store: ts.Store, folder: Path
) -> None:
    store.put_capture("c", b"capture")
    for name in ("captures", "traces"):
        shutil.rmtree(folder / name)
    assert store.get_capture("c") is None
    store.put_capture("c", b"capture")
    assert store.get_capture("c") == b"capture"
    assert store.get_session("a") == b"tree"


def test_what_visitors_read_names_no_folder_and_the_log_does(
    store: ts.Store, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(folder)
    with caplog.at_level(logging.ERROR), pytest.raises(ts.RecordError) as refused:
        store.get_session("a")
    assert str(folder) not in str(refused.value)
    assert str(folder) in caplog.text
