"""Short addresses, which this server alone understands: names of what it keeps.

A short link names a copy that nothing changes, under a digest of it: whoever has the link can open
it, on a server where people sign in too, while what it was made of stays its owner's. That of a
session belongs to the session, and opens until that is deleted. A comparison of two models is kept
for its link alone, for the visitor who made it, and is deleted among their sessions.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

from tokenscope_core import Session, Shared, ShareError, TokenScopeError, Trace
from tokenscope_core.models.files.sources import identified
from tokenscope_core.sessions.screen_state import View
from tokenscope_core.sharing import links as share
from tokenscope_core.sharing import session_file
from tokenscope_core.sharing.links import SharedReadings
from tokenscope_ui.runs import sessions
from tokenscope_ui.server import visitor_store, visitors
from tokenscope_ui.server.server import service

_NAME = re.compile(r"[A-Za-z0-9_-]{22}")


def is_name(text: str) -> bool:
    """Whether a text looks like the name that a short link carries."""
    return bool(_NAME.fullmatch(text))


def of_session(session: Session, view: Mapping[str, View]) -> str:
    """Keep a copy of the session in hand; returns its name for the address.

    Raises:
        TokenScopeError: it is beyond all sizes, there is no room for it, or the store cannot be
            written.
    """
    choice = identified(session.model)
    try:
        blob = share.encode(session, view, model=choice).encode("ascii")
    except ShareError:
        blob = session_file.write(session, (), view, model=choice)
    name = _name_of(blob)
    sessions.attach(_place(name), blob)
    return name


def of_readings(a: Trace, b: Trace, view: Mapping[str, View]) -> str:
    """Keep which text two models read, also one that is too long for a link; returns its name.

    Raises: as `of_session`, and
        RequestError: the two did not score one text.
    """
    choices = identified(a.model), identified(b.model)
    blob = share.encode_readings(a, b, view, choices=choices, longest=None).encode("ascii")
    name = _name_of(blob)
    # One record for each visitor, so that nobody deletes another's; found by nobody else.
    record = hashlib.sha256(f"{visitors.account()}\n{name}".encode()).hexdigest()[:32]
    visitor_store.put(record, blob, {_place(name): blob})
    return name


def is_kept(name: str) -> bool:
    """Whether a short link opens now.

    Raises:
        RecordError: the store cannot be read.
    """
    return service().store.get_session(_place(name)) is not None


def read(name: str) -> Shared | SharedReadings:
    """What a short link shares.

    Raises:
        TokenScopeError: it is not kept here, or damaged, or the store cannot be read.
    """
    blob = service().store.get_session(_place(name))
    if blob is None:
        raise TokenScopeError(
            asked=f"The address names what was shared as “{name}”.",
            found="This server does not hold it: short links open on the server that made them, "
            "until their session or comparison is deleted or the server loses its disk.",
            action="Ask for the long link, which carries all of it, or for the session file.",
        )
    if blob.startswith(b"PK"):
        return session_file.read(blob).shared
    return share.stored_readings(blob) or share.decode(blob.decode("ascii", errors="replace"))


def _name_of(blob: bytes) -> str:
    digest = hashlib.sha256(b"share\n" + blob).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii")[:22]


def _place(name: str) -> str:
    return f"share/{name}"
