"""The tree of branches in hand: its drawing, the selected branch, and all of them as a table."""

import streamlit as st

from tokenscope_core import Session
from tokenscope_core.display.scales import LogUnit
from tokenscope_ui.branches import actions as branch_actions
from tokenscope_ui.branches import lanes
from tokenscope_ui.branches import menu as branch_menu
from tokenscope_ui.branches import overview as branch_overview
from tokenscope_ui.branches import panel as branch_panel
from tokenscope_ui.branches import recompute as branch_recompute
from tokenscope_ui.branches import table as branch_table
from tokenscope_ui.branches.traces import at_hand, figures
from tokenscope_ui.components import tree
from tokenscope_ui.pages import HOME
from tokenscope_ui.request import controls
from tokenscope_ui.runs import following, job_notice, runs, sessions
from tokenscope_ui.shell.router import route

POLL_S = 0.2
TREE_KEY = "tree"
TREE_HEIGHT = 530
LEGEND = (
    "A lane begins where its branch leaves the one it grew on, with the text that was put there; "
    "what both share is drawn once. Hatched: prompt. Dashed: no longer stored. Keys: ↑ ↓ from lane "
    "to lane, ← to what a branch grew on, → to what grew on it, Shift + ↑ ↓ among the branches of "
    "one."
)


def render() -> None:
    controls.initialise()
    job_notice.show_job_notice()
    following.polled(
        branch_panel.recomputing, branch_recompute.follow, branch_recompute.busy, POLL_S
    )()
    runs.publish()
    branch_menu.messages()
    session = sessions.current() or tree_of_what_is_shown()
    unit = branch_menu.tool_bar(session)
    if session is None:
        empty()
    else:
        show(session, unit)


def tree_of_what_is_shown() -> Session | None:
    """A run that was opened by its address alone has no tree yet: it begins one."""
    state = runs.current()
    if state.trace is not None and not state.busy:
        sessions.take_shown(state.trace)
        sessions.publish()
    return sessions.current()


def show(session: Session, unit: LogUnit) -> None:
    traces = at_hand(session)
    frame = figures(session, traces)
    tree.mount(
        lanes.encode(session, frame, traces, unit),
        key=TREE_KEY,
        selected=session.current,
        on_select=_take_pick,
        height=TREE_HEIGHT,
    )
    st.caption(LEGEND)
    branch = session.branch(session.current)
    trace, parent = traces.get(branch.key), traces.get(branch.parent or "")
    left, right = st.columns([0.62, 0.38], gap="medium")
    with left:
        branch_panel.code(session, branch, trace, parent)
    with right:
        branch_panel.controls(session, branch, stored=trace is not None)
    sort = branch_table.sort_control()
    ordered = branch_table.ordered(frame, sort)
    branch_table.show_branch_table(ordered, unit)
    branch_overview.show_overview(session, ordered, traces, unit)


def _take_pick() -> None:
    branch_actions.choose(tree.picked(TREE_KEY) or "")


def empty() -> None:
    with st.container(border=True):
        st.markdown(
            "**No branches yet.** Generate something, then replace one of its tokens: what the "
            "model would have written instead becomes a branch, and grows here beside the first."
        )
        st.page_link(HOME.file, label="Go to Decode", icon=HOME.icon)


route(render)
