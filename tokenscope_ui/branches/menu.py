"""Above the tree: what there is to be said, undo and redo, and the other trees of this visit."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Session
from tokenscope_core.display.scales import LogUnit
from tokenscope_ui.branches import actions as branch_actions
from tokenscope_ui.branches import saved_trees
from tokenscope_ui.branches.traces import stored
from tokenscope_ui.drawing.markdown import as_markdown
from tokenscope_ui.request import problems
from tokenscope_ui.runs import runs, session_changes, sessions
from tokenscope_ui.trace import view_controls


def messages() -> None:
    """What the last action did, and what is wrong with what is shown."""
    notice = branch_actions.notice()
    if notice is not None:
        # In sight wherever the page is scrolled to: what was pressed may be far down.
        st.toast(as_markdown(notice), duration="long")
    shown = runs.current()
    tree = sessions.current()
    # A branch that is not stored says so itself, and what to do.
    lost = tree is not None and shown.address in tree and stored(shown.address or "") is None
    if shown.problem is not None and not lost:
        problems.box(shown.problem, key="problem run")


def tool_bar(session: Session | None) -> LogUnit:
    """Undo, redo, other trees, and the unit; returns the unit."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if session is not None:
            undone, redone = (
                session_changes.undo_words(session),
                session_changes.redo_words(session),
            )
            st.button(
                "Undo", icon=":material/undo:", on_click=branch_actions.undo,
                disabled=undone is None,
                help=f"Takes back {as_markdown(undone)}" if undone else "Nothing to undo",
            )  # fmt: skip
            st.button(
                "Redo", icon=":material/redo:", on_click=branch_actions.redo,
                disabled=redone is None,
                help=f"Makes again: {as_markdown(redone)}" if redone else "Nothing to redo",
            )  # fmt: skip
        saved_trees.others()
        saved_trees.deleting()
        return view_controls.unit()
