"""What this browser session looks at on the page of attention: chosen, and found by a link.

The address holds the parameters of `look`, and `token`: the selected position, which this page
shares with the page Decode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import streamlit as st

from tokenscope_ui import runs
from tokenscope_ui.attention.look import NAMES, Look, from_address, to_address

TOKEN = "token"
_STATE = "attention"
_SEEN = "attention_address_seen"


def current() -> Look:
    """What is looked at."""
    return cast(Look, st.session_state.get(_STATE) or Look())


def choose(**changes: Any) -> None:
    """Look at something else."""
    st.session_state[_STATE] = replace(current(), **changes)


def restore() -> None:
    """Take up what the address spells, where a person has changed it: a reload, a link."""
    address = _address()
    if not address or address == st.session_state.get(_SEEN):
        return
    st.session_state[_SEEN] = address
    if "view" in address:
        st.session_state[_STATE] = from_address(address)
    token = address.get(TOKEN, "")
    if token.isascii() and token.isdecimal() and len(token) < 8:
        runs.select(int(token))


def publish() -> None:
    """Make the address spell what is looked at."""
    spelled = to_address(current())
    selected = runs.current().selected
    if selected is not None:
        spelled[TOKEN] = str(selected)
    before = _address()
    st.session_state[_SEEN] = spelled
    for name in before.keys() - spelled.keys():
        st.query_params.pop(name, None)
    for name, value in spelled.items():
        if before.get(name) != value:
            st.query_params[name] = value


def _address() -> Mapping[str, str]:
    return {n: st.query_params[n] for n in (*NAMES, TOKEN) if n in st.query_params}
