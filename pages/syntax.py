"""Where in the program was the model unsure, and is it a program at all?"""

import streamlit as st

from tokenscope_core.display.formatting import count_text
from tokenscope_ui.pages import HOME
from tokenscope_ui.request import problems
from tokenscope_ui.runs import job_notice, runs, sessions
from tokenscope_ui.shell.router import route
from tokenscope_ui.syntax_view import other, view


def render() -> None:
    runs.restore()
    other.restore()
    job_notice.show_job_notice()
    state = runs.current()
    runs.publish()
    if state.problem is not None:
        problems.box(state.problem, title="What was asked for last did not work")
    if runs.shown_trace(state) is not None:
        st.fragment(result)()
    elif state.busy:
        st.info("The run in progress has no tokens yet.", icon=":material/hourglass_empty:")
    else:
        empty()


def result() -> None:
    state = runs.current()
    trace = runs.shown_trace(state)
    if trace is None:
        return
    with st.container():
        if state.busy:
            st.caption(
                f":material/hourglass_empty: The run goes on; these are its first "
                f"{count_text(len(trace), 'token')}. All of it is shown once it has ended."
            )
        view.show_syntax(trace)
        other.publish()


def empty() -> None:
    with st.container(border=True):
        st.markdown("**Nothing to read yet.** Generate or score some code.")
        st.caption(
            "This page then says whether the code is valid, could still become it, or where it "
            "broke, and in which of its parts, statements and lines the model was unsure."
        )
        st.page_link(
            HOME.file, label="Go to Decode", icon=HOME.icon,
            query_params=sessions.address(),
        )  # fmt: skip


route(render)
