"""For the operator: what the server holds and does."""

import streamlit as st

from tokenscope_ui.server import visitors
from tokenscope_ui.shell import operator_view
from tokenscope_ui.shell.router import route


def render() -> None:
    if not visitors.is_operator():
        st.info("This page is for the operator of the server.")
        return
    st.fragment(operator_view.draw_server, run_every=operator_view.REFRESH_S)()


route(render)
