"""What the store keeps for this visitor: trees by their names, and what belongs to them.

Where people sign in, what somebody made is found by nobody else; on an open server by whoever knows
its name.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from tokenscope_core import RecordError, Session
from tokenscope_core.sessions import saving
from tokenscope_core.sessions.saving import SavedSession
from tokenscope_core.store.protected import ProtectedTotals
from tokenscope_ui.server import visitors
from tokenscope_ui.server.server import service

_COPIED = "copied"


def get(name: str) -> bytes | None:
    """A tree; None where none of that name is kept for the visitor.

    Raises:
        RecordError: the store cannot be read.
    """
    return service().store.get_session(_place(name))


def revision(name: str) -> bytes | None:
    """`revision_of` the bytes of a tree; None where none of that name is kept for the visitor.

    Raises:
        RecordError: the store cannot be read, or the tree is damaged.
    """
    return service().store.session_revision(_place(name))


def save(
    name: str, session: Session, before: bytes | None, parts: Mapping[str, bytes]
) -> SavedSession:
    """Keep a tree in the place of what it was made of, together with what others have changed.

    Raises:
        TokenScopeError: as `saving.save`.
    """
    return saving.save(
        service().store, _place(name), session, before, owner=visitors.account(), parts=parts
    )


def tell_of_copy(name: str) -> None:
    """Leave word for whoever has a tree open that somebody goes on with a copy of it.

    Raises:
        TokenScopeError: there is no room for it, or the store cannot be written.
    """
    store, place = service().store, _place(name)
    store.put_part(place, _COPIED, uuid.uuid4().bytes, owner=visitors.account())


def told_of_copy(name: str) -> bytes | None:
    """Something else each time that `tell_of_copy` was called; None before.

    Raises:
        RecordError: the store cannot be read.
    """
    return service().store.part_revision(_place(name), _COPIED)


def put(name: str, blob: bytes, parts: Mapping[str, bytes]) -> None:
    """Keep something for the visitor, and what it is nothing without.

    Raises:
        TokenScopeError: there is no room for it, or the store cannot be written.
    """
    service().store.put_session(_place(name), blob, owner=visitors.account(), parts=parts)


def put_part(name: str, part: str, blob: bytes) -> None:
    """Keep what belongs to a tree, under a name of its own, until the tree is deleted.

    Raises:
        TokenScopeError: there is no room for it, or the store cannot be written.
    """
    service().store.put_part(_place(name), part, blob, owner=visitors.account())


def delete(name: str) -> None:
    """Delete a tree with what belongs to it, for good.

    Raises:
        RecordError: the store cannot be written.
    """
    service().store.delete_session(_place(name))


def names() -> tuple[str, ...]:
    """The trees of a signed-in person, latest first; nobody else's are known to be theirs."""
    owner = visitors.owner()
    if owner is None:
        return ()
    try:
        places = service().store.session_names(f"{owner}/")
    except RecordError:
        return ()
    return tuple(place.removeprefix(f"{owner}/") for place in reversed(places))


def usage() -> ProtectedTotals:
    """How much is kept that counts for the visitor.

    Raises:
        RecordError: the store cannot be read.
    """
    return service().store.usage_of(visitors.account())


def sizes() -> dict[str, int]:
    """The bytes of each tree that counts for the visitor, with what belongs to it.

    Raises:
        RecordError: the store cannot be read.
    """
    found = service().store.sessions(visitors.account())
    return {session.name.rpartition("/")[2]: session.bytes for session in found}


def _place(name: str) -> str:
    owner = visitors.owner()
    return name if owner is None else f"{owner}/{name}"
