"""Fetching the model that something shared was made with: from the hub, on a person's word.

Only once it is here is it known whether it is the very model.
"""

from __future__ import annotations

import streamlit as st

from tokenscope_core import ModelChoice
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_core.jobs.model_preparation import ReadyModel
from tokenscope_core.models.files.sources import source_of
from tokenscope_ui.request import model_card, problems
from tokenscope_ui.runs import progress
from tokenscope_ui.runs.following import Following, polled

_POLL_S = 0.3


# What it came to lies in the model's folder.
_run = Following("fetching model", lambda _model, _view: None)
stop = _run.clear


def draw_model_download(model: ModelChoice, *, tokens: int) -> None:
    """Offer to fetch a model that is to run on about so many tokens; what it takes is said
    beforehand."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"fetch {model}"):
        with st.container(width=300):
            model_card.draw_model_card(model)
        here = source_of(model.name).kind != "hub"
        st.button(
            "Read the model" if here else "Download the model",
            icon=":material/hard_drive:" if here else ":material/download:", disabled=_run.busy,
            key=f"fetch button {model}", on_click=begin, args=(model, tokens),
            help="Every byte of its files, and into memory. Nothing is computed yet." if here
            else "Into the Hugging Face cache of this server, and into its memory. Nothing is "
            "computed yet.",
        )  # fmt: skip
    problem = _run.problem(model)
    if problem is not None:
        problems.box(problem, title="The model could not be fetched", key="problem fetching")
    if _run.goes_on(model):
        polled(_progress, lambda: _run.follow(model), lambda: _run.goes_on(model), _POLL_S)()


def begin(model: ModelChoice, tokens: int) -> None:
    """Fetch a model, in the place of another one; what has arrived of that is kept."""
    _run.start(model, model, ReadyModel(tokens))


def _progress(view: AnalysisView | None) -> None:
    if view is not None:
        progress.show_progress(view, key="fetching", on_stop=stop, text="Ready")
