"""What this browser session looks at on the page of attention: chosen, and found by a link.

The address holds the parameters of `look`, and `token`: the selected position, which this page
shares with the page Decode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import streamlit as st

from tokenscope_ui.attention.view_choice import NAMES, AttentionLook, from_address, to_address
from tokenscope_ui.components import address
from tokenscope_ui.components.address import number
from tokenscope_ui.runs import runs

TOKEN = runs.TOKEN_PARAMETER
_STATE = "attention"
_SEEN = "attention_address_seen"


def current() -> AttentionLook:
    """What is looked at."""
    return cast(AttentionLook, st.session_state.get(_STATE) or AttentionLook())


def choose(**changes: Any) -> None:
    """Look at something else."""
    st.session_state[_STATE] = replace(current(), **changes)


def restore() -> None:
    """Take up what the address spells, where a person has changed it: a reload, a link."""
    given = _address()
    if not given or given == st.session_state.get(_SEEN):
        return
    st.session_state[_SEEN] = given
    if "view" in given:
        st.session_state[_STATE] = from_address(given)
    token = number(given.get(TOKEN))
    if token is not None:
        runs.select(token)


def publish() -> None:
    """Make the address spell what is looked at."""
    spelled = to_address(current())
    selected = runs.current().selected
    if selected is not None:
        spelled[TOKEN] = str(selected)
    st.session_state[_SEEN] = spelled
    address.publish(**{name: spelled.get(name) for name in (*NAMES, TOKEN)})


def _address() -> Mapping[str, str]:
    return {n: st.query_params[n] for n in (*NAMES, TOKEN) if n in st.query_params}
