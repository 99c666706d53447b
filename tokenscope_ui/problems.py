"""Errors as a page shows them: what was asked, what was found, and the ways out as buttons."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tokenscope_core import ContextLengthError, TokenScopeError
from tokenscope_ui.controls import submit


def show(problem: TokenScopeError) -> None:
    """Draw an error of the decode page, with its ways out."""
    with box(problem):
        if isinstance(problem, ContextLengthError):
            _offer_to_fit(problem)


def box(
    problem: TokenScopeError, *, title: str = "That could not be run", key: str = "problem"
) -> DeltaGenerator:
    """Draw an error; returns its container, for ways out of it. `title` is Markdown, the error's
    own texts may quote a prompt or a path and are drawn as plain text."""
    container = st.container(border=True, key=key)
    with container:
        st.markdown(f":red[:material/error:] **{title}**")
        st.text(f"{problem.asked} {problem.found}")
        st.text(problem.action)
    return container


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
