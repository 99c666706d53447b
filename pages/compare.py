"""Compare two branches: where they part, where they meet again, and by how much."""

import streamlit as st

from tokenscope_ui.compare import controls, state, view
from tokenscope_ui.pages import HOME
from tokenscope_ui.request import problems
from tokenscope_ui.runs import job_notice, sessions
from tokenscope_ui.shell.router import route


def render() -> None:
    job_notice.show_job_notice()
    state.restore()
    problem = state.problem()
    if problem is not None:
        problems.box(problem)
    session = sessions.current()
    if session is None or len(session) < 2:
        empty(single=session is not None)
    else:
        controls.draw_branch_choice(session)
        st.fragment(result)()
    state.publish()


def result() -> None:
    session = sessions.current()
    if session is not None:
        with st.container():
            view.show_comparison(session)


def empty(*, single: bool) -> None:
    with st.container(border=True):
        if single:
            st.markdown("**Only one branch so far.** It takes two to compare.")
        else:
            st.markdown("**Nothing to compare yet.** Generate code and grow a branch of it.")
        st.caption(
            "On the page Decode, click a token and put another one in its place: what the model "
            "would have written then is a second branch, and this page shows where the two part, "
            "where they meet again, and how every figure changed."
        )
        st.page_link(
            HOME.file, label="Go to Decode", icon=HOME.icon,
            query_params=sessions.address(),
        )  # fmt: skip


route(render)
