"""A branch of a session made longer: it stays where it is in the tree, and so does what grew on it.

A key names a whole recipe, that of the parent included, so that what grew on the branch gets other
keys. Its recipes, its tokens and its figures stay: it forks where the longer trace is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tokenscope_core.record.trace import Trace, recipe_key
from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sessions.session import Session


def lengthened(
    session: Session, key: str, longer: Trace, stored: Callable[[str], Trace | None]
) -> tuple[Session, tuple[Trace, ...]]:
    """The session with a longer trace in the place of a branch, as one step, and that selected.

    Args:
        session: the tree.
        key: of the branch that the trace begins with.
        longer: the trace, of the same model and with the same parent and edit.
        stored: a trace of the tree by its key; None where it is no longer there.

    Returns:
        The session, and the traces of what grew on the branch under their new keys, as far as they
        are stored. Of what was stopped and is not stored the key cannot be told: it becomes the run
        that was asked for.

    Raises:
        RequestError: there is no such branch.
    """
    if longer.key in session:
        return session.select(longer.key), ()
    old = session.branch(key)
    stopped = len(longer) if longer.finish_reason == "cancelled" else None
    new = {
        key: replace(old, key=longer.key, request=longer.request, stopped_after=stopped),
    }
    traces: list[Trace] = []
    for grown in session.descendants(key):
        branch = session.branch(grown)
        trace = stored(grown)
        new[grown], moved = _moved(session, branch, new[str(branch.parent)].key, trace)
        if moved is not None:
            traces.append(moved)
    branches = tuple(new.get(branch.key, branch) for branch in session.branches)
    return session.with_branches(branches, longer.key), tuple(traces)


def _moved(
    session: Session, branch: Branch, parent: str, trace: Trace | None
) -> tuple[Branch, Trace | None]:
    """A branch, and its trace where there is one, as they are on a parent of another key."""
    assert branch.edit is not None, "it grew on another"
    origin = (parent, branch.edit)
    if trace is None:
        key = recipe_key(session.model.fingerprint, branch.request, branch=origin)
        return replace(branch, key=key, parent=parent, stopped_after=None), None
    moved = replace(trace, branch=origin)
    return replace(branch, key=moved.key, parent=parent), moved
