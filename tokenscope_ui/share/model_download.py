"""Fetching the model that something shared was made with: from the hub, on a person's word.

Only once it is here is it known whether it is the very model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import streamlit as st

from tokenscope_core import ModelChoice, TokenScopeError
from tokenscope_core.jobs.analysis_jobs import AnalysisTicket, AnalysisView
from tokenscope_core.jobs.model_preparation import ReadyModel
from tokenscope_core.models.files.sources import source_of
from tokenscope_ui.request import model_card, problems
from tokenscope_ui.runs import progress
from tokenscope_ui.server.server import service, subscriber

_STATE = "fetching model"
_POLL_S = 0.3


@dataclass(frozen=True, slots=True)
class Fetching:
    """The model that is fetched, or was last, and why it is not here."""

    model: ModelChoice
    ticket: AnalysisTicket | None = None
    problem: TokenScopeError | None = None


def draw(model: ModelChoice, *, tokens: int) -> None:
    """Offer to fetch a model that is to run on about so many tokens; what it takes is said
    beforehand."""
    held = current()
    busy = held is not None and held.ticket is not None
    with st.container(horizontal=True, vertical_alignment="center", key=f"fetch {model}"):
        with st.container(width=300):
            model_card.draw(model)
        here = source_of(model.name).kind != "hub"
        st.button(
            "Read the model" if here else "Download the model",
            icon=":material/hard_drive:" if here else ":material/download:", disabled=busy,
            key=f"fetch button {model}", on_click=begin, args=(model, tokens),
            help="Every byte of its files, and into memory. Nothing is computed yet." if here
            else "Into the Hugging Face cache of this server, and into its memory. Nothing is "
            "computed yet.",
        )  # fmt: skip
    if held is None or held.model != model:
        return
    if held.problem is not None:
        problems.box(held.problem, title="The model could not be fetched", key="problem fetching")
    if busy:
        st.fragment(_progress, run_every=_POLL_S)()


def begin(model: ModelChoice, tokens: int) -> None:
    """Fetch a model, in the place of another one."""
    stop()
    try:
        ticket = service().analyse(model, ReadyModel(tokens), subscriber())
    except TokenScopeError as problem:
        _set(Fetching(model, problem=problem))
    else:
        _set(Fetching(model, ticket))


def stop() -> None:
    """Give up; what has arrived is kept for the next time."""
    held = current()
    if held is not None and held.ticket is not None:
        held.ticket.stop()
    _set(None)


def current() -> Fetching | None:
    """What is fetched, or could not be."""
    return cast("Fetching | None", st.session_state.get(_STATE))


def _progress() -> None:
    view = _follow()
    if view is None:
        # What opening takes is another thing now.
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", key="fetching progress"):
        st.button("Stop", icon=":material/stop:", on_click=stop, key="fetching stop")
        load = view.load
        share = load.done / load.total if load is not None and load.total else 0.0
        st.progress(min(1.0, share), text=progress.waiting_text(view) or "Ready")


def _follow() -> AnalysisView | None:
    held = current()
    if held is None or held.ticket is None:
        return None
    held.ticket.touch()
    view = held.ticket.view()
    if not view.ended:
        return view
    _set(replace(held, ticket=None, problem=view.error))
    return None


def _set(held: Fetching | None) -> None:
    st.session_state[_STATE] = held
