"""Above the code, once there are branches: which one is shown, and the ways to the others."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Session
from tokenscope_ui.branches import actions as branch_actions
from tokenscope_ui.drawing.icon_buttons import icon_button
from tokenscope_ui.drawing.markdown import as_markdown
from tokenscope_ui.pages import BRANCHES, COMPARE
from tokenscope_ui.runs import session_changes, sessions

_CHOSEN = "branch_shown"


def show_branch_bar() -> None:
    """Draw the bar; nothing before the first branch."""
    session = sessions.current()
    if session is None or (len(session) == 1 and not session.past and not session.future):
        return
    depths = _depths(session)
    st.session_state[_CHOSEN] = session.current
    with st.container(horizontal=True, vertical_alignment="bottom", key="branch bar"):
        st.selectbox(
            f"Branch, of {len(session):,}", list(depths), key=_CHOSEN, on_change=_open, width=260,
            format_func=lambda key: "\u2003" * depths[key] + session.branch(key).name,
        )  # fmt: skip
        undone, redone = session_changes.undo_words(session), session_changes.redo_words(session)
        icon_button(
            "Undo", ":material/undo:", key="undo branch", on_click=branch_actions.undo,
            disabled=undone is None,
            help=f"Takes back {as_markdown(undone)}" if undone else "Nothing to undo",
        )  # fmt: skip
        icon_button(
            "Redo", ":material/redo:", key="redo branch", on_click=branch_actions.redo,
            disabled=redone is None,
            help=f"Makes again: {as_markdown(redone)}" if redone else "Nothing to redo",
        )  # fmt: skip
        st.page_link(
            BRANCHES.file, label="Tree", icon=BRANCHES.icon,
            query_params=sessions.address(),
        )  # fmt: skip
        parent = session.branch(session.current).parent
        if parent is not None:
            st.page_link(
                COMPARE.file, label="Compare with its parent", icon=COMPARE.icon,
                query_params={**sessions.address(), "a": parent, "b": session.current},
            )  # fmt: skip
    notice = branch_actions.notice()
    if notice is not None:
        st.caption(f":material/info: {as_markdown(notice)}")


def _open() -> None:
    branch_actions.choose(str(st.session_state[_CHOSEN]))


def _depths(session: Session) -> dict[str, int]:
    """How deep each branch stands in the tree, in the order of `walk`."""
    depths: dict[str, int] = {}
    for key in session.walk():
        parent = session.branch(key).parent
        depths[key] = 0 if parent is None else depths[parent] + 1
    return depths
