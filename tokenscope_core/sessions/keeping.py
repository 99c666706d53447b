"""Keeping a tree of branches that others may be changing at the same time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tokenscope_core.errors import RecordError, SessionChangedError
from tokenscope_core.sessions.merge import merge
from tokenscope_core.sessions.session import Session
from tokenscope_core.store.store import Store

_LOG = logging.getLogger(__name__)
_NOTHING: Mapping[str, bytes] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class KeptTree:
    """A tree as it is kept now, and its bytes.

    `theirs` is what somebody else had made of it meanwhile, which is in it too; None where nobody
    had.
    """

    session: Session
    blob: bytes
    theirs: Session | None = None


def keep(
    store: Store,
    name: str,
    session: Session,
    before: bytes | None,
    *,
    owner: str = "",
    parts: Mapping[str, bytes] = _NOTHING,
) -> KeptTree:
    """Keep a tree in the place of the one it was made of, in one transaction. Where somebody else
    has changed that meanwhile, both changes are kept.

    Args:
        store: where to.
        name: of the session.
        session: the tree.
        before: the bytes it was read from or kept as last; None where it is new.
        owner, parts: as of `Store.put_session`.

    Raises:
        SessionChangedError: the two changes cannot be put together, or the session was deleted
            or damaged; nothing was written.
        StoreFullError: there is no room for it.
        RequestError: it is larger than can be kept.
        RecordError: the store cannot be used.
    """
    mine, theirs, replacing = session, None, before
    while True:
        blob = mine.to_bytes()
        try:
            store.put_session(name, blob, owner=owner, parts=parts, replacing=replacing)
        except SessionChangedError:
            # Whoever came between has made a change, so that this ends as soon as the others do.
            replacing, newest = _read(store, name)
            if replacing == blob:
                return KeptTree(mine, blob, theirs)
            together = (
                None if before is None else merge(Session.from_bytes(before), session, newest)
            )
            if together is None:
                raise
            mine, theirs = together, newest
        else:
            return KeptTree(mine, blob, theirs)


def _read(store: Store, name: str) -> tuple[bytes, Session]:
    """The newest state.

    Raises:
        SessionChangedError: there is none that could be read.
    """
    try:
        blob = store.get_session(name)
        if blob is None:
            raise SessionChangedError
        return blob, Session.from_bytes(blob)
    except RecordError as error:
        _LOG.warning("A session that was changed elsewhere cannot be read: %s", error.found)
        raise SessionChangedError from error
