"""Two people's changes to one tree of branches, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sessions.session import MAX_BRANCHES, Session, unused_name

# What a person can change of a branch.
_OWN_WORDS = ("name", "note", "colour")


class _ConflictError(Exception):
    """Both changed the same."""


def merge(base: Session, mine: Session, theirs: Session) -> Session | None:
    """Make of `theirs` what `mine` made of `base`: both changes are in the result.

    It is one step on the history of `theirs`, so that undoing it leaves what the other did. What is
    selected is what `mine` has selected, where that is still there.

    Returns:
        None where both changed the same to something else: a name, a note, a colour; or where one
        removed what the other changed or let grow.
    """
    if base.root.key != theirs.root.key or base.root.key != mine.root.key:
        return None
    removed = [branch for branch in base.branches if branch.key not in mine]
    if any(_was_touched(branch, base, theirs) for branch in removed):
        return None
    gone = {branch.key for branch in removed}
    branches = {branch.key: branch for branch in theirs.branches if branch.key not in gone}
    try:
        for own in mine.branches:
            if own.key not in base:
                branches[own.key] = _added(own, branches)
            elif own != base.branch(own.key):
                branches[own.key] = _changed(base.branch(own.key), own, branches.get(own.key))
    except _ConflictError:
        return None
    if len(branches) > MAX_BRANCHES:
        return None
    found = (key for key in (mine.current, theirs.current) if key in branches)
    return theirs.with_branches(tuple(branches.values()), next(found, theirs.root.key))


def _was_touched(branch: Branch, base: Session, theirs: Session) -> bool:
    """Whether they changed a branch, or let something grow on it."""
    if branch.key not in theirs:
        return False
    grown = any(key not in base for key in theirs.children(branch.key))
    return grown or theirs.branch(branch.key) != branch


def _changed(base: Branch, mine: Branch, theirs: Branch | None) -> Branch:
    """A branch with the changes of both."""
    if theirs is None:
        raise _ConflictError
    changes = {}
    for field in _OWN_WORDS:
        was, own, other = (getattr(branch, field) for branch in (base, mine, theirs))
        if own != was:
            if other not in (was, own):
                raise _ConflictError
            changes[field] = own
    return replace(theirs, **changes)


def _added(mine: Branch, branches: Mapping[str, Branch]) -> Branch:
    """A branch that is new, under a name of its own; theirs where they have added it too."""
    theirs = branches.get(mine.key)
    if theirs is not None:
        if mine.note not in ("", theirs.note):
            raise _ConflictError
        return theirs
    if mine.parent not in branches:
        raise _ConflictError
    return replace(mine, name=unused_name(mine.name, {b.name for b in branches.values()}))
