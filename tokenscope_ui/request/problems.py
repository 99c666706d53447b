"""Errors as a page shows them: what was asked, what was found, and what to do."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tokenscope_core import TokenScopeError
from tokenscope_ui.components.address import AddressError

NOT_RUN = "That could not be run"
_NOT_FOUND = "What the address names cannot be shown"


def box(problem: TokenScopeError, *, title: str = NOT_RUN, key: str = "problem") -> DeltaGenerator:
    """Draw an error; returns its container, for ways out of it. `title` is Markdown, and gives way
    where the address is what failed; the error's own texts may quote a prompt or a path and are
    drawn as plain text."""
    if isinstance(problem, AddressError):
        title = _NOT_FOUND
    container = st.container(border=True, key=key)
    with container:
        st.markdown(f":red[:material/error:] **{title}**")
        st.text(f"{problem.asked} {problem.found}")
        st.text(problem.action)
    return container
