"""A session is a tree that is never edited in place: every change can be undone, none is lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from made_sessions import DEEPER, ELSE, ROOT, WHILE, grown
from made_traces import MODEL, forked, made

import tokenscope_core as ts
from tokenscope_core.record.trace import recipe_key
from tokenscope_core.sessions.branch import MAX_NAME, MAX_NOTE, PALETTE_SIZE
from tokenscope_core.sessions.session import MAX_BRANCHES, UNDO_STEPS, Session


@pytest.fixture
def session() -> Session:
    return grown()


def test_a_session_begins_with_one_run_and_grows_by_its_forks(session: Session) -> None:
    assert session.root.key == ROOT.key
    assert session.children(ROOT.key) == (WHILE.key, ELSE.key)
    assert session.children(WHILE.key) == (DEEPER.key,)
    assert session.path_to(DEEPER.key) == (ROOT.key, WHILE.key, DEEPER.key)
    assert session.walk() == (ROOT.key, WHILE.key, DEEPER.key, ELSE.key)
    assert session.current == ELSE.key, "what was added last is selected"


def test_every_branch_holds_the_recipe_of_its_trace(session: Session) -> None:
    for key in session.walk():
        branch = session.branch(key)
        origin = (branch.parent, branch.edit) if branch.parent and branch.edit else None
        assert recipe_key(session.model.fingerprint, branch.request, branch=origin) == key


def test_a_stopped_run_says_after_how_many_tokens() -> None:
    stopped = made(["if", " x", ":"], finish_reason="cancelled")
    assert Session.start(stopped).root.stopped_after == 3


def test_branches_are_named_for_what_was_done(session: Session) -> None:
    names = [session.branch(key).name for key in session.walk()]
    assert names == [
        "original", "‘if’ → ‘while’ at 0", "‘:’ → ‘ y’ at 2", "‘⏎’ → ‘ pass’ at 3"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("child", "name"),
    [
        (forked(ROOT, 2, [" and", " y"], removed=0), "‘ and y’ inserted at 2"),
        (forked(ROOT, 1, [], [":"], removed=1), "‘ x’ deleted at 1"),
        (forked(ROOT, 3, [], ["z"], removed=0), "again from 3"),
        (forked(ROOT, 2, ["\x1b[0m" + "long " * 9]), "‘:’ → ‘\ufffd[0mlong long long long…’ at 2"),
    ],
)
def test_a_name_fits_the_kind_of_edit(child: ts.Trace, name: str) -> None:
    session = Session.start(ROOT).add(child, parent=ROOT)
    assert session.branch(child.key).name == name


def test_without_the_parent_a_name_leaves_out_what_was_replaced() -> None:
    assert Session.start(ROOT).add(WHILE).branch(WHILE.key).name == "‘while’ at 0"
    gone = forked(ROOT, 1, [], [":"], removed=2)
    assert Session.start(ROOT).add(gone, parent=WHILE).branch(gone.key).name == (
        "2 tokens deleted at 1"
    )


def test_equal_names_are_numbered() -> None:
    again = dataclasses.replace(WHILE, request=ts.Request("other noise"))
    session = Session.start(ROOT).add(WHILE, again, parent=ROOT)
    assert session.branch(again.key).name == "‘if’ → ‘while’ at 0 (2)"


def test_several_branches_are_added_as_one_step_and_the_first_selected() -> None:
    session = Session.start(ROOT).add(WHILE, DEEPER, ELSE)
    assert session.current == WHILE.key
    assert session.undo().walk() == (ROOT.key,)
    assert {branch.colour for branch in session.branches} == {0, 1, 2, 3}


def test_adding_what_is_there_selects_it_and_loses_nothing(session: Session) -> None:
    named = session.rename(WHILE.key, "mine")
    again = named.add(WHILE)
    assert again.branches == named.branches
    assert again.current == WHILE.key
    assert again.undo().branches == session.branches


@pytest.mark.parametrize(
    ("child", "says"),
    [
        (DEEPER, "its parent first"),
        (made(["for"]), "no trace at all"),
        (
            dataclasses.replace(WHILE, model=dataclasses.replace(MODEL, fingerprint="b", name="B")),
            "“B”",
        ),
    ],
)
def test_what_does_not_grow_on_the_session_is_refused(child: ts.Trace, says: str) -> None:
    with pytest.raises(ts.RequestError, match=says):
        Session.start(ROOT).add(child)


def test_a_session_does_not_start_with_a_branch() -> None:
    with pytest.raises(ts.RequestError, match="forked from"):
        Session.start(WHILE)


def test_names_notes_and_colours_are_a_persons(session: Session) -> None:
    changed = session.rename(WHILE.key, " loop ").note(WHILE.key, "slower?").colour(WHILE.key, 5)
    branch = changed.branch(WHILE.key)
    assert (branch.name, branch.note, branch.colour) == ("loop", "slower?", 5)
    assert session.branch(WHILE.key).note == "", "the session it was made from is as it was"
    assert changed.undo().undo().undo().branches == session.branches


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.rename(WHILE.key, "  "),
        lambda s: s.rename(WHILE.key, "x" * (MAX_NAME + 1)),
        lambda s: s.rename(WHILE.key, "\ud800"),
        lambda s: s.note(WHILE.key, "x" * (MAX_NOTE + 1)),
        lambda s: s.colour(WHILE.key, PALETTE_SIZE),
        lambda s: s.colour(WHILE.key, -1),
        lambda s: s.remove(ROOT.key),
        lambda s: s.remove("0" * 64),
        lambda s: s.select("0" * 64),
        lambda s: s.path_to("nothing"),
    ],
)
def test_impossible_changes_are_named(
    session: Session, change: Callable[[Session], object]
) -> None:
    with pytest.raises(ts.RequestError):
        change(session)


def test_removing_a_branch_takes_all_that_grew_on_it_and_undo_brings_it_back(
    session: Session,
) -> None:
    selected = session.select(DEEPER.key)
    removed = selected.remove(WHILE.key)
    assert removed.walk() == (ROOT.key, ELSE.key)
    assert removed.current == ROOT.key, "the parent of what was removed"
    assert session.remove(WHILE.key).current == ELSE.key, "which was not removed"
    back = removed.undo()
    assert (back.branches, back.current) == (selected.branches, DEEPER.key)
    assert back.redo() == removed


def test_selecting_is_no_step_of_the_history(session: Session) -> None:
    undone = session.undo()
    assert undone.select(WHILE.key).redo().branches == session.branches
    assert session.select(WHILE.key).undo().branches == undone.branches


def test_a_change_after_an_undo_begins_another_future(session: Session) -> None:
    changed = session.undo().rename(ROOT.key, "first")
    assert changed.redo() is changed
    assert ELSE.key not in changed


def test_where_there_is_nothing_to_undo_nothing_happens() -> None:
    session = Session.start(ROOT)
    assert session.undo() is session
    assert session.redo() is session
    assert session.rename(ROOT.key, "original") is session


def test_the_history_is_bounded(session: Session) -> None:
    changed = session
    for i in range(UNDO_STEPS + 5):
        changed = changed.note(ROOT.key, f"{i}")
    assert len(changed.past) == UNDO_STEPS


def test_a_step_on_the_keyboard_leads_to_a_neighbour_or_nowhere(session: Session) -> None:
    assert session.neighbour(ROOT.key, "child") == WHILE.key
    assert session.neighbour(WHILE.key, "next") == ELSE.key
    assert session.neighbour(ELSE.key, "previous") == WHILE.key
    assert session.neighbour(DEEPER.key, "parent") == WHILE.key
    for key, direction in (
        (ROOT.key, "parent"), (ROOT.key, "next"), (ELSE.key, "child"), (ELSE.key, "next"),
        (WHILE.key, "previous"),
    ):  # fmt: skip
        assert session.neighbour(key, direction) == key  # type: ignore[arg-type]


def test_a_session_holds_a_limited_number_of_branches() -> None:
    children = [forked(ROOT, 1, [f"{i}"]) for i in range(MAX_BRANCHES)]
    with pytest.raises(ts.RequestError, match="remove some"):
        Session.start(ROOT).add(*children)


def test_a_long_chain_of_forks_is_walked() -> None:
    session, trace = Session.start(ROOT), ROOT
    chain = []
    for i in range(MAX_BRANCHES - 1):
        trace = forked(trace, 1, [f"{i}"])
        chain.append(trace)
    session = session.add(*chain)
    assert len(session.path_to(trace.key)) == len(session.walk()) == MAX_BRANCHES
