"""What undoing or redoing a step of a tree does, in words."""

from __future__ import annotations

from collections.abc import Sequence

from tokenscope_core import Session
from tokenscope_core.display.formatting import branches_text
from tokenscope_core.sessions.branch import Branch


def undo_words(session: Session) -> str | None:
    """The step that `undo` takes back; None where there is none."""
    return _step(session.past[-1], session) if session.past else None


def redo_words(session: Session) -> str | None:
    """The step that `redo` makes again; None where there is none."""
    return _step(session, session.future[0]) if session.future else None


def changes_words(before: Session, after: Session) -> str:
    """All that is not the same in two states of a tree, such as `2 branches added, 1 branch
    renamed`; empty where nothing is."""
    both = [(branch, after.branch(branch.key)) for branch in before.branches if branch.key in after]
    added, removed, longer = _gone_on_with(before, after)
    counts = {
        "gone on with": len(longer),
        "added": len(added),
        "removed": len(removed),
        "renamed": sum(old.name != new.name for old, new in both),
        "with another note": sum(old.note != new.note for old, new in both),
        "with another colour": sum(old.colour != new.colour for old, new in both),
    }
    return ", ".join(f"{branches_text(number)} {what}" for what, number in counts.items() if number)


def _step(before: Session, after: Session) -> str:
    added, removed, longer = _gone_on_with(before, after)
    if longer:
        return f"going on with {_named(longer)}"
    if added or removed:
        return f"{'adding' if added else 'removing'} {_named(added or removed)}"
    for old, new in zip(before.branches, after.branches, strict=True):
        if old.name != new.name:
            return f"renaming “{old.name}” to “{new.name}”"
        if old.note != new.note:
            return f"the note on “{new.name}”"
        if old.colour != new.colour:
            return f"the colour of “{new.name}”"
    return "the last change"


def _gone_on_with(
    before: Session, after: Session
) -> tuple[list[Branch], list[Branch], list[Branch]]:
    """The branches that were added, those that were removed, and those that were made longer.

    What grew on the last has other keys for that alone.
    """
    added = [branch for branch in after.branches if branch.key not in before]
    removed = [branch for branch in before.branches if branch.key not in after]
    known = {(branch.name, branch.edit) for branch in removed}
    same = {branch.key for branch in added if (branch.name, branch.edit) in known}
    places = {(branch.name, branch.edit) for branch in added if branch.key in same}
    return (
        [branch for branch in added if branch.key not in same],
        [branch for branch in removed if (branch.name, branch.edit) not in places],
        [branch for branch in added if branch.key in same and branch.parent not in same],
    )


def _named(branches: Sequence[Branch]) -> str:
    if len(branches) == 1:
        return f"“{branches[0].name}”"
    return f"“{branches[0].name}” and {len(branches) - 1:,} more"
