"""Above the tree: what there is to be said, undo and redo, and the other trees of this visit."""

from __future__ import annotations

from functools import lru_cache

import streamlit as st

from tokenscope_core import RecordError, Session
from tokenscope_ui import branch_actions, branch_history, problems, runs, sessions, view_controls
from tokenscope_ui.branch_traces import stored
from tokenscope_ui.branch_words import as_markdown, branches_text
from tokenscope_ui.scales import LogUnit

_OTHERS = "branches_other"


def messages() -> None:
    """What the last action did, and what became of keeping the tree."""
    notice = branch_actions.notice()
    if notice is not None:
        # In sight wherever the page is scrolled to: what was pressed may be far down.
        st.toast(as_markdown(notice), duration="long")
    held = sessions.state()
    if held is not None and held.copied:
        st.info(
            "This tree was changed in another tab. What you do here goes on in a copy of its own, "
            "so that neither overwrites the other.",
            icon=":material/content_copy:",
        )
    if held is not None and held.problem is not None:
        problems.box(
            held.problem, title="The last change is on this screen only", key="problem kept"
        )
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
                branch_history.undo_words(session),
                branch_history.redo_words(session),
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
        _other_trees()
        return view_controls.unit()


def _other_trees() -> None:
    """A menu of the trees this browser session has worked on before."""
    held = sessions.state()
    here = None if held is None else held.name
    labels = {name: _label(name) for name in sessions.earlier() if name != here}
    names = [name for name, label in labels.items() if label is not None]
    if names:
        st.session_state[_OTHERS] = None
        st.selectbox(
            "Other trees", names, key=_OTHERS, index=None, width=320, on_change=_open,
            format_func=lambda name: labels[name] or "", placeholder=f"{len(names):,} from before",
        )  # fmt: skip


def _open() -> None:
    name = st.session_state.get(_OTHERS)
    if name:
        branch_actions.open_tree(name)


def _label(name: str) -> str | None:
    """A tree in a few words; None where it cannot be opened."""
    try:
        blob = sessions.kept(name)
        return None if blob is None else f"{_summary(blob)} · {name[:4]}"
    except RecordError:
        return None


@lru_cache(maxsize=64)
def _summary(blob: bytes) -> str:
    session = Session.from_bytes(blob)
    first = session.root.request.prompt.strip().splitlines() or [session.root.name]
    return f"{first[0][:40]} · {branches_text(len(session))}"
