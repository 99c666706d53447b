"""The guide on screen: the offer of it, the step in view, and the way on, back and out."""

from __future__ import annotations

from functools import cache
from typing import cast

import streamlit as st

from tokenscope_core import TokenScopeError
from tokenscope_ui.guide.recording import FILE, Recording, read
from tokenscope_ui.guide.steps import Step, steps_of
from tokenscope_ui.pages import HOME, OF_SESSION
from tokenscope_ui.request import controls
from tokenscope_ui.runs import runs, sessions
from tokenscope_ui.server.server import service
from tokenscope_ui.share.on_screen import Destination

_STEP, _TREE, _DECLINED = "guide step", "guide tree", "guide declined"
_DESTINATION = "guide destination"


def destination() -> Destination | None:
    """Where the guide leads now; told once."""
    return cast("Destination | None", st.session_state.pop(_DESTINATION, None))


def show_guide(page: str) -> None:
    """Draw the step in view, or where there is nothing to look at yet the offer of a first one."""
    step = st.session_state.get(_STEP)
    # One place, so that nothing of the one is left beside the other while a page is drawn.
    with st.empty():
        if step is not None:
            _step(int(step), page)
        elif page in OF_SESSION and _nothing_yet() and not st.session_state.get(_DECLINED):
            _offer()


def _nothing_yet() -> bool:
    """Whether nothing is on screen, nor about to be: the page takes up its address later."""
    named = {runs.RUN_PARAMETER, sessions.SESSION_PARAMETER} & set(st.query_params)
    return not named and sessions.current() is None and runs.current() == runs.RunState()


def _offer() -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="guide offer"):
        st.markdown(
            ":material/signpost: **New here?** See what the pages show, on a run of a real model "
            "that is recorded: five steps, a minute.",
            width="stretch",
        )
        st.button(
            "Show me", key="guide begin", on_click=_turn_to, args=(0,),
            help="Opens a recorded session. Nothing is computed, and no model is needed.",
        )  # fmt: skip
        st.button("No, thanks", key="guide decline", type="tertiary", on_click=_decline)


def _step(number: int, page: str) -> None:
    steps = steps_of(_recording())
    step, last = steps[number], number + 1 == len(steps)
    with st.container(border=True, key="guide"):
        said, ways = st.columns([0.76, 0.24], vertical_alignment="center")
        said.markdown(f":material/signpost: **{number + 1} of {len(steps)}** · {step.text}")
        with ways.container(horizontal=True, horizontal_alignment="right"):
            if page != step.page.name:
                st.button(f"Back to {step.page.title}", key="guide again", type="primary",
                          on_click=_turn_to, args=(number,))  # fmt: skip
            elif last:
                st.button("Now with your own code", key="guide own", type="primary",
                          on_click=_own_code)  # fmt: skip
            else:
                st.button(f"Next: {steps[number + 1].page.title}", key="guide next", type="primary",
                          on_click=_turn_to, args=(number + 1,))  # fmt: skip
            if number:
                st.button("Back", key="guide back", type="tertiary",
                          on_click=_turn_to, args=(number - 1,))  # fmt: skip
            st.button("Leave", key="guide leave", type="tertiary", on_click=_leave,
                      help="Ends the guide. The recorded session stays open.")  # fmt: skip


@cache
def _recording() -> Recording:
    return read(FILE.read_bytes())


def _turn_to(number: int) -> None:
    """Open the page of a step on the recorded session, which is put into the store where others
    have taken its room."""
    recording = _recording()
    step = steps_of(recording)[number]
    try:
        store = service().store
        for trace in recording.traces.values():
            store.put(trace)
        for key, blob in recording.results.items():
            store.put_capture(key, blob)
    except TokenScopeError as problem:
        runs.refuse(problem)
        return
    _open_tree(recording)
    _show(step)
    st.session_state[_STEP] = number


def _open_tree(recording: Recording) -> None:
    """Go on with the copy that this visit has of the recorded session; the first time make one."""
    sessions.open_again(st.session_state.get(_TREE))
    if sessions.name_in_hand() != st.session_state.get(_TREE) or sessions.current() is None:
        runs.leave()
        sessions.begin(recording.session)
        st.session_state[_TREE] = sessions.name_in_hand()


def _show(step: Step) -> None:
    runs.open_branch(step.branch)
    runs.select(step.token)
    runs.tell_form()
    st.session_state[_DESTINATION] = Destination(step.page, {**sessions.address(), **step.address})
    runs.publish()


def _leave() -> None:
    st.session_state.pop(_STEP, None)
    _decline()


def _decline() -> None:
    st.session_state[_DECLINED] = True


def _own_code() -> None:
    _leave()
    runs.leave()
    runs.take_for_form()
    sessions.put_aside()
    controls.begin_own()
    st.session_state[_DESTINATION] = Destination(HOME, {})
