"""Saving a session that others may be changing at the same time."""

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
class SavedSession:
    """A session as the store has it now, and its bytes.

    `theirs` is the version that somebody else saved meanwhile, whose changes are in it too; None
    where nobody did.
    """

    session: Session
    blob: bytes
    theirs: Session | None = None


def save(
    store: Store,
    name: str,
    session: Session,
    before: bytes | None,
    *,
    owner: str = "",
    parts: Mapping[str, bytes] = _NOTHING,
) -> SavedSession:
    """Replace the stored session by its new version, in one transaction. Where somebody else has
    saved another version meanwhile, the two are merged.

    Args:
        store: where it is saved.
        name: of the session.
        session: the new version.
        before: the bytes it was read from or last saved as; None where it is new.
        owner, parts: as of `Store.put_session`.

    Raises:
        SessionChangedError: the two versions cannot be merged, or the session was deleted or
            damaged; nothing was written.
        StoreFullError: there is no room for it.
        RequestError: it is larger than a stored session may be.
        RecordError: the store cannot be used.
    """
    mine, theirs, replacing = session, None, before
    while True:
        blob = mine.to_bytes()
        try:
            store.put_session(name, blob, owner=owner, parts=parts, replacing=replacing)
        except SessionChangedError:
            # Another attempt is needed only where somebody else has saved a change in between, so
            # the loop ends once nobody else saves.
            replacing, newest = _read(store, name)
            if replacing == blob:
                return SavedSession(mine, blob, theirs)
            together = (
                None if before is None else merge(Session.from_bytes(before), session, newest)
            )
            if together is None:
                raise
            mine, theirs = together, newest
        else:
            return SavedSession(mine, blob, theirs)


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
