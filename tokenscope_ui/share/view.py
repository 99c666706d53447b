"""The page Share: the links of the session in hand, its files, and opening somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import streamlit as st

from tokenscope_core import Session, Shared, ShareError, TokenScopeError, Trace
from tokenscope_core.display.formatting import branches_text, count_text
from tokenscope_core.display.scales import STRIP_METRICS, LogUnit
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.record.metric_registry import metric_named
from tokenscope_core.sessions.screen_state import View
from tokenscope_core.sessions.uploads import is_from_file
from tokenscope_core.sharing.payload import MAX_LINK
from tokenscope_ui.branches.traces import at_hand
from tokenscope_ui.components import copy_field
from tokenscope_ui.drawing import chart_files, files
from tokenscope_ui.pages import HOME
from tokenscope_ui.request import problems
from tokenscope_ui.runs import runs, sessions
from tokenscope_ui.share import (
    downloads,
    links,
    on_screen,
    opening,
    readings,
    short_link_view,
    short_links,
    uploads,
    words,
)
from tokenscope_ui.syntax_view.controls import chosen_language

_LARGE_MB = 5


def show_share() -> None:
    """Draw the page."""
    session, compared = _in_hand(), readings.in_hand()
    if session is None and compared is None:
        _nothing()
    if session is not None:
        view = on_screen.view(session)
        traces = at_hand(session)
        left, right = st.columns([0.5, 0.5], gap="large")
        with left:
            _links(session, view)
        with right:
            _downloads(session, traces, view)
    if compared is not None:
        readings.draw_readings(*compared)
    st.header("Open a file")
    uploads.draw_upload()


def _in_hand() -> Session | None:
    """The tree in hand; a run that was opened by its address alone begins one."""
    state = runs.current()
    trace = state.trace
    held = sessions.current()
    if trace is not None and not state.busy and (held is None or trace.key not in held):
        try:
            sessions.take_shown(trace)
        except TokenScopeError as problem:
            problems.box(problem)
        sessions.publish()
    return sessions.current()


def _nothing() -> None:
    with st.container(border=True):
        st.markdown("**Nothing to share yet.** Generate or score some code on Decode.")
        st.caption("Then this page makes a link of it, and files. A file can be opened below.")
        st.page_link(HOME.file, label="Go to Decode", icon=HOME.icon)


def _links(session: Session, view: Mapping[str, View]) -> None:
    st.header("Link")
    if is_from_file(session.model):
        st.text(
            "A link carries recipes, and figures from a file have none: pass on the session file."
        )
        return
    shared = Shared(session, view, ModelChoice(session.model.name))
    try:
        address = links.of_session(session, view)
    except ShareError as problem:
        problems.box(problem, title="Too large for a link", key="problem link")
    else:
        copy_field.mount(address, label="Link to this session", key="long link")
        st.caption(
            f"{len(address):,} of {MAX_LINK:,} characters. It carries the whole session: its "
            f"{branches_text(len(session))}, names, notes and what is on screen, prompts included. "
            "Whoever opens it gets a copy of their own."
        )
        if len(address) > 2_000:
            st.caption("Some chat and mail programs cut links of more than 2,000 characters.")
    # The link belongs to this very session: an equal one under another name has none yet.
    short_link_view.draw_short_link(
        lambda: (sessions.name_in_hand(), session, dict(view)),
        partial(short_links.of_session, session, dict(view)),
        label="Short link",
        until="Opens on this server for everybody who has it, as a copy of what the session is "
        "now, until the session is deleted.",
    )
    st.header("What opening it costs")
    try:
        found = opening.cost(shared)
    except TokenScopeError as problem:
        problems.box(problem)
        return
    st.text(words.cost_text(shared, found, here="on this server"))
    st.text(words.worst_text(shared))


def _downloads(session: Session, traces: Mapping[str, Trace], view: Mapping[str, View]) -> None:
    st.header("Files")
    st.caption(
        f"Of the session: {len(traces):,} of its {branches_text(len(session))} with their figures"
        + ("." if len(traces) == len(session) else "; the others as recipes.")
    )
    files.buttons(downloads.of_session(session, traces, view), "session")
    size = downloads.size_of_report(traces.values())
    if size > _LARGE_MB:
        st.caption(f"The report will take about {size:,.0f} MB.")
    trace = traces.get(session.current)
    if trace is None:
        st.caption("The selected branch is not stored: its trace can be computed on Branches.")
        return
    st.text(f"Of “{session.branch(trace.key).name}”, {count_text(len(trace), 'token')}")
    files.buttons(downloads.of_trace(session, trace), "trace")
    st.text("Tables, as CSV")
    spreadsheet = st.toggle(
        "For a spreadsheet", key="for spreadsheet",
        help="Texts that begin like a formula get an apostrophe, so that no spreadsheet runs them.",
    )  # fmt: skip
    tables = downloads.tables(
        session, trace, traces, for_spreadsheet=spreadsheet, language=chosen_language()
    )
    files.buttons(tables, "table")
    metric, unit, relative = _tint()
    drawn = downloads.charts(session, trace, metric, unit, relative=relative)
    if drawn:
        st.text(f"The chart of {metric_named(metric).label} over position, in {unit}")
        chart_files.offer(drawn, "chart")
    st.caption(
        "Every other chart is saved below it, on its page; every table by the button at its corner."
    )


def _tint() -> tuple[str, LogUnit, bool]:
    """How the code is tinted on the other pages."""
    metric = st.session_state.get("metric")
    unit: LogUnit = "nats" if st.session_state.get("unit") == "nats" else "bits"
    return (
        metric if metric in STRIP_METRICS else STRIP_METRICS[0],
        unit,
        st.session_state.get("scale") == "relative",
    )
