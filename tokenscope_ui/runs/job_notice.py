"""On every other page: the run that goes on meanwhile."""

from __future__ import annotations

import streamlit as st

from tokenscope_core.jobs.generation_jobs import JobView
from tokenscope_ui.pages import HOME
from tokenscope_ui.runs import following, progress, runs

_POLL_S = 1.0


def show_job_notice() -> None:
    """Draw the run in progress; nothing where there is none."""
    following.polled(_notice, runs.follow, lambda: runs.current().busy, _POLL_S)()


def _notice(view: JobView | None) -> None:
    if view is None:
        return
    progress.show_progress(view, key="notice", on_stop=runs.stop, help=runs.STOP_HELP)
    st.page_link(
        HOME.file, label="Open it", icon=HOME.icon,
        query_params={runs.RUN_PARAMETER: runs.current().address or ""},
    )  # fmt: skip
