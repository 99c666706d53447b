"""Something shared as a visitor first sees it: what it is, what of it is here, what the rest takes.

Names, notes and prompts are somebody else's: they are drawn as plain text.
"""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Session, Shared, TokenScopeError
from tokenscope_core.display.formatting import branches_text, count_text
from tokenscope_core.jobs.generation_jobs import JobView
from tokenscope_core.sessions.uploads import is_from_file, is_imported
from tokenscope_core.sharing.cost import TO_BE_FETCHED, Cost
from tokenscope_ui.branches import lanes
from tokenscope_ui.branches import recompute as branch_recompute
from tokenscope_ui.branches.traces import at_hand, figures
from tokenscope_ui.components import tree
from tokenscope_ui.pages import OF_SESSION
from tokenscope_ui.request import model_download, problems
from tokenscope_ui.runs import progress, runs, sessions
from tokenscope_ui.runs.following import polled
from tokenscope_ui.share import (
    opening,
    readings_view,
    text_excerpt,
    ways_out,
    words,
)
from tokenscope_ui.share.opening import Opening

_POLL_S = 0.3
_TREE_KEY, _TREE_HEIGHT = "shared tree", 420


def show_shared(held: Opening) -> None:
    """Draw it, with the ways on."""
    if held.started:
        polled(_computing, _follow, _goes_on, _POLL_S)()
        return
    if held.problem is None and held.readings is not None:
        readings_view.show_shared_readings(held.readings)
        return
    if held.problem is not None:
        ways_out.refuse(held.problem)
        return
    if held.shared is None:
        return
    try:
        found = opening.cost(held.shared)
    except TokenScopeError as problem:
        ways_out.refuse(problem)
        return
    _about(held, held.shared, found)
    _ways_on(held, held.shared, found)
    _branches(held, held.shared.session, found)
    request = held.shared.session.root.request
    text_excerpt.draw_excerpt(
        request.prompt or "\n".join(message.content for message in request.messages)
    )


def say_origin(page: str) -> None:
    """Above a page of a session whose figures nobody computed here: that they came from a file."""
    trace = runs.current().trace
    if page in OF_SESSION and trace is not None and is_from_file(trace.model):
        st.text(
            f"Figures of “{trace.model.name}”: shown as they stood in the file, computed by nobody "
            "here. They can be looked at and compared, but not continued."
        )
        session = sessions.current()
        if session is not None and is_imported(trace.model) and trace.key in session:
            # What was recognised, and what could not be read as it stands.
            st.text(session.branch(trace.key).note)


def _about(held: Opening, shared: Shared, found: Cost) -> None:
    st.header("A shared session")
    st.text(
        f"{branches_text(len(shared.session))} of the model “{shared.session.model.name}”. "
        "Nothing is computed or changed before you open it."
    )
    with st.container(border=True, key="what opening costs"):
        st.text(words.cost_text(shared, found))
        st.text(words.model_text(shared, found))
        if held.figures:
            st.text(
                f"The file holds figures of {branches_text(len(held.figures))}. They are as good "
                "as whoever wrote it, and are kept apart from what is computed here."
            )
    for note in held.notes:
        st.text(note)
    if found.missing and found.availability in TO_BE_FETCHED and found.model is not None:
        model_download.draw_model_download(
            found.model, tokens=found.read_tokens + found.generated_tokens
        )


def _ways_on(held: Opening, shared: Shared, found: Cost) -> None:
    can_compute = opening.computable(shared, found)
    with st.container(horizontal=True, key="opening ways"):
        if not found.missing:
            st.button("Open it here", type="primary", on_click=opening.open_here)
        elif can_compute:
            st.button(
                "Open it here", type="primary", icon=":material/play_arrow:",
                on_click=opening.open_here,
                help="Makes a copy of your own and computes what is missing; it can be stopped.",
            )  # fmt: skip
            st.button(
                "Open without computing", on_click=opening.open_here, kwargs={"compute": False},
                help="Each branch can be computed later, on the page Branches.",
            )  # fmt: skip
        elif found.held:
            st.button(
                "Open what is here", type="primary", on_click=opening.open_here,
                kwargs={"compute": False},
            )  # fmt: skip
        if found.missing and found.availability == "samples agree":
            ways_out.anew_button()
        if held.figures and found.missing:
            st.button(
                "Show the figures of the file", on_click=opening.open_figures,
                type="secondary" if can_compute else "primary",
                help="As they stand in it, marked as such; nothing is computed.",
            )  # fmt: skip
        ways_out.button()
    if sessions.current() is not None:
        st.caption("Your session stays: it is under “Other trees” on the page Branches.")


def _branches(held: Opening, session: Session, found: Cost) -> None:
    """The tree as on Branches, as far as its traces are at hand; the recipes alone say the rest."""
    traces = {**held.figures, **at_hand(session)}
    picked = tree.picked(_TREE_KEY) or ""
    chosen = session.branch(picked if picked in session else session.current)
    tree.mount(
        lanes.encode(session, figures(session, traces), traces, "bits", absent="to compute"),
        key=_TREE_KEY, selected=chosen.key, on_select=lambda: None, height=_TREE_HEIGHT,
    )  # fmt: skip
    st.caption(
        "A lane begins where its branch leaves the one it grew on. Dashed: to be computed, its "
        "length is not known before."
    )
    with st.container(border=True, key="shared branch"):
        shown = "; shown first" if chosen.key == session.current else ""
        st.text(f"“{chosen.name}”: {words.origin_text(session, chosen.key)}{shown}")
        where = "in the file" if chosen.key in held.figures else "to be computed"
        where = "stored here" if chosen.key in found.held else where
        new = count_text(chosen.request.max_new_tokens, "new token")
        st.text(f"Its trace is {where}: at most {new}.")
        if chosen.note:
            st.text(chosen.note)


def _follow() -> JobView | None:
    view = branch_recompute.follow()
    opening.follow()
    return view


def _goes_on() -> bool:
    held, running = opening.current(), branch_recompute.current()
    return held is not None and held.started and (running is None or running.problem is None)


def _computing(view: JobView | None) -> None:
    held, running = opening.current(), branch_recompute.current()
    if held is None or not held.started:
        st.rerun()
    with st.container(key="opening shared"):
        st.header("Opening a shared session")
        st.text(f"{branches_text(len(held.wanted))} to compute")
        if running is not None and running.problem is not None:
            problems.box(running.problem, title="It was not computed", key="problem recompute")
            st.button("Open what is here", type="primary", on_click=opening.stop)
            return
        help_ = "What has been computed is shown; the rest can be computed later."
        if view is not None and not view.ended and running is not None and running.running:
            st.text(f"“{running.running.name}”")
            progress.show_progress(view, key="opening", on_stop=opening.stop, help=help_)
        else:
            progress.stop_button(opening.stop, key="opening", help=help_)
