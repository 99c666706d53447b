"""The tree of branches a browser session works on: grown, changed, kept, and found again.

The address holds `session`: the name under which the store keeps the tree, for its owner alone
where people sign in, else for whoever knows the name. Every change is kept at once; which branch is
selected is no change, and each visit has its own. Where somebody else, or another tab, has changed
the tree meanwhile, both changes are kept; where they concern the same, this visit goes on with a
copy, so that neither overwrites the other. Either way both are told.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import streamlit as st

from tokenscope_core import (
    RecordError,
    Session,
    SessionChangedError,
    StoreUnusableError,
    TokenScopeError,
    Trace,
)
from tokenscope_core.sessions.lengthening import lengthened
from tokenscope_core.sessions.uploads import is_from_file
from tokenscope_core.store.records import revision_of
from tokenscope_ui.components import address as page_address
from tokenscope_ui.runs import session_changes, uploads
from tokenscope_ui.server import visitor_store
from tokenscope_ui.server.server import service

_LOG = logging.getLogger(__name__)
_ELSEWHERE = "by somebody else or in another tab"
_MERGED = "This session was changed elsewhere meanwhile, {who}: {what}. Both changes are in it now."
_FOLLOWED = "This session was changed elsewhere, {who}: {what}. It is shown as it is now."
_COPIED = (
    "The same was changed elsewhere meanwhile, {who}. What you do here goes on in a copy of its "
    "own, so that neither overwrites the other."
)
_DELETED = (
    "This session was deleted elsewhere, {who}. What you have of it goes on as another session."
)
_DAMAGED = (
    "What was kept of this session is damaged on the server. What you have of it goes on as "
    "another session."
)
_OTHER_COPIED = (
    "The same as here was changed elsewhere, {who}, and goes on there in a copy. What you did is "
    "in this session as you left it."
)

SESSION_PARAMETER = "session"
_STATE = "session_state"
_SEEN = "session_address_seen"
_EARLIER = "earlier_sessions"


@dataclass(frozen=True, slots=True)
class SessionState:
    """The tree, the name it is kept under, and its bytes as they were kept last; None before.

    `problem` says why the last change is on screen only, `news` what others have changed, until
    that is dismissed. `copy_of` is the name of the tree that this became a copy of by then, where
    it is still there, and `copied` what was known of copies that others went on with.
    """

    name: str
    session: Session
    kept: bytes | None = None
    problem: TokenScopeError | None = None
    news: str | None = None
    copy_of: str | None = None
    copied: bytes | None = None


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
        st.session_state[_EARLIER] = visitor_store.names()
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


def lengthen(trace: Trace, longer: Trace) -> None:
    """Put a trace that was made longer in the place of what there was of it."""
    session = current()
    if session is None or trace.key not in session:
        take_shown(longer)
        return
    grown, moved = lengthened(session, trace.key, longer, stored)
    for one in moved:
        service().store.put(one)
    change(grown)


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
        return service().store.get(key) or uploads.get(key)
    except RecordError:
        return None


def change(session: Session) -> None:
    """Go on with a changed tree, and keep it; merely turning to a branch is kept nowhere."""
    held = state()
    if held is None or held.session is session:
        return
    held_now = replace(held, session=session)
    if held.session.differs_in_selection_alone(session):
        _set(held_now)
    else:
        _set(_keep(replace(held_now, problem=None)))


def follow_others() -> bool:
    """Take over what others have changed in the tree in hand, and what is to be said of it.

    Returns whether another branch is selected now, since they removed the one that was.
    """
    held = state()
    if held is None or held.kept is None or held.problem is not None:
        return False
    kept = held.kept
    try:
        revision, copied = visitor_store.revision(held.name), visitor_store.told_of_copy(held.name)
        if copied != held.copied:
            news = held.news if copied is None else _OTHER_COPIED.format(who=_ELSEWHERE)
            held = replace(held, copied=copied, news=news)
            _set(held)
        # One that is deleted is kept anew with the next change, and then said to be.
        if revision is None or revision == revision_of(kept):
            return False
        blob = visitor_store.get(held.name)
        if blob is None:
            return False
        newest = Session.from_bytes(blob)
    except RecordError as problem:
        # The next change finds the same, and is on screen only then, which the page says.
        _LOG.warning("What others changed cannot be read: %s", problem.found)
        return False
    selected = held.session.current
    newest = newest.select(selected) if selected in newest else newest
    what = session_changes.changes_words(held.session, newest)
    news = _FOLLOWED.format(who=_ELSEWHERE, what=what) if what else held.news
    _set(replace(held, session=newest, kept=blob, news=news))
    return newest.current != selected


def dismiss_news() -> None:
    """Say no more of what others have changed."""
    held = state()
    if held is not None:
        _set(replace(held, news=None))


def open_named(name: str) -> Session | None:
    """Go on with a tree that the store keeps; None where it holds none of that name.

    Raises:
        RecordError: it is damaged, or of an unknown version.
    """
    blob = visitor_store.get(name)
    if blob is None:
        return None
    session = Session.from_bytes(blob)
    _remember_earlier()
    _set(SessionState(name, session, kept=blob, copied=visitor_store.told_of_copy(name)))
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


def put_aside() -> None:
    """Have no tree in hand; this one is among the earlier."""
    _remember_earlier()
    st.session_state.pop(_STATE, None)


def attach(name: str, blob: bytes) -> None:
    """Keep what belongs to the tree in hand, until that is deleted.

    Raises:
        TokenScopeError: there is no room for it, or the store cannot be written.
    """
    held = state()
    assert held is not None, "there is a tree in hand"
    # Without its tree nobody could delete it; another tab may have deleted that meanwhile.
    if held.problem is not None or visitor_store.get(held.name) is None:
        held = _keep(held)
        _set(held)
    if held.kept is None and held.problem is not None:
        raise held.problem
    visitor_store.put_part(held.name, name, blob)


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
    visitor_store.delete(name)
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
    """Put the tree into the store, with what others have changed in it; where that is impossible,
    under a new name."""
    try:
        parts = _brought(held.session) if held.kept is None else {}
        try:
            done = visitor_store.save(held.name, held.session, held.kept, parts)
        except SessionChangedError:
            held = _as_copy(held)
            done = visitor_store.save(held.name, held.session, None, _brought(held.session))
    except TokenScopeError as problem:
        return replace(held, problem=problem)
    if done.theirs is not None:
        what = session_changes.changes_words(held.session, done.session)
        news = _MERGED.format(who=_ELSEWHERE, what=what) if what else held.news
        held = replace(held, news=news)
    return replace(held, session=done.session, kept=done.blob, problem=None)


def _as_copy(held: SessionState) -> SessionState:
    """The tree under a new name, with word left for those who have the other open.

    Raises:
        StoreUnusableError: the store cannot be read.
    """
    try:
        there = visitor_store.get(held.name) is not None
        news = _COPIED if there else _DELETED
    except StoreUnusableError:
        raise
    except RecordError as damage:
        # It would refuse every further change.
        _LOG.warning("A session goes on as another: %s", damage.found)
        there, news = False, _DAMAGED
    if there:
        try:
            visitor_store.tell_of_copy(held.name)
        except TokenScopeError as problem:
            _LOG.warning("Not told of a copy: %s", problem)
    return SessionState(
        uuid.uuid4().hex,
        held.session,
        news=news.format(who=_ELSEWHERE),
        copy_of=held.name if there else None,
    )


def _brought(session: Session) -> dict[str, bytes]:
    """The figures of a tree that nobody can compute again."""
    if not is_from_file(session.model):
        return {}
    found = (stored(branch.key) for branch in session.branches)
    return uploads.parts(trace for trace in found if trace is not None)


def _set(held: SessionState) -> None:
    st.session_state[_STATE] = held
