"""Which sign-ins have been ended. Streamlit signs out the tab in which somebody does so, and reads
who a visitor is once, when a tab begins: the others would go on as that person, and so would
whoever kept the cookie.

A sign-in is known by a digest of its cookie, which Streamlit signs with the time; this server
remembers those that were ended for as long as it would take the cookie.
"""

from __future__ import annotations

import hashlib
import threading
import time

import streamlit as st

_COOKIE = "_streamlit_user"
# Streamlit takes a cookie for 30 days.
_REMEMBERED_S = 31 * 86_400
_ended: dict[str, float] = {}
_turn = threading.Lock()


def end() -> None:
    """End the visitor's sign-in, in all tabs."""
    name, now = _name(), time.time()
    if name is None:
        return
    with _turn:
        for old in [known for known, since in _ended.items() if since < now - _REMEMBERED_S]:
            del _ended[old]
        _ended[name] = now


def ended() -> bool:
    """Whether the visitor's sign-in has been ended, in this tab or in another."""
    return bool(_ended) and _name() in _ended


def _name() -> str | None:
    """Names the sign-in; None without its cookie. One that is long comes in several pieces."""
    cookies = st.context.cookies
    pieces = [f"{name}={cookies[name]}" for name in sorted(cookies) if name.startswith(_COOKIE)]
    return hashlib.sha256("\n".join(pieces).encode()).hexdigest() if pieces else None
