"""What a person does to the tree in hand on its page. Every step can be undone."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from tokenscope_core import Session, TokenScopeError
from tokenscope_ui.branches.traces import stored
from tokenscope_ui.runs import runs, session_changes, sessions

_NOTICE = "branches_notice"


def notice() -> str | None:
    """What the last action did, where that deserves a word; told once."""
    text = st.session_state.pop(_NOTICE, None)
    return None if text is None else str(text)


def tell(text: str) -> None:
    """Say something once, at the next drawing of the page."""
    st.session_state[_NOTICE] = text


def choose(key: str) -> None:
    """Turn to a branch, and show it on the strip where that can be: a run is never stopped."""
    session = sessions.current()
    if session is None or key not in session:
        return
    if runs.current().busy or stored(key) is None:
        sessions.change(session.select(key))
    else:
        runs.open_branch(key)


def undo() -> None:
    """Take back the last step."""
    session = sessions.current()
    if session is not None and (words := session_changes.undo_words(session)):
        _turn_to(session.undo())
        tell(f"Undone: {words}.")


def redo() -> None:
    """Make the last step again that was undone."""
    session = sessions.current()
    if session is not None and (words := session_changes.redo_words(session)):
        _turn_to(session.redo())
        tell(f"Done again: {words}.")


def remove(key: str) -> None:
    """Remove a branch with all that grew on it."""
    session = sessions.current()
    if session is None or key not in session:
        return
    name, more = session.branch(key).name, len(session.descendants(key))
    grown = "" if not more else f" and the {more:,} that grew on it"
    if _changed(lambda tree: tree.remove(key)):
        tell(f"Removed “{name}”{grown}. Undo brings it back.")


def rename(key: str, name: str) -> None:
    """Call a branch something else."""
    if not name.strip():
        tell("A name needs at least one character: the branch is called as before.")
        return
    _changed(lambda tree: tree.rename(key, name))


def note(key: str, text: str) -> None:
    """Replace the note on a branch."""
    _changed(lambda tree: tree.note(key, text))


def colour(key: str, index: int) -> None:
    """Give a branch another colour."""
    _changed(lambda tree: tree.colour(key, index))


def open_tree(name: str) -> None:
    """Take up another tree."""
    try:
        session = sessions.open_named(name)
    except TokenScopeError as problem:
        runs.refuse(problem)
        return
    if session is None:
        tell("That tree is no longer kept.")
    else:
        choose(session.current)
        runs.tell_form()


def _changed(change: Callable[[Session], Session]) -> bool:
    """Make a change; whether it could be made. Where not, the page says why."""
    session = sessions.current()
    if session is None:
        return False
    try:
        _turn_to(change(session))
    except TokenScopeError as problem:
        tell(str(problem))
        return False
    return True


def _turn_to(session: Session) -> None:
    before = sessions.current()
    sessions.change(session)
    if before is None or before.current != session.current:
        choose(session.current)
