"""Score one text with two models and see which of them expected which part of it."""

import streamlit as st

from tokenscope_ui.runs import job_notice
from tokenscope_ui.shell.router import route
from tokenscope_ui.two_models import controls, state, view

POLL_S = 0.2


def render() -> None:
    job_notice.show()
    controls.initialise()
    controls.draw()
    busy = state.current().busy
    st.fragment(result, run_every=POLL_S if busy else None)(polling=busy)


def result(*, polling: bool) -> None:
    views = state.follow()
    shown = state.current()
    state.publish()
    if polling != shown.busy:
        # The runs began or ended in here: the controls and the polling follow with a full rerun.
        st.rerun()
    with st.container():
        view.show(shown, views)


route(render)
