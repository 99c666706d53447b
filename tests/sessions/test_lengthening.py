"""A branch made longer keeps its place, its name and what grew on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_sessions import DEEPER, ELSE, ROOT, WHILE, grown
from made_traces import made

import tokenscope_core as ts
from tokenscope_core.record.trace import recipe_key
from tokenscope_core.sessions.lengthening import lengthened
from tokenscope_core.sessions.traces import cut_short

HELD = {trace.key: trace for trace in (ROOT, WHILE, DEEPER, ELSE)}
LONGER = made(
    ["if", " x", ":", "\n", " return", " y"],
    prompt_length=2,
    request=replace(ROOT.request, max_new_tokens=4),
)


def test_a_root_made_longer_keeps_its_name_and_what_grew_on_it() -> None:
    before = grown().rename(ROOT.key, "mine").note(ROOT.key, "a note").note(DEEPER.key, "deep")
    after, moved = lengthened(before, ROOT.key, LONGER, HELD.get)
    assert after.root.key == after.current == LONGER.key
    assert after.root.request == LONGER.request
    assert [b.name for b in after.branches] == [b.name for b in before.branches]
    assert [b.note for b in after.branches] == [b.note for b in before.branches]
    assert [b.edit for b in after.branches] == [b.edit for b in before.branches]
    assert {trace.key for trace in moved} == {b.key for b in after.branches[1:]}
    for trace in moved:
        assert trace.branch is not None
        assert trace.branch[0] in after, "each names the parent it has now"
        origin = (after.branch(trace.key).parent, trace.branch[1])
        assert trace.key == recipe_key(trace.model.fingerprint, trace.request, branch=origin)
    old = {HELD[b.key].token_ids.tobytes() for b in before.branches[1:]}
    assert {trace.token_ids.tobytes() for trace in moved} == old, "their figures are the same"


def test_undo_brings_back_the_shorter_one_with_all_its_branches() -> None:
    before = grown()
    after, _ = lengthened(before, ROOT.key, LONGER, HELD.get)
    assert after.undo().branches == before.branches
    assert after.undo().redo().branches == after.branches
    assert ts.Session.from_bytes(after.to_bytes()).undo().branches == before.branches


def test_branches_elsewhere_in_the_tree_are_left_alone() -> None:
    before = grown()
    longer = replace(WHILE, request=replace(WHILE.request, max_new_tokens=50))
    after, moved = lengthened(before, WHILE.key, longer, HELD.get)
    assert after.root == before.root
    assert after.branch(ELSE.key) == before.branch(ELSE.key)
    assert after.branch(longer.key).parent == ROOT.key
    assert [trace.token_ids.tolist() for trace in moved] == [DEEPER.token_ids.tolist()]


def test_what_is_no_longer_stored_is_moved_as_a_recipe() -> None:
    after, moved = lengthened(grown(), ROOT.key, LONGER, lambda key: None)
    assert not moved
    found = next(b for b in after.branches if b.edit == ELSE.branch[1])  # type: ignore[index]
    assert found.key == replace(ELSE, branch=(LONGER.key, found.edit)).key


def test_a_stopped_branch_keeps_where_it_was_stopped() -> None:
    stopped = cut_short(WHILE, 2)
    tree = ts.Session.start(ROOT).add(stopped, parent=ROOT)
    held = {**HELD, stopped.key: stopped}
    after, moved = lengthened(tree, ROOT.key, LONGER, held.get)
    assert after.branches[1].stopped_after == 2
    assert after.branches[1].key == moved[0].key != stopped.key


def test_a_run_stopped_again_says_so() -> None:
    stopped = cut_short(LONGER, 5)
    after, _ = lengthened(grown(), ROOT.key, stopped, HELD.get)
    assert after.root.stopped_after == 5


def test_one_that_is_there_already_is_only_selected() -> None:
    before = grown().select(ELSE.key)
    after, moved = lengthened(before, ELSE.key, WHILE, HELD.get)
    assert (after.current, after.branches, moved) == (WHILE.key, before.branches, ())


def test_a_branch_that_is_not_there_is_refused() -> None:
    with pytest.raises(ts.RequestError, match="was to be found"):
        lengthened(ts.Session.start(ROOT), WHILE.key, LONGER, HELD.get)
