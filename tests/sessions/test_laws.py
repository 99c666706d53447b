"""Whatever is done to a session in whatever order, nothing of it is lost."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from made_sessions import ROOT
from made_traces import forked

from tokenscope_core.sessions.branch import PALETTE_SIZE
from tokenscope_core.sessions.session import Session

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
