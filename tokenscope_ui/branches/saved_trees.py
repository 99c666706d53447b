"""What is kept for a visitor: trees, and comparisons of two models. Trees are taken up again here;
either is deleted; and what is said without room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import streamlit as st

from tokenscope_core import RecordError, Session, StoreFullError, TokenScopeError
from tokenscope_core.display.formatting import branches_text, count_text
from tokenscope_core.models.files.memory_need import size_text
from tokenscope_core.sharing import links as share_links
from tokenscope_ui.branches import actions as branch_actions
from tokenscope_ui.request import problems
from tokenscope_ui.runs import runs, sessions
from tokenscope_ui.server import visitor_store, visitors
from tokenscope_ui.server.server import service

_OTHERS, _CHOSEN = "branches_other", "branches_deleted"
_LABELS = "kept_tree_labels"


@dataclass(frozen=True, slots=True)
class _Label:
    """Something that is kept, in a few words; a record is what cannot be opened."""

    text: str
    kind: Literal["session", "comparison", "record"]


def others() -> None:
    """Draw the menu of the trees worked on before; nothing without one."""
    held = sessions.state()
    here = None if held is None else held.name
    labels = {
        name: label.text
        for name, label in _labels(_sizes()).items()
        if label.kind == "session" and name != here
    }
    if labels:
        st.session_state[_OTHERS] = None
        st.selectbox(
            "Other trees", labels, key=_OTHERS, index=None, width=320, on_change=_open,
            format_func=lambda name: labels[name], placeholder=f"{len(labels):,} from before",
        )  # fmt: skip


def deleting() -> None:
    """Draw what is kept for the visitor, and the way to delete some of it."""
    sizes = _sizes()
    labels = _labels(sizes)
    if not labels:
        return
    with st.popover("Kept sessions", icon=":material/folder:"):
        st.text(_usage_text())
        held = sessions.state()
        here = None if held is None else held.name

        def shown(name: str) -> str:
            size = f" · {size_text(sizes[name])}" if name in sizes else ""
            return labels[name].text + size + (" · on screen" if name == here else "")

        largest_first = sorted(labels, key=lambda name: -sizes.get(name, 0))
        chosen = st.multiselect(
            "To delete, largest first", largest_first, key=_CHOSEN, format_func=shown,
            placeholder="None chosen",
        )  # fmt: skip
        st.caption(
            "Their short links stop opening, and figures imported with them are gone. This cannot "
            "be undone: a session file, from the page Share, brings a session back."
        )
        st.button(
            f"Delete {_counted(labels[name] for name in chosen)} for good" if chosen else "Delete",
            key="delete sessions", icon=":material/delete:", disabled=not chosen, on_click=_delete,
        )  # fmt: skip


def notice(*, branches: Path, share: Path) -> None:
    """Say on any page what others have changed in the tree in hand; or that it is not kept, and
    what can be done.

    Args:
        branches: the page where sessions are deleted.
        share: the page where files are made.
    """
    held = sessions.state()
    if held is not None and held.news is not None:
        _tell_news(held.news, held.copy_of)
    if held is None or held.problem is None:
        return
    box = problems.box(
        held.problem, title="The last change is on this screen only", key="problem kept"
    )
    shown = runs.current().address
    here = sessions.address() | ({} if shown is None else {runs.RUN_PARAMETER: shown})
    with box.container(horizontal=True, vertical_alignment="center", key="ways to keep"):
        if isinstance(held.problem, StoreFullError):
            st.page_link(
                branches, label="Delete sessions", icon=":material/folder:", query_params=here
            )
        st.page_link(
            share, label="Download the session", icon=":material/download:", query_params=here
        )
        st.button("Try to keep it again", icon=":material/refresh:", on_click=sessions.keep_again)


def _tell_news(news: str, copy_of: str | None) -> None:
    with st.container(border=True, key="changed elsewhere"):
        st.markdown(":material/group: **Changed elsewhere**")
        st.text(news)
        with st.container(horizontal=True, key="ways after a change elsewhere"):
            if copy_of is not None:
                st.button(
                    "Open the other", icon=":material/open_in_new:", on_click=_open_other,
                    args=(copy_of,), help="The copy stays, among “Other trees” on Branches.",
                )  # fmt: skip
            st.button("Close", icon=":material/close:", on_click=sessions.dismiss_news)


def _open_other(name: str) -> None:
    sessions.dismiss_news()
    branch_actions.open_tree(name)


def _usage_text() -> str:
    try:
        used = visitor_store.usage()
    except RecordError as problem:
        return str(problem)
    bounds = service().store.bounds
    size = size_text(used.bytes)
    if bounds.bytes_per_visitor is not None:
        size += f" of {size_text(bounds.bytes_per_visitor)}"
    number = f"{used.records:,}"
    if bounds.records_per_visitor is not None:
        number += f" of {bounds.records_per_visitor:,}"
    whose = "by you" if visitors.owner() else "in this visit"
    return f"Kept {whose}: {number} sessions, short links and imports; {size}."


def _open() -> None:
    name = st.session_state.get(_OTHERS)
    if name:
        branch_actions.open_tree(name)


def _delete() -> None:
    labels = _labels(_sizes())
    # A browser may send what it was not offered.
    chosen = [name for name in st.session_state.get(_CHOSEN, ()) if name in labels]
    gone: list[_Label] = []
    held = sessions.state()
    try:
        for name in chosen:
            if held is not None and held.name == name:
                runs.leave()
            sessions.delete(name)
            gone.append(labels[name])
    except TokenScopeError as problem:
        branch_actions.tell(str(problem))
    else:
        branch_actions.tell(f"Deleted {_counted(gone) or 'nothing'}.")
    if gone:
        st.session_state[_CHOSEN] = []
        sessions.keep_again()


def _counted(kept: Iterable[_Label]) -> str:
    """`1 session`, `2 sessions and 1 comparison`."""
    counts = Counter(label.kind for label in kept)
    return " and ".join(count_text(number, kind) for kind, number in counts.items())


def _sizes() -> dict[str, int]:
    try:
        return visitor_store.sizes()
    except RecordError:
        return {}


def _labels(sizes: Mapping[str, int]) -> dict[str, _Label]:
    """What can be opened or deleted: the tree in hand, then the latest first."""
    known = cast("dict[tuple[str, int | None], _Label | None]", st.session_state.get(_LABELS, {}))
    held = sessions.state()
    here = () if held is None or held.kept is None else (held.name,)
    names = dict.fromkeys((*here, *sessions.earlier(), *reversed(list(sizes))))
    # Reading all of them takes its time: once, and again where one has become larger or smaller.
    labels = {
        (name, size): known[name, size] if (name, size) in known else _label(name)
        for name in names
        for size in (sizes.get(name),)
    }
    st.session_state[_LABELS] = labels
    return {
        name: label or _Label(f"Cannot be opened · {name[:4]}", "record")
        for (name, size), label in labels.items()
        # What counts for the visitor can be deleted, whatever has become of it.
        if label is not None or size is not None
    }


def _label(name: str) -> _Label | None:
    """None where it is there no more, or cannot be opened."""
    try:
        blob = visitor_store.get(name)
        if blob is None:
            return None
        readings = share_links.stored_readings(blob)
        if readings is not None:
            what = f"Two models: {_beginning(readings.request.prompt)}"
            return _Label(f"{what} · {name[:4]}", "comparison")
        return _Label(f"{_summary(Session.from_bytes(blob))} · {name[:4]}", "session")
    except TokenScopeError:
        return None


def _summary(session: Session) -> str:
    first = _beginning(session.root.request.prompt) or session.root.name[:40]
    return f"{first} · {branches_text(len(session))}"


def _beginning(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")[:40]
