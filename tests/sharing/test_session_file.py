"""A session file holds the tree and its traces, and is never trusted."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable

import pandas as pd
import pytest
from made_traces import forked, made

import tokenscope_core as ts
from tokenscope_core.record import arrow_files
from tokenscope_core.sharing import session_file

ROOT = made(["if", " x", ":", "\n"], prompt_length=2, request=ts.Request("é😀\r\n", 2))
CHILD = forked(ROOT, 2, [" and"], [" y"])
TREE = (
    ts.Session.start(ROOT).add(CHILD, parent=ROOT).note(ROOT.key, "a\r\nb").rename(CHILD.key, "ü")
)
FILE = session_file.write(TREE, [CHILD, ROOT], {"token": 3, "other": CHILD.key})
NAMES = ["about.json", "session.json", *sorted(f"traces/{t.key}.arrow" for t in (ROOT, CHILD))]


def rewritten(change: Callable[[dict[str, bytes]], None], compression: int = 0) -> bytes:
    with zipfile.ZipFile(io.BytesIO(FILE)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return sink.getvalue()


def test_a_file_carries_the_tree_its_traces_and_the_view() -> None:
    opened = session_file.read(FILE)
    assert opened.shared.session == TREE.without_history()
    assert opened.shared.view == {"token": 3, "other": CHILD.key}
    assert set(opened.traces) == {ROOT.key, CHILD.key}
    assert opened.traces[CHILD.key].text == CHILD.text
    assert opened.problems == ()


def test_equal_sessions_give_equal_files() -> None:
    again = session_file.write(
        TREE.without_history(), [ROOT, CHILD, ROOT], {"other": CHILD.key, "token": 3}
    )
    assert again == FILE


def test_what_was_undone_or_removed_is_not_passed_on() -> None:
    secret = TREE.note(ROOT.key, "a secret").note(ROOT.key, "")
    with zipfile.ZipFile(io.BytesIO(session_file.write(secret))) as archive:
        assert not any(b"a secret" in archive.read(name) for name in archive.namelist())


def test_any_zip_tool_opens_it_and_its_traces_open_in_pandas() -> None:
    with zipfile.ZipFile(io.BytesIO(FILE)) as archive:
        assert archive.namelist() == NAMES
        assert archive.testzip() is None
        table = pd.read_feather(io.BytesIO(archive.read(f"traces/{ROOT.key}.arrow")))
    assert len(table) == len(ROOT)


def test_without_traces_it_is_the_recipe() -> None:
    opened = session_file.read(session_file.write(TREE))
    assert opened.shared.session == TREE.without_history()
    assert opened.traces == {}


def test_a_file_that_another_tool_packed_again_opens() -> None:
    opened = session_file.read(rewritten(lambda members: None, zipfile.ZIP_DEFLATED))
    assert set(opened.traces) == {ROOT.key, CHILD.key}


def test_only_traces_of_the_session_go_with_it() -> None:
    with pytest.raises(ts.RequestError, match="no such branch"):
        session_file.write(TREE, [made(["other"])])


def test_traces_beyond_what_is_read_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_file, "MAX_UNPACKED_BYTES", 100)
    with pytest.raises(ts.RequestError, match="Leave some of the traces out"):
        session_file.write(TREE, [ROOT])
    assert session_file.read(session_file.write(TREE)).traces == {}


def damage(members: dict[str, bytes]) -> None:
    name = f"traces/{CHILD.key}.arrow"
    blob = bytearray(members[name])
    blob[len(blob) // 2] ^= 0xFF
    members[name] = bytes(blob)


def swap(members: dict[str, bytes]) -> None:
    members[f"traces/{CHILD.key}.arrow"] = members[f"traces/{ROOT.key}.arrow"]


def add_stranger(members: dict[str, bytes]) -> None:
    del members[f"traces/{CHILD.key}.arrow"]
    members["traces/../../etc/cron.d/x.arrow"] = members[f"traces/{ROOT.key}.arrow"]


def other_model(members: dict[str, bytes]) -> None:
    model = ts.ModelIdentity("made by hand", "fingerprint", 7)
    twin = forked(made(["if", " x", ":", "\n"], prompt_length=2, request=ROOT.request, model=model),
                  2, [" and"], [" y"])  # fmt: skip
    assert twin.key == CHILD.key
    members[f"traces/{CHILD.key}.arrow"] = twin.to_bytes()


@pytest.mark.parametrize("change", [damage, swap, add_stranger, other_model])
def test_a_trace_that_is_not_what_it_says_is_left_out_by_name(
    change: Callable[[dict[str, bytes]], None],
) -> None:
    opened = session_file.read(rewritten(change))
    assert set(opened.traces) == {ROOT.key}
    assert len(opened.problems) == 1
    assert "left out" in opened.problems[0]
    assert CHILD.key in opened.shared.session


def test_traces_that_unpack_to_too_much_together_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = session_file.read(FILE)
    one = arrow_files.unpacked_bytes(ROOT.to_bytes())
    monkeypatch.setattr(session_file, "MAX_UNPACKED_BYTES", one + 100)
    bounded = session_file.read(FILE)
    assert len(bounded.traces) == 1 < len(opened.traces)
    assert "are left for it" in bounded.problems[0]


def test_members_that_are_small_only_as_long_as_they_are_packed_are_not_all_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def inflate(members: dict[str, bytes]) -> None:
        for name in NAMES[2:]:
            members[name] = b"\0" * 700_000

    blob = rewritten(inflate, zipfile.ZIP_DEFLATED)
    assert len(blob) < 10_000
    monkeypatch.setattr(session_file, "MAX_FILE_BYTES", 1_000_000)
    first, second = session_file.read(blob).problems
    assert "300,000 are left" not in first
    assert "takes 700,000 bytes, and 300,000 are left" in second


def about(**changes: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members["about.json"] = json.dumps(json.loads(members["about.json"]) | changes).encode()

    return change


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (b"", "no session file"),
        (b"PK\x05\x06" + bytes(18), "lacks about.json"),
        (FILE[:-1], "no session file"),
        (FILE + b"x", "no session file"),
        (FILE[100:], "no session file"),
        (rewritten(lambda m: m.pop("session.json") and None), "lacks session.json"),
        (rewritten(lambda m: m.update({"session.json": b"[]"})), "cannot be used"),
        (rewritten(lambda m: m.update({"about.json": b"a" * 70_000})), "unpacks to 70,000"),
        (rewritten(lambda m: None, zipfile.ZIP_LZMA), "neither stored nor deflated"),
        (rewritten(about(version=2)), "version 2"),
        (rewritten(about(format="other")), "version None"),
        (rewritten(about(view={"A": 1})), "view"),
        (rewritten(about(view={"a": {"branch": 9}})), "cannot be used"),
        (rewritten(about(model={"name": "/etc"})), "path"),
        (rewritten(lambda m: m.update({f"{i}": b"" for i in range(1100)})), "members"),
    ],
)
def test_a_broken_file_is_refused_with_a_sentence(blob: bytes, said: str) -> None:
    with pytest.raises(ts.RecordError, match=said):
        session_file.read(blob)


def test_two_members_of_one_name_are_refused() -> None:
    sink = io.BytesIO(FILE)
    with warnings.catch_warnings(), zipfile.ZipFile(sink, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("session.json", b"{}")
    with pytest.raises(ts.RecordError, match="two of one name"):
        session_file.read(sink.getvalue())


def test_a_member_that_unpacks_to_more_than_it_says_is_refused() -> None:
    bomb = rewritten(lambda m: m.update({"about.json": b" " * 2**26}), zipfile.ZIP_DEFLATED)
    size = struct.pack("<L", 2**26)
    assert bomb.count(size) >= 2
    with pytest.raises(ts.RecordError, match="damaged"):
        session_file.read(bomb.replace(size, struct.pack("<L", 900)))
