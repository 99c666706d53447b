"""Two people's changes to one tree are put together, or said to concern the same."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from made_sessions import DEEPER, ELSE, ROOT, WHILE, grown
from made_traces import forked, made

from tokenscope_core import RecordError, Session, SessionChangedError, Store
from tokenscope_core.sessions.merge import merge
from tokenscope_core.sessions.saving import save

PROJECT = Path(__file__).resolve().parents[2]
FOR = forked(ROOT, 0, ["for"], [" x"])
BASE = Session.start(ROOT).add(WHILE, parent=ROOT).without_history()


def together(mine: Session, theirs: Session) -> Session:
    found = merge(BASE, mine, theirs)
    assert found is not None
    return found


def test_branches_that_both_added_are_both_there() -> None:
    found = together(BASE.add(ELSE, parent=ROOT), BASE.add(FOR, parent=ROOT))
    assert [branch.key for branch in found.branches] == [ROOT.key, WHILE.key, FOR.key, ELSE.key]
    assert found.current == ELSE.key


def test_undo_takes_back_ones_own_change_and_then_the_others() -> None:
    found = together(BASE.add(ELSE, parent=ROOT), BASE.note(WHILE.key, "theirs"))
    assert ELSE.key not in found.undo()
    assert found.undo().branch(WHILE.key).note == "theirs"
    assert found.undo().undo().branches == BASE.branches


def test_a_name_and_a_note_on_the_same_branch_are_both_kept() -> None:
    found = together(BASE.rename(WHILE.key, "mine"), BASE.note(WHILE.key, "theirs"))
    assert (found.branch(WHILE.key).name, found.branch(WHILE.key).note) == ("mine", "theirs")


def test_an_undone_step_is_a_change_as_any_other() -> None:
    mine = Session.from_bytes(BASE.add(ELSE, parent=ROOT).to_bytes())
    theirs = mine.note(ROOT.key, "theirs")
    found = merge(mine, mine.undo(), theirs)
    assert found is not None
    assert ELSE.key not in found
    assert found.branch(ROOT.key).note == "theirs"


def test_names_stay_apart() -> None:
    mine = BASE.add(ELSE, parent=ROOT)
    name = mine.branch(ELSE.key).name
    found = together(mine, BASE.rename(WHILE.key, name))
    assert {branch.name for branch in found.branches} >= {name, f"{name} (2)"}


def test_the_same_change_by_both_is_one() -> None:
    changed = BASE.add(FOR, parent=ROOT).rename(WHILE.key, "same")
    found = together(changed, changed.select(ROOT.key))
    assert found.branches == changed.branches


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (BASE.rename(WHILE.key, "mine"), BASE.rename(WHILE.key, "theirs")),
        (BASE.note(WHILE.key, "mine"), BASE.note(WHILE.key, "theirs")),
        (BASE.colour(WHILE.key, 3), BASE.colour(WHILE.key, 4)),
        (BASE.remove(WHILE.key), BASE.note(WHILE.key, "theirs")),
        (BASE.remove(WHILE.key), BASE.add(DEEPER, parent=WHILE)),
        (BASE.note(WHILE.key, "mine"), BASE.remove(WHILE.key)),
        (BASE.add(DEEPER, parent=WHILE), BASE.remove(WHILE.key)),
        (BASE, Session.start(made(["x"], prompt_length=1))),
    ],
)
def test_changes_to_the_same_are_not_put_together(mine: Session, theirs: Session) -> None:
    assert merge(BASE, mine, theirs) is None


def test_turning_to_a_branch_is_no_change() -> None:
    session = grown()
    assert session.differs_in_selection_alone(session.select(ROOT.key))
    assert not session.differs_in_selection_alone(session.rename(ROOT.key, "other"))
    assert not session.differs_in_selection_alone(session.undo())


def test_keeping_puts_in_what_others_changed_and_says_what(store: Store) -> None:
    blob = save(store, "a", BASE, None).blob
    theirs = save(store, "a", BASE.add(FOR, parent=ROOT), blob)
    assert theirs.theirs is None
    mine = save(store, "a", BASE.add(ELSE, parent=ROOT), blob)
    assert mine.theirs is not None
    assert FOR.key in mine.session
    assert ELSE.key in mine.session
    assert store.get_session("a") == mine.blob


def test_keeping_refuses_what_would_undo_another_change(store: Store) -> None:
    blob = save(store, "a", BASE, None).blob
    kept = save(store, "a", BASE.rename(WHILE.key, "theirs"), blob).blob
    with pytest.raises(SessionChangedError):
        save(store, "a", BASE.rename(WHILE.key, "mine"), blob)
    assert store.get_session("a") == kept
    store.delete_session("a")
    with pytest.raises(SessionChangedError):
        save(store, "a", BASE.rename(WHILE.key, "mine"), blob)
    assert store.get_session("a") is None


def test_keeping_the_same_again_is_no_conflict(store: Store) -> None:
    save(store, "a", BASE, None)
    save(store, "a", BASE, None)


def test_a_state_that_cannot_be_read_is_left_as_it_is(store: Store) -> None:
    blob = save(store, "a", BASE, None).blob
    store.put_session("a", b"damaged")
    with pytest.raises(SessionChangedError) as refused:
        save(store, "a", BASE.rename(WHILE.key, "mine"), blob)
    assert isinstance(refused.value.__cause__, RecordError)
    assert store.get_session("a") == b"damaged"


_WRITER = """
import sys
from tokenscope_core import Session, Store
from tokenscope_core.sessions.saving import save

folder, line = sys.argv[1:]
store = Store(folder)
blob = store.get_session("tree")
session = Session.from_bytes(blob)
key = session.branches[int(line)].key
print("ready", flush=True)
sys.stdin.readline()
for number in range(30):
    done = save(store, "tree", session.note(key, f"{number}"), blob)
    session, blob = done.session, done.blob
    assert session.branch(key).note == f"{number}"
store.close()
"""


def test_processes_that_change_one_session_at_once_lose_nothing(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        tree = grown().without_history()
        save(store, "tree", tree, None)
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", _WRITER, str(tmp_path), str(line)],
                cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
            for line in range(3)
        ]  # fmt: skip
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            writer.communicate("go\n", timeout=120)
        assert [writer.returncode for writer in writers] == [0, 0, 0]
        blob = store.get_session("tree")
        assert blob is not None
        found = Session.from_bytes(blob)
    assert [branch.note for branch in found.branches] == ["29", "29", "29", ""]
    assert len(found.past) == 90, "every change is a step that can be undone"
