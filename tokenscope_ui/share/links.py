"""The addresses that share a session: one that carries it whole, and a short one of this server.

A short link names a copy that nothing changes, under a digest of it: whoever has the link can open
it, on a server where people sign in too, while the session itself stays its owner's. It opens until
the session is deleted.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

import streamlit as st

from tokenscope_core import Session, Shared, ShareError, TokenScopeError, session_file, share
from tokenscope_core.model_sources import identified
from tokenscope_core.share_view import View
from tokenscope_ui import sessions
from tokenscope_ui.server import service
from tokenscope_ui.share.on_screen import SHARE_PARAMETER

# Streamlit 1.67 leaves the page in the address of the server, other than its documentation says.
_PAGE = "/share"
_SHORT = re.compile(r"[A-Za-z0-9_-]{22}")


def payload(session: Session, view: Mapping[str, View]) -> str:
    """What a link of the session carries.

    Raises:
        ShareError: it is too large for one.
    """
    text = share.encode(session, view, model=identified(session.model))
    length = len(address(text))
    if length > share.MAX_LINK:
        raise ShareError(
            asked="The session was to be put into a link.",
            found=f"With this server’s address it would have {length:,} characters; servers and "
            f"browsers take {share.MAX_LINK:,}.",
            action="Pass on the session file instead, or remove branches or long notes.",
            size=length,
            limit=share.MAX_LINK,
        )
    return text


def address(text: str) -> str:
    """The address that opens a payload or a short link, as visitors reach this server."""
    base = (st.context.url or "").partition("?")[0].rstrip("/").removesuffix(_PAGE)
    return f"{base}/?{SHARE_PARAMETER}={text}"


def shorten(session: Session, view: Mapping[str, View]) -> str:
    """Keep a copy of the session in hand here; returns its name for the address.

    Raises:
        TokenScopeError: it is beyond all sizes, there is no room for it, or the store cannot be
            written.
    """
    try:
        blob = share.encode(session, view, model=identified(session.model)).encode("ascii")
    except ShareError:
        blob = session_file.write(session, (), view, model=identified(session.model))
    digest = hashlib.sha256(b"share\n" + blob).digest()
    name = base64.urlsafe_b64encode(digest).decode("ascii")[:22]
    sessions.attach(_place(name), blob)
    return name


def read(text: str) -> Shared:
    """What an address shares: a payload, or a short name of this server.

    Raises:
        ShareError: it is damaged, cut short, too large, of an unknown version, or not known here.
        RecordError: the store cannot be read, or what it holds is damaged.
    """
    if not _SHORT.fullmatch(text):
        return share.decode(text)
    blob = service().store.get_session(_place(text))
    if blob is None:
        raise TokenScopeError(
            asked=f"The address names the shared session “{text[:30]}”.",
            found="This server does not hold it: short links open on the server that made them, "
            "until their session is deleted or the server loses its disk.",
            action="Ask for the long link, which carries the session, or for the session file.",
        )
    if blob.startswith(b"PK"):
        return session_file.read(blob).shared
    return share.decode(blob.decode("ascii", errors="replace"))


def _place(name: str) -> str:
    return f"share/{name}"
