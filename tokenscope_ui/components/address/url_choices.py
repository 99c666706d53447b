"""Choices of a page that the address spells, so that a reload and a copied address keep them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import streamlit as st

from tokenscope_ui.components import address


def take(parameter: str, key: str, allowed: Iterable[str]) -> None:
    """Before a control of that key is drawn: choose what the address names, where a person has
    changed it, by a link or on the way back. A name that is none of the allowed is passed over.

    What was chosen since the control was last drawn stays: the browser may not have been told the
    address of the choice before, and sends one that is older than both.
    """
    _take(parameter, key, {name: name for name in allowed})


def take_switch(parameter: str, key: str) -> None:
    """As `take`, of a control that is on or off: the address says `1` or `0`."""
    _take(parameter, key, {"0": False, "1": True})


def tell_switch(parameter: str, on: bool, default: bool = False) -> None:
    """As `tell`, of a control that is on or off."""
    _tell(parameter, on, None if on == default else str(int(on)))


def _take(parameter: str, key: str, values: Mapping[str, object]) -> None:
    given = st.query_params.get(parameter)
    if given is None or given == st.session_state.get(_seen(parameter)):
        return
    drawn = st.session_state.get(_drawn(parameter))
    if drawn is not None and st.session_state.get(key, drawn) != drawn:
        return
    st.session_state[_seen(parameter)] = given
    if given in values:
        st.session_state[key] = values[given]


def tell(parameter: str, chosen: str, default: str) -> None:
    """After it is drawn: make the address name what is chosen, unless it is chosen by default."""
    _tell(parameter, chosen, None if chosen == default else chosen)


def _tell(parameter: str, chosen: object, spelled: str | None) -> None:
    st.session_state[_seen(parameter)] = spelled
    st.session_state[_drawn(parameter)] = chosen
    address.publish(**{parameter: spelled})


def _seen(parameter: str) -> str:
    return f"address_seen_{parameter}"


def _drawn(parameter: str) -> str:
    return f"address_drawn_{parameter}"
