"""Generate or score code and see what the model knew at every token."""

import streamlit as st

from tokenscope_ui.branches import bar as branch_bar
from tokenscope_ui.request import controls, problems, prompt_controls
from tokenscope_ui.runs import progress, runs
from tokenscope_ui.shell.router import route
from tokenscope_ui.trace import growing_branches as growing
from tokenscope_ui.trace import trace_view

POLL_S = 0.2


def render() -> None:
    controls.initialise()
    controls.side_bar()
    place = controls.prompt_box()
    busy = runs.current().busy
    st.fragment(result, run_every=POLL_S if busy else None)(polling=busy)
    controls.reading_preview(place)


def result(*, polling: bool) -> None:
    view = runs.follow()
    state = runs.current()
    runs.publish()
    if polling != state.busy:
        # A run began or ended in here: the controls and the polling follow with a full rerun.
        st.rerun()
    with st.container():
        # Fixed places, so that the strip stays where it is when a run ends and is not rebuilt.
        status, notice, body = st.empty(), st.empty(), st.container()
        if view is not None and state.busy:
            with status.container():
                progress.show(view, key="decode")
                if state.ticket is not None:
                    growing.show(state.ticket)
        if state.problem is not None:
            with notice.container():
                problems.show(state.problem)
        trace = runs.shown_trace(state)
        with body:
            if trace is not None:
                running = state.ticket is not None and trace is not state.trace
                trace_view.show(
                    trace, run=runs.run_name(state), running=running, above=branch_bar.show
                )
            elif not state.busy:
                empty()


def empty() -> None:
    with st.container(border=True):
        st.markdown(f"**Nothing decoded yet.** {prompt_controls.invitation()}")
        st.caption(
            "Every token is then tinted by how surprising it was to the model; click one to see "
            "its probability, rank and entropy, and what else the model considered."
        )


route(render)
