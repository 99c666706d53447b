"""Who is looking: anybody, or where the operator asks for it one who has signed in.

Sign-in is Streamlit's, by OpenID Connect, and required as soon as the server's secrets have a
section `auth`. What a signed-in person makes is kept under their name, and found by nobody else.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import streamlit as st

from tokenscope_core import RecordError
from tokenscope_core.settings import choice_of
from tokenscope_ui.components import return_address
from tokenscope_ui.server import sign_outs
from tokenscope_ui.server.server import subscriber


def signed_in() -> bool:
    """Whether the visitor may go on: signed in, or on a server that does not ask for it."""
    return bool(_user().get("is_logged_in", True)) and not sign_outs.ended()


def owner() -> str | None:
    """Names the signed-in person, the same in every session; None where nobody signs in.

    The pair of issuer and subject is what identifies a person (OpenID Connect Core 1.0, section
    2); an address can change hands.

    Raises:
        RecordError: they have signed out, in another tab.
    """
    user = _user()
    if not user.get("is_logged_in"):
        return None
    if sign_outs.ended():
        raise RecordError(
            asked="Something was to be done in your name.",
            found="You have signed out, in another tab.",
            action="Reload the page and sign in again.",
        )
    named = f"{user.get('iss')}\n{user.get('sub')}"
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def account() -> str:
    """Whom what is kept counts for: the signed-in person, else this browser session."""
    return owner() or f"browser {subscriber()}"


def email() -> str | None:
    """The signed-in person's address, where the provider gives one it has verified."""
    user = _user()
    if not user.get("is_logged_in") or user.get("email_verified") is False or sign_outs.ended():
        return None
    address = user.get("email")
    return str(address) if address else None


def is_operator() -> bool:
    """Whether the visitor may see how the server does: on an open server nobody, unless its
    operator shows it to everybody."""
    if choice_of("TOKENSCOPE_OPERATOR_PAGE", ("off", "on")) == "on":
        return signed_in()
    named = os.environ.get("TOKENSCOPE_OPERATORS", "").replace(",", " ").casefold().split()
    address = email()
    return address is not None and address.casefold() in named


def ask_to_sign_in() -> None:
    """Draw what a visitor sees before signing in."""
    with st.container(border=True):
        st.markdown("**Sign in to use TokenScope**")
        st.caption("This server is for people its operator knows.")
        for provider in _providers():
            label = f"Sign in with {provider}" if provider else "Sign in"
            st.button(label, icon=":material/login:", on_click=st.login, args=(provider or None,))
    return_address.remember()


def draw_account() -> None:
    """Draw who is signed in, with the way out; nothing on an open server."""
    user = _user()
    if not user.get("is_logged_in"):
        return
    st.text(f"Signed in as {user.get('email') or user.get('name') or 'yourself'}", width="content")
    st.button("Sign out", icon=":material/logout:", on_click=_sign_out, key="sign out")
    return_address.follow()


def _sign_out() -> None:
    sign_outs.end()
    st.logout()


def _user() -> Mapping[str, Any]:
    return st.user


def _providers() -> list[str]:
    """The providers that the secrets name; one without a name where they name none."""
    settings = st.secrets["auth"]
    named = [name for name, value in settings.items() if isinstance(value, Mapping)]
    return named or [""]
