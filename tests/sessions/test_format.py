"""A session as a record: read again as it was, or refused by name."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_sessions import ROOT, WHILE, grown
from made_traces import forked, made

import tokenscope_core as ts
from tokenscope_core.sessions import format as session_format
from tokenscope_core.sessions.session import MAX_BRANCHES, UNDO_STEPS, Session


@pytest.fixture
def session() -> Session:
    return grown()


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


def test_a_history_holds_a_run_made_longer_but_no_other_run() -> None:
    def with_past(**request: Any) -> bytes:
        root = dataclasses.replace(ROOT, request=dataclasses.replace(ROOT.request, **request))
        past = (Session.start(ROOT),)
        return dataclasses.replace(Session.start(root), past=past).to_bytes()

    assert Session.from_bytes(with_past(max_new_tokens=40)).undo().root.key == ROOT.key
    with pytest.raises(ts.RecordError, match="several sessions"):
        Session.from_bytes(with_past(prompt="else"))
