"""Two visits with one tree: looking changes nothing, and both changes survive and are told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import tokenscope_core as ts
from tokenscope_core import Edit, Request, Session, Trace
from tokenscope_core.branches.plans import plan
from tokenscope_core.jobs.generation_tasks import Branched
from tokenscope_ui.server.server import service

App = Any
BRANCHES, DECODE = "pages/branches.py", "pages/decode.py"
REQUEST = Request("def f(a):\n", max_new_tokens=12, sampling=ts.Sampling(1.0, seed=3))


def run(model: str, wanted: Any) -> Trace:
    view = service().submit(model, wanted, "someone").wait(60.0)
    assert view.trace is not None
    return view.trace


@pytest.fixture
def made(app: App, tiny_folder: str) -> list[Trace]:
    """A run and a branch of it, kept as “made”."""
    root = run(tiny_folder, REQUEST)
    child = run(tiny_folder, Branched((plan(root, Edit(root.prompt_length + 2, (70,))),)))
    session = Session.start(root).add(child, parent=root).rename(child.key, "child")
    service().store.put_session("made", session.to_bytes())
    return [root, child]


def visit(app: App, page: str) -> App:
    """Another visit of the tree."""
    other = type(app)(app.test.session_state["model"])
    other.test.query_params["session"] = "made"
    other.test.switch_page(page)
    return other.run()


def tree(app: App) -> Session:
    session: Session = app.test.session_state["session_state"].session
    return session


def kept() -> Session:
    blob = service().store.get_session("made")
    assert blob is not None
    return Session.from_bytes(blob)


def turn_to(app: App, key: str) -> App:
    """Open a branch by the bar above the code."""
    next(box for box in app.test.selectbox if box.key == "branch_shown").set_value(key)
    return app.run()


def write(app: App, kind: str, key: str, text: str) -> App:
    next(field for field in getattr(app.test, kind) if field.key == key).set_value(text)
    return app.run()


def fork(app: App) -> App:
    app.jump()
    return app.press("Put it here").until_ended()


def test_turning_to_a_branch_writes_nothing_and_stays_in_the_visit(
    app: App, made: list[Trace]
) -> None:
    before = service().store.get_session("made")
    viewer = visit(app, DECODE)
    author = visit(app, DECODE)
    turn_to(viewer, made[0].key)
    assert tree(viewer).current == made[0].key
    assert service().store.get_session("made") == before
    assert tree(author.run()).current == made[1].key


def test_an_author_goes_on_under_the_same_name_while_others_look_around(
    app: App, made: list[Trace]
) -> None:
    author, viewer = visit(app, DECODE), visit(app, DECODE)
    turn_to(viewer, made[0].key)
    fork(author)
    assert len(kept()) == 3
    assert author.test.query_params["session"] == "made"
    assert "elsewhere" not in author.texts
    viewer.run()
    assert len(tree(viewer)) == 3
    assert tree(viewer).current == made[0].key, "what the viewer looks at stays"
    assert "changed elsewhere, by somebody else or in another tab: 1 branch added" in viewer.texts
    assert "elsewhere" not in viewer.press("Close").texts


def test_changes_of_two_visits_are_both_kept_and_both_are_told(app: App, made: list[Trace]) -> None:
    one, two = visit(app, BRANCHES), visit(app, BRANCHES)
    key = made[1].key
    write(one, "text_area", f"branch note {key}", "from one")
    write(two, "text_input", f"branch name {key}", "from two")
    found = kept().branch(key)
    assert (found.note, found.name) == ("from one", "from two")
    assert "1 branch with another note. Both changes are in it now." in two.texts
    assert "1 branch renamed. It is shown as it is now." in one.run().texts
    assert tree(one) == tree(two) == kept()


def test_changes_to_the_same_go_on_apart_and_both_are_told_on_any_page(
    app: App, made: list[Trace]
) -> None:
    one, two = visit(app, BRANCHES), visit(app, BRANCHES)
    key = made[1].key
    write(one, "text_input", f"branch name {key}", "from one")
    write(two, "text_input", f"branch name {key}", "from two")
    assert kept().branch(key).name == "from one"
    assert tree(two).branch(key).name == "from two"
    two.test.switch_page(DECODE)
    one.test.switch_page(DECODE)
    assert "goes on in a copy of its own" in two.run().texts
    assert "goes on there in a copy" in one.run().texts
    assert "elsewhere" not in one.press("Close").run().texts
    two.press("Open the other")
    assert tree(two).branch(key).name == "from one"
    assert "elsewhere" not in two.texts


def test_a_tree_that_was_deleted_elsewhere_goes_on_and_says_so(app: App, made: list[Trace]) -> None:
    author = visit(app, DECODE)
    service().store.delete_session("made")
    fork(author)
    assert "deleted elsewhere" in author.texts
    assert len(tree(author)) == 3
    (name,) = service().store.session_names()
    assert author.test.query_params["session"] == name


def test_a_tree_that_is_damaged_on_the_disk_goes_on_as_another_and_says_so(
    app: App, made: list[Trace], tmp_path: Path
) -> None:
    author = visit(app, DECODE)
    with closing(sqlite3.connect(tmp_path / "store" / "sessions" / "cache.db")) as database:
        ((record,),) = database.execute("SELECT value FROM Cache WHERE key = 'made'").fetchall()
        flipped = record[:10] + bytes([record[10] ^ 4]) + record[11:]
        database.execute("UPDATE Cache SET value = ? WHERE key = 'made'", (flipped,))
        database.commit()
    fork(author)
    assert "damaged on the server" in author.texts
    assert "on this screen only" not in author.texts
    assert len(tree(author)) == 3
    (name,) = set(service().store.session_names()) - {"made"}
    assert author.test.query_params["session"] == name
    blob = service().store.get_session(name)
    assert blob is not None
    assert len(Session.from_bytes(blob)) == 3


def test_a_branch_removed_elsewhere_is_left_for_another(app: App, made: list[Trace]) -> None:
    one, two = visit(app, DECODE), visit(app, BRANCHES)
    two.press("Remove")
    one.run()
    assert "1 branch removed" in one.texts
    assert tree(one).current == one.state.trace.key == made[0].key
