"""A run that could not be made, or ended early, with the ways out as buttons."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import ContextLengthError, ModelTooLargeError, TokenScopeError
from tokenscope_ui.request.controls import submit
from tokenscope_ui.request.problems import NOT_RUN, box
from tokenscope_ui.runs import runs

_ENDED_EARLY = "The run ended early; what it had decoded is kept below"


def show_problem(problem: TokenScopeError) -> None:
    """Draw an error of the decode page, with its ways out."""
    with box(problem, title=_ENDED_EARLY if _kept_something(problem) else NOT_RUN):
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
