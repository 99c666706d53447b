"""Errors as a page shows them: what was asked, what was found, and the ways out as buttons."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import ContextLengthError, TokenScopeError
from tokenscope_ui.controls import submit


def show(problem: TokenScopeError) -> None:
    """Draw an error. Its texts may quote a prompt or a path, so they are drawn as plain text."""
    with st.container(border=True, key="problem"):
        st.markdown(":red[:material/error:] **That could not be run**")
        st.text(f"{problem.asked} {problem.found}")
        st.text(problem.action)
        if isinstance(problem, ContextLengthError):
            _offer_to_fit(problem)


def _offer_to_fit(problem: ContextLengthError) -> None:
    room = problem.context_length - problem.prompt_tokens
    with st.container(horizontal=True):
        if room > 0:
            st.button(
                f"Generate {room:,} tokens instead",
                on_click=submit,
                kwargs={"max_new_tokens": room},
            )
        if problem.tail:
            st.button(
                "Keep only the tail of the prompt",
                help="Runs with the last part that fits. The prompt box keeps your whole text.",
                on_click=submit,
                kwargs={"prompt": problem.tail},
            )
