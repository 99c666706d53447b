"""Which tokens the model looked at, for every token: on the code, as a matrix, over all heads."""

import streamlit as st

from tokenscope_ui.attention import state, view
from tokenscope_ui.pages import HOME
from tokenscope_ui.request import problems
from tokenscope_ui.runs import job_notice, runs, sessions
from tokenscope_ui.shell.router import route


def render() -> None:
    runs.restore()
    state.restore()
    job_notice.show_job_notice()
    held = runs.current()
    runs.publish()
    if held.problem is not None:
        problems.box(held.problem, title="What was asked for last did not work")
    if held.busy:
        st.info(
            "The run goes on: its attention can be captured once it has ended or is stopped.",
            icon=":material/hourglass_empty:",
        )
    elif held.trace is not None:
        st.fragment(result)()
    else:
        empty()
    state.publish()


def result() -> None:
    trace = runs.current().trace
    if trace is not None:
        with st.container():
            view.show_attention(trace)
        state.publish()


def empty() -> None:
    with st.container(border=True):
        st.markdown("**Nothing to look at yet.** Generate or score some code.")
        st.caption(
            "Then pick a token here, and its attention is painted on the code: what the model "
            "looked at when it wrote it, head by head."
        )
        st.page_link(
            HOME.file, label="Go to Decode", icon=HOME.icon,
            query_params=sessions.address(),
        )  # fmt: skip


route(render)
