"""The addresses that share something: they carry it whole, or name what this server keeps of it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from tokenscope_core import Session, Shared, Trace
from tokenscope_core.models.files.sources import identified
from tokenscope_core.sessions.screen_state import View
from tokenscope_core.sharing import links as share
from tokenscope_core.sharing import payload as share_payload
from tokenscope_core.sharing.links import SharedReadings
from tokenscope_ui.pages import SHARE
from tokenscope_ui.share import short_links
from tokenscope_ui.share.on_screen import SHARE_PARAMETER

# Streamlit 1.67 leaves the page in the address of the server, other than its documentation says.


def of_session(session: Session, view: Mapping[str, View]) -> str:
    """The address that carries a session.

    Raises:
        ShareError: it is too long for one.
    """
    return _short_enough(share.encode(session, view, model=identified(session.model)))


def of_readings(a: Trace, b: Trace, view: Mapping[str, View]) -> str:
    """The address that carries what two models read.

    Raises:
        RequestError: the two did not score one text.
        ShareError: it is too long for one.
    """
    choices = identified(a.model), identified(b.model)
    return _short_enough(share.encode_readings(a, b, view, choices=choices))


def address(text: str) -> str:
    """The address that opens a payload or a short link, as visitors reach this server."""
    base = (st.context.url or "").partition("?")[0].rstrip("/").removesuffix(f"/{SHARE.name}")
    return f"{base}/?{SHARE_PARAMETER}={text}"


def read(text: str) -> Shared | SharedReadings:
    """What an address shares: a payload, or a short name of this server.

    Raises:
        ShareError: it is damaged, cut short, too large, of an unknown version, or not known here.
        RecordError: the store cannot be read, or what it holds is damaged.
    """
    if short_links.is_name(text):
        return short_links.read(text)
    return share.decode_readings(text) if share.is_readings(text) else share.decode(text)


def _short_enough(payload: str) -> str:
    link = address(payload)
    share_payload.require_short(link, payload, share.MAX_LINK)
    return link
