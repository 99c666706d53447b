"""Errors as a page shows them: what was asked, what was found, and the ways out as buttons."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tokenscope_core import ContextLengthError, ModelTooLargeError, TokenScopeError
from tokenscope_ui.components.address import AddressError
from tokenscope_ui.request.controls import submit
from tokenscope_ui.runs import runs

_NOT_RUN = "That could not be run"
_NOT_FOUND = "What the address names cannot be shown"
_ENDED_EARLY = "The run ended early; what it had decoded is kept below"


def show_problem(problem: TokenScopeError) -> None:
    """Draw an error of the decode page, with its ways out."""
    with box(problem, title=_ENDED_EARLY if _kept_something(problem) else _NOT_RUN):
        # The controls do not say what a branch was to be, so that they cannot run less of it.
        if isinstance(problem, ContextLengthError) and not problem.branch:
            _offer_to_fit(problem)
        if isinstance(problem, ModelTooLargeError) and problem.fitting_dtype is not None:
            st.button(
                f"Run in {problem.fitting_dtype}", on_click=_run_in, args=(problem.fitting_dtype,)
            )


def _kept_something(problem: TokenScopeError) -> bool:
    """Whether the error ended a run that had decoded something."""
    outcome = runs.current().outcome
    return outcome is not None and outcome.error is problem and outcome.trace is not None


def _run_in(dtype: str) -> None:
    st.session_state["dtype"] = dtype
    submit()


def box(problem: TokenScopeError, *, title: str = _NOT_RUN, key: str = "problem") -> DeltaGenerator:
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
