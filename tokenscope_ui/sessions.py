"""The tree of branches a browser session works on: grown, changed, kept, and found again.

The address holds `session`: the name under which the store keeps the tree, for its owner alone
where people sign in, else for whoever knows the name. Every change is kept at once. Where another
tab has changed the same tree meanwhile, this one goes on as a copy of its own, so that neither
overwrites the other.
"""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import streamlit as st

from tokenscope_core import RecordError, Session, TokenScopeError, Trace
from tokenscope_core.from_file import is_from_file
from tokenscope_ui import address as page_address
from tokenscope_ui import imported, own_store
from tokenscope_ui.server import service

SESSION_PARAMETER = "session"
_STATE = "session_state"
_SEEN = "session_address_seen"
_EARLIER = "earlier_sessions"


@dataclass(frozen=True, slots=True)
class SessionState:
    """The tree, the name it is kept under, and its bytes as they were kept last; None before.

    `problem` says why the last change is on screen only; `copied` that another tab had changed the
    tree, and this is now a copy.
    """

    name: str
    session: Session
    kept: bytes | None = None
    problem: TokenScopeError | None = None
    copied: bool = False


def state() -> SessionState | None:
    """The tree in hand with what became of keeping it; None before the first run."""
    return cast("SessionState | None", st.session_state.get(_STATE))


def current() -> Session | None:
    """The tree in hand; None before the first run."""
    held = state()
    return None if held is None else held.session


def name_in_hand() -> str | None:
    """The name that the tree in hand is kept under; None before the first run."""
    held = state()
    return None if held is None else held.name


def earlier() -> tuple[str, ...]:
    """The names of the trees worked on before, latest first: by a signed-in person at any time,
    else in this browser session."""
    if _EARLIER not in st.session_state:
        st.session_state[_EARLIER] = own_store.names()
    return cast("tuple[str, ...]", st.session_state[_EARLIER])


def take(traces: Sequence[Trace], parent: Trace | None) -> None:
    """Add what a run has made: branches to the tree they grew on, anything else as a new tree."""
    if not traces:
        return
    session = current()
    if session is not None and all(trace.key in session for trace in traces):
        change(session.select(traces[0].key))
    elif traces[0].branch is None:
        begin(Session.start(traces[0]))
    else:
        grown_on = session if session and traces[0].branch[0] in session else None
        grown_on = grown_on or (None if parent is None else ancestry(parent))
        if grown_on is not None:
            _set_new_if_other(grown_on)
            change(grown_on.add(*traces, parent=parent))


def take_shown(trace: Trace) -> None:
    """Begin the tree of a trace that was opened by its address alone, as far back as the store has
    what it grew on."""
    take((trace,), None if trace.branch is None else stored(trace.branch[0]))


def ancestry(trace: Trace) -> Session | None:
    """The tree of a trace and those it grew on, as far as the store holds them all; else None."""
    path = [trace]
    while (branch := path[-1].branch) is not None:
        grown_on = stored(branch[0])
        if grown_on is None:
            return None
        path.append(grown_on)
    path.reverse()
    session = Session.start(path[0])
    for parent, child in itertools.pairwise(path):
        session = session.add(child, parent=parent)
    return session.without_history()


def stored(key: str) -> Trace | None:
    """A trace from the store; None where it is not there or cannot be read."""
    try:
        return service().store.get(key) or imported.get(key)
    except RecordError:
        return None


def change(session: Session) -> None:
    """Go on with a changed tree, and keep it."""
    held = state()
    if held is None or held.session is session:
        return
    if held.session.branches == session.branches:
        held, session = _select_in_newest(held, session)
    _set(_keep(replace(held, session=session, problem=None)))


def _select_in_newest(held: SessionState, session: Session) -> tuple[SessionState, Session]:
    """Merely turning to a branch is no reason for a copy: where another tab has changed the tree,
    this one takes over the change."""
    try:
        blob = own_store.get(held.name)
        if blob is None or blob == held.kept:
            return held, session
        newest = Session.from_bytes(blob)
    except RecordError:
        return held, session
    if session.current not in newest:
        return held, session
    return replace(held, kept=blob), newest.select(session.current)


def open_named(name: str) -> Session | None:
    """Go on with a tree that the store keeps; None where it holds none of that name.

    Raises:
        RecordError: it is damaged, or of an unknown version.
    """
    blob = own_store.get(name)
    if blob is None:
        return None
    session = Session.from_bytes(blob)
    _remember_earlier()
    _set(SessionState(name, session, kept=blob))
    return session


def open_again(name: str | None) -> None:
    """Go on with a tree that this browser session had in hand, where it is still there."""
    held = state()
    if name is None or (held is not None and held.name == name):
        return
    # One that cannot be read any more is begun anew by what it is made of.
    with contextlib.suppress(RecordError):
        open_named(name)


def restore() -> Session | None:
    """Take up the tree that the address names, where a person has changed it: a reload, a link.

    Raises:
        TokenScopeError: there is no such tree here, or it cannot be read.
    """
    name = st.query_params.get(SESSION_PARAMETER)
    if name is None or name == st.session_state.get(_SEEN):
        return None
    st.session_state[_SEEN] = name
    session = open_named(name)
    if session is None:
        raise TokenScopeError(
            asked=f"The address names the session “{name[:40]}”.",
            found="This server does not hold it for you: it was made elsewhere or by somebody "
            "else, or deleted.",
            action="Ask for the run itself, or generate it again from its prompt.",
        )
    return session


def publish(**more: str | None) -> None:
    """Make the address name the tree in hand, and what else a page says there."""
    name = address().get(SESSION_PARAMETER)
    st.session_state[_SEEN] = name
    page_address.publish(**{SESSION_PARAMETER: name}, **more)


def address() -> dict[str, str]:
    """The query parameters that name the tree in hand; none while it is on screen only."""
    held = state()
    return {} if held is None or held.kept is None else {SESSION_PARAMETER: held.name}


def begin(session: Session) -> None:
    """Go on with a tree of one's own, such as the copy of a shared one; the tree in hand is kept
    among the earlier."""
    _remember_earlier()
    _set(_keep(SessionState(uuid.uuid4().hex, session)))


def attach(name: str, blob: bytes) -> None:
    """Keep what belongs to the tree in hand, until that is deleted.

    Raises:
        TokenScopeError: there is no room for it, or the store cannot be written.
    """
    held = state()
    assert held is not None, "there is a tree in hand"
    # Without its tree nobody could delete it; another tab may have deleted that meanwhile.
    if held.problem is not None or own_store.get(held.name) is None:
        held = _keep(held)
        _set(held)
    if held.kept is None and held.problem is not None:
        raise held.problem
    own_store.put_part(held.name, name, blob)


def keep_again() -> None:
    """Try once more to keep a tree that is on screen only."""
    held = state()
    if held is not None and held.problem is not None:
        _set(_keep(held))


def delete(name: str) -> None:
    """Delete a tree for good, with its short links and imported figures.

    Raises:
        RecordError: the store cannot be written.
    """
    own_store.delete(name)
    st.session_state[_EARLIER] = tuple(other for other in earlier() if other != name)
    held = state()
    if held is not None and held.name == name:
        del st.session_state[_STATE]


def _set_new_if_other(session: Session) -> None:
    held = state()
    if held is None or held.session is not session:
        begin(session)


def _remember_earlier() -> None:
    held = state()
    if held is not None:
        st.session_state[_EARLIER] = tuple(dict.fromkeys((held.name, *earlier())))


def _keep(held: SessionState) -> SessionState:
    """Put the tree into the store, under a new name where another tab has changed it."""
    try:
        blob = held.session.to_bytes()
        if held.kept is not None and own_store.get(held.name) != held.kept:
            held = replace(held, name=uuid.uuid4().hex, kept=None, copied=True)
        parts = _brought(held.session) if held.kept is None else {}
        own_store.put(held.name, blob, parts)
    except TokenScopeError as problem:
        return replace(held, problem=problem)
    return replace(held, kept=blob, problem=None)


def _brought(session: Session) -> dict[str, bytes]:
    """The figures of a tree that nobody can compute again."""
    if not is_from_file(session.model):
        return {}
    found = (stored(branch.key) for branch in session.branches)
    return imported.parts(trace for trace in found if trace is not None)


def _set(held: SessionState) -> None:
    st.session_state[_STATE] = held
