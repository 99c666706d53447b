"""The way back from something shared, whether it can be opened or not."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import TokenScopeError
from tokenscope_ui import problems
from tokenscope_ui.share import opening


def button(label: str = "Do not open it") -> None:
    """Draw the button that goes on with what was in hand."""
    st.button(label, on_click=opening.close)


def refuse(problem: TokenScopeError) -> None:
    """Draw why it cannot be opened, with that button."""
    problems.box(problem, title="That cannot be opened", key="problem opening")
    button("Go on without it")
