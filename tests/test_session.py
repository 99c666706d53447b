"""A session is a tree that is never edited in place: every change can be undone, none is lost."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_traces import END, MODEL, forked, made

import tokenscope_core as ts
from tokenscope_core import session_format
from tokenscope_core.session import MAX_BRANCHES, UNDO_STEPS, Session
from tokenscope_core.session_branch import MAX_NAME, MAX_NOTE, PALETTE_SIZE
from tokenscope_core.session_tables import tree_frame
from tokenscope_core.trace import recipe_key

ROOT = made(["if", " x", ":", "\n", " return"], prompt_length=2)
WHILE = forked(ROOT, 0, ["while"], [" x", ":"])
DEEPER = forked(WHILE, 2, [" y"])
ELSE = forked(ROOT, 3, [" pass"])


@pytest.fixture
def session() -> Session:
    grown = Session.start(ROOT).add(WHILE, parent=ROOT)
    return grown.add(DEEPER, parent=WHILE).add(ELSE, parent=ROOT)


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
        "original", "`if` → `while` at 0", "`:` → ` y` at 2", "`⏎` → ` pass` at 3"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("child", "name"),
    [
        (forked(ROOT, 2, [" and", " y"], removed=0), "` and y` inserted at 2"),
        (forked(ROOT, 1, [], [":"], removed=1), "` x` deleted at 1"),
        (forked(ROOT, 3, [], ["z"], removed=0), "again from 3"),
        (forked(ROOT, 2, ["\x1b[0m" + "long " * 9]), "`:` → `\ufffd[0mlong long long long…` at 2"),
    ],
)
def test_a_name_fits_the_kind_of_edit(child: ts.Trace, name: str) -> None:
    session = Session.start(ROOT).add(child, parent=ROOT)
    assert session.branch(child.key).name == name


def test_without_the_parent_a_name_leaves_out_what_was_replaced() -> None:
    assert Session.start(ROOT).add(WHILE).branch(WHILE.key).name == "`while` at 0"
    gone = forked(ROOT, 1, [], [":"], removed=2)
    assert Session.start(ROOT).add(gone, parent=WHILE).branch(gone.key).name == (
        "2 tokens deleted at 1"
    )


def test_equal_names_are_numbered() -> None:
    again = dataclasses.replace(WHILE, request=ts.Request("other noise"))
    session = Session.start(ROOT).add(WHILE, again, parent=ROOT)
    assert session.branch(again.key).name == "`if` → `while` at 0 (2)"


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


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "rename", "note", "colour", "remove", "select", "undo", "redo"]),
        st.integers(0, 50),
        _TEXTS.filter(str.strip),
    ),
    max_size=25,
)


def after(steps: list[tuple[str, int, str]]) -> list[Session]:
    """A session after each of some random steps."""
    traces = {ROOT.key: ROOT}
    states = [Session.start(ROOT)]
    for step, number, text in steps:
        session = states[-1]
        key = session.walk()[number % len(session)]
        if step == "add":
            child = forked(traces[key], number % 3, [text])
            traces[child.key] = child
            states.append(session.add(child, parent=traces[key]))
        elif step == "remove":
            states.append(session.remove(key) if key != session.root.key else session)
        elif step in ("rename", "note"):
            states.append(getattr(session, step)(key, text))
        elif step == "colour":
            states.append(session.colour(key, number % PALETTE_SIZE))
        else:
            states.append(session.select(key) if step == "select" else getattr(session, step)())
    return states


@given(_STEPS)
def test_any_session_survives_being_written_and_read(steps: list[tuple[str, int, str]]) -> None:
    session = after(steps)[-1]
    assert Session.from_bytes(session.to_bytes()) == session


@given(_STEPS)
def test_undo_and_redo_lead_to_the_very_same_trees(steps: list[tuple[str, int, str]]) -> None:
    states = after(steps)
    for before, now in itertools.pairwise(states):
        if len(now.past) > len(before.past) and not now.future:
            undone = now.undo()
            assert (undone.branches, undone.current) == (before.branches, before.current)
            assert undone.past == before.past
            assert undone.redo() == now


@given(_STEPS)
def test_all_that_was_undone_can_be_redone(steps: list[tuple[str, int, str]]) -> None:
    session = after(steps)[-1]
    undone = [session]
    while undone[-1].past:
        undone.append(undone[-1].undo())
    redone = undone[-1]
    for expected in reversed(undone[:-1]):
        redone = redone.redo()
        assert redone == expected


@given(_STEPS)
def test_a_walk_meets_every_branch_once_and_parents_first(
    steps: list[tuple[str, int, str]],
) -> None:
    session = after(steps)[-1]
    walk = session.walk()
    assert sorted(walk) == sorted(branch.key for branch in session.branches)
    for index, key in enumerate(walk):
        parent = session.branch(key).parent
        assert parent is None or parent in walk[:index]


def changed_record(session: Session, change: Callable[[dict[str, Any]], object]) -> bytes:
    values = json.loads(session.to_bytes())
    change(values)
    return json.dumps(values).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["branches"][1].update(parent=v["branches"][2]["key"]),  # a cycle
        lambda v: v["branches"][1].update(parent="0" * 64),
        lambda v: v["branches"][1].update(parent=7),
        lambda v: v["branches"][1].pop("parent"),
        lambda v: v["branches"][1].pop("edit"),
        lambda v: v["branches"][0].update(key="../../etc/passwd"),
        lambda v: v["branches"][0].update(key="0" * 64),  # of another recipe
        lambda v: v["branches"][0].update(name="x" * 100_000),
        lambda v: v["branches"][0].update(name=["x"]),
        lambda v: v["branches"][0].update(name="\ud800"),
        lambda v: v["branches"][0].update(colour=1.5),
        lambda v: v["branches"][0].update(colour=True),
        lambda v: v["branches"][0].update(stopped_after=-1),
        lambda v: v["branches"][1]["edit"].update(position=-1),
        lambda v: v["branches"][1]["edit"].update(token_ids="abc"),
        lambda v: v["branches"][1]["edit"].update(surprise=1),
        lambda v: v["branches"][1].update(set={"max_new_tokens": "many"}),
        lambda v: v["branches"][1].update(unset={"prompt": [1]}),
        lambda v: v["branches"][1].update(unset=[["prompt"]]),
        lambda v: v.update(branches="many"),
        lambda v: v.update(branches={}),
        lambda v: v.update(request=[1]),
        lambda v: v.update(states=[]),
        lambda v: v.update(states=v["states"] * UNDO_STEPS),
        lambda v: v.update(now=-1),
        lambda v: v.update(now=99),
        lambda v: v.update(key_version="x"),
        lambda v: v["states"][-1].update(branches=[0, 0]),
        lambda v: v["states"][-1].update(branches=[-1]),
        lambda v: v["states"][-1].update(branches=list(range(2)) * MAX_BRANCHES),
        lambda v: v["states"][-1].update(branches=[]),
        lambda v: v["states"][-1].update(current=17),
        lambda v: v.pop("model"),
        lambda v: v["model"].update(name=None),
        lambda v: v["model"].update(vocabulary_size=0.5),
        lambda v: v.update(version=2),
        lambda v: v.update(version=None),
        lambda v: v.update(format="another"),
    ],
)
def test_a_malformed_record_is_a_named_error(
    session: Session, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(ts.RecordError):
        Session.from_bytes(changed_record(session, change))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.data())
def test_any_part_of_a_record_may_be_replaced_by_anything(data: st.DataObject) -> None:
    session = Session.start(ROOT).add(WHILE, parent=ROOT).rename(WHILE.key, "mine")
    values = json.loads(session.to_bytes())
    places: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        inside = node.items() if isinstance(node, dict) else enumerate(node)
        for name, value in inside:
            places.append((node, name))
            if isinstance(value, dict | list):
                visit(value)

    visit(values)
    node, name = data.draw(st.sampled_from(places))
    node[name] = data.draw(_JSON)
    try:
        read = Session.from_bytes(json.dumps(values).encode())
    except ts.RecordError:
        return
    assert Session.from_bytes(read.to_bytes()) == read


@pytest.mark.parametrize(
    "blob",
    [b"", b"null", b"[]", b'"x"', b"\xff", b"{}", b"[" * 100_000, b'{"version":NaN}', b"1" * 9999],
)
def test_bytes_that_are_no_session_are_a_named_error(blob: bytes) -> None:
    with pytest.raises(ts.RecordError):
        Session.from_bytes(blob)


def test_a_record_too_large_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    blob = Session.start(ROOT).to_bytes()
    monkeypatch.setattr(session_format, "MAX_BYTES", len(blob) - 1)
    with pytest.raises(ts.RecordError, match="bytes"):
        Session.from_bytes(blob)
    with pytest.raises(ts.RequestError, match="bytes"):
        Session.start(ROOT).to_bytes()


def test_a_small_record_that_unpacks_to_much_is_refused(session: Session) -> None:
    def swell(values: dict[str, Any]) -> None:
        values["request"]["prompt"] = "x" * 2_000_000
        values["branches"] *= 50

    with pytest.raises(ts.RecordError, match="unpack"):
        Session.from_bytes(changed_record(session, swell))


def test_an_error_does_not_repeat_a_large_record(session: Session) -> None:
    blob = changed_record(session, lambda v: v["branches"][0].update(set={"x" * 50_000: 1}))
    with pytest.raises(ts.RecordError) as caught:
        Session.from_bytes(blob)
    assert len(str(caught.value)) < 1_000


def test_keys_of_an_older_definition_are_computed_anew(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {branch.key: f"{i:064x}" for i, branch in enumerate(session.branches)}

    def renamed(values: dict[str, Any]) -> None:
        values["key_version"] -= 1
        for branch in values["branches"]:
            branch["key"] = old[branch["key"]]
            if "parent" in branch:
                branch["parent"] = old[branch["parent"]]

    assert Session.from_bytes(changed_record(session, renamed)) == session


def test_what_branches_have_in_common_is_written_once() -> None:
    prompt = "x = 1\n" * 2_000
    root = made(["if", " x"], request=ts.Request(prompt))
    session = Session.start(root)
    for i in range(20):
        session = session.add(forked(root, 1, [f"{i}"]))
    assert len(session.to_bytes()) < 2 * len(prompt)


def test_a_request_that_leaves_the_roots_settings_is_kept() -> None:
    sampled = ts.Request("if x", sampling=ts.Sampling(1.0, seed=3), stop=("\n",))
    root = made(["if", " x"], request=sampled)
    child = dataclasses.replace(forked(root, 1, [" y"]), request=ts.Request("if x"))
    session = Session.start(root).add(child)
    assert Session.from_bytes(session.to_bytes()).branch(child.key).request == ts.Request("if x")


def test_a_session_is_kept_by_the_store(session: Session, store: ts.Store) -> None:
    store.put_session("mine", session.to_bytes())
    blob = store.get_session("mine")
    assert blob is not None
    assert Session.from_bytes(blob) == session


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


def test_the_tree_is_a_table_in_the_order_of_a_walk(session: Session) -> None:
    traces = {trace.key: trace for trace in (ROOT, WHILE, DEEPER, ELSE)}
    frame = tree_frame(session, traces)
    assert frame["key"].tolist() == list(session.walk())
    assert frame["depth"].tolist() == [0, 1, 2, 1]
    assert frame["fork_position"].tolist()[1:] == [0, 2, 3]
    assert frame["shared_prefix"].tolist()[1:] == [0, 2, 3]
    assert frame["forced"].tolist() == ["", "while", " y", " pass"]
    assert frame["tokens"].tolist() == [5, 3, 3, 4]
    assert frame["generated_tokens"].tolist() == [3, 1, 1, 2]
    assert frame["total_logprob"].tolist() == [-3.0, -1.0, -1.0, -2.0]
    assert frame["finish_reason"].tolist() == ["length"] * 4
    assert frame["selected"].tolist() == [False, False, False, True]


def test_a_branch_that_takes_the_same_token_shares_more_than_its_fork() -> None:
    same = forked(ROOT, 1, [" x"], [":", " y"])
    session = Session.start(ROOT).add(same)
    frame = tree_frame(session, {ROOT.key: ROOT, same.key: same})
    assert (frame["fork_position"][1], frame["shared_prefix"][1]) == (1, 3)


def test_what_a_missing_trace_would_say_is_missing_from_the_tree(session: Session) -> None:
    frame = tree_frame(session, {})
    assert frame["name"].tolist()[0] == "original"
    assert frame["fork_position"].tolist()[1:] == [0, 2, 3], "which the recipe says"
    assert frame[["tokens", "mean_surprisal", "finish_reason", "forced"]].isna().all(axis=None)
    partly = tree_frame(session, {WHILE.key: WHILE})
    assert pd.isna(partly["shared_prefix"][1])
    assert partly["tokens"][1] == 3


def test_a_special_token_that_was_forced_is_named_in_the_tree() -> None:
    ended = forked(ROOT, 2, [END])
    frame = tree_frame(Session.start(ROOT).add(ended), {ended.key: ended})
    assert frame["forced"][1] == END
