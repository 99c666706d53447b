"""On every other page: the run that goes on meanwhile."""

from __future__ import annotations

import streamlit as st

from tokenscope_ui.pages import HOME
from tokenscope_ui.runs import progress, runs

_POLL_S = 1.0


def show() -> None:
    """Draw the run in progress into the side bar; nothing where there is none."""
    with st.sidebar:
        busy = runs.current().busy
        st.fragment(_notice, run_every=_POLL_S if busy else None)(polling=busy)


def _notice(*, polling: bool) -> None:
    view = runs.follow()
    if view is None:
        return
    if polling != runs.current().busy:
        st.rerun()
    with st.container():
        if view.ended:
            st.caption(":material/check: The run has ended.")
        else:
            progress.show(view, key="notice")
        st.page_link(
            HOME.file, label="Open it", icon=HOME.icon,
            query_params={runs.RUN_PARAMETER: runs.current().address or ""},
        )  # fmt: skip
