"""Under a finished trace: going on with it for more tokens, or past the end that it came to."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Edit, TokenScopeError, Trace
from tokenscope_core.branches.extension import ENDED_ITSELF, extension
from tokenscope_core.branches.plans import plan
from tokenscope_core.jobs.generation_tasks import Extended
from tokenscope_core.sessions.uploads import is_from_file
from tokenscope_ui.request.sampling_words import in_words
from tokenscope_ui.runs import runs
from tokenscope_ui.trace.what_if import context_of, grow

_MORE = "go on for"
_FIRST, _STEP = 64, 16


def show_go_on(trace: Trace) -> None:
    """Draw the button that goes on; nothing where no model can."""
    if is_from_file(trace.model):
        return
    context = _context_or_none(trace)
    room = None if context is None else context - len(trace) + trace.unread(len(trace))
    if room is not None and room < 1:
        st.caption(f":material/info: It fills the model’s context of {context:,} tokens.")
        return
    wanted = st.session_state.get(_MORE, _FIRST)
    st.session_state[_MORE] = wanted if room is None else min(wanted, room)
    # No one run reads a text in windows and goes on: a branch does, from its last window.
    ended = trace.finish_reason in ENDED_ITSELF or trace.request.overlap is not None
    with st.container(horizontal=True, vertical_alignment="bottom", key="go on"):
        more = int(
            st.number_input(
                "More tokens", 1, room, step=_STEP, key=_MORE, width=130,
                persist_state="session",
                help=None if room is None else f"The model’s context has room for {room:,}.",
            )
        )  # fmt: skip
        st.button(
            "Go on past the end" if ended else f"Go on for {more:,} more",
            key="go on button", icon=":material/resume:", disabled=runs.current().busy,
            on_click=_past_the_end if ended else _go_on, args=(trace, more),
            help=_help(trace, ended=ended),
        )  # fmt: skip


def _context_or_none(trace: Trace) -> int | None:
    try:
        return context_of(trace)
    except TokenScopeError:
        return None  # said when it is to go on


def _help(trace: Trace, *, ended: bool) -> str:
    how = in_words(trace.request.sampling)
    if trace.request.overlap is not None:
        return f"The model goes on from its last window, as a branch. {how}"
    if ended:
        return (
            f"One longer run would end here too. The model reads its own end and writes on, as a "
            f"branch. {how}"
        )
    return f"Exactly what one longer run would have given; undo brings back the shorter one. {how}"


def _go_on(trace: Trace, more: int) -> None:
    try:
        wanted = extension(trace, more, context_length=context_of(trace))
    except TokenScopeError as problem:
        runs.refuse(problem)
        return
    runs.start(runs.model_of(trace), Extended(wanted))


def _past_the_end(trace: Trace, more: int) -> None:
    edit = Edit.continue_from(len(trace))
    grow(trace, lambda context: (plan(trace, edit, max_new_tokens=more, context_length=context),))
