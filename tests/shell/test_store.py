"""What an operator sees of what people keep, and deletes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import tokenscope_core as ts
from tokenscope_core.__main__ import main

DAY_S = 24 * 3600


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ts.Store]:
    """One session of Ada's from 40 days ago, with a link, and one of Eve's from today."""
    monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path))
    now = time.time()
    with closing(ts.Store(tmp_path)) as store:
        with monkeypatch.context() as then:
            then.setattr(time, "time", lambda: now - 40 * DAY_S)
            store.put_session("ada/1", b"x" * 1500, owner="ada")
            store.put_part("ada/1", "share/1", b"x" * 500)
        store.put_session("eve/1", b"x" * 3000, owner="eve")
        yield store


def test_what_is_kept_is_listed_by_whom_it_counts_for_most_first(
    store: ts.Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kept"]) == 0
    eve, ada, whole = (line.split() for line in capsys.readouterr().out.splitlines())
    assert eve[:4] == ["eve", "1", "3.0", "kB"]
    assert ada[:4] == ["ada", "1", "2.0", "kB"]
    assert whole == ["in", "all", "2", "5.0", "kB"]


def test_nothing_is_deleted_without_saying_so(
    store: ts.Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kept", "--unchanged-for", "30"]) == 0
    assert "eve" not in capsys.readouterr().out
    assert store.session_names() == ["ada/1", "eve/1"]


def test_what_nobody_changed_for_long_is_deleted_with_what_belongs_to_it(
    store: ts.Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kept", "--unchanged-for", "30", "--delete"]) == 0
    assert "1 deleted" in capsys.readouterr().out
    assert store.session_names() == ["eve/1"]
    assert store.get_session("share/1") is None


def test_a_session_changed_meanwhile_stays(store: ts.Store) -> None:
    before = time.time() - 30 * DAY_S
    store.put_session("ada/1", b"changed")
    assert not store.delete_session("ada/1", unless_after=before)
    assert store.get_session("ada/1") == b"changed"


@pytest.mark.parametrize("arguments", [["--delete"], ["--unchanged-for", "-1", "--delete"]])
def test_deleting_everything_is_not_a_slip_away(store: ts.Store, arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["kept", *arguments])
    assert store.session_names() == ["ada/1", "eve/1"]
