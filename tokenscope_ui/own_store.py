"""What the store keeps for this visitor: trees by their names, and what belongs to them.

Where people sign in, what somebody made is found by nobody else; on an open server by whoever knows
its name.
"""

from __future__ import annotations

from collections.abc import Mapping

from tokenscope_core import RecordError
from tokenscope_core.store_kept import Kept
from tokenscope_ui import visitors
from tokenscope_ui.server import service


def get(name: str) -> bytes | None:
    """A tree; None where none of that name is kept for the visitor.

    Raises:
        RecordError: the store cannot be read.
    """
    return service().store.get_session(_place(name))


def put(name: str, blob: bytes, parts: Mapping[str, bytes]) -> None:
    """Keep a tree, and what it is nothing without.

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


def usage() -> Kept:
    """How much is kept that counts for the visitor.

    Raises:
        RecordError: the store cannot be read.
    """
    return service().store.kept_for(visitors.account())


def sizes() -> dict[str, int]:
    """The bytes of each tree that counts for the visitor, with what belongs to it.

    Raises:
        RecordError: the store cannot be read.
    """
    found = service().store.kept_sessions(visitors.account())
    return {session.name.rpartition("/")[2]: session.bytes for session in found}


def _place(name: str) -> str:
    owner = visitors.owner()
    return name if owner is None else f"{owner}/{name}"
