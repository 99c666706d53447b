"""The ways from something shared that is not opened as it is: back, or to the same made anew."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import TokenScopeError
from tokenscope_ui.request import problems
from tokenscope_ui.share import opening


def button(label: str = "Do not open it") -> None:
    """Draw the button that goes on with what was in hand."""
    st.button(label, on_click=opening.close)


def anew_button() -> None:
    """Draw the button that takes what was shared as recipes for the model that is here."""
    st.button(
        "Compute it anew", icon=":material/autorenew:", on_click=opening.compute_anew,
        help="The same prompts, settings and edits by the model that is here. First it says what "
        "that takes.",
    )  # fmt: skip


def refuse(problem: TokenScopeError) -> None:
    """Draw why it cannot be opened, with that button."""
    problems.box(problem, title="That cannot be opened", key="problem opening")
    button("Go on without it")
