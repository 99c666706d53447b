"""Bringing a model to this machine on a person's word: downloaded, converted, read, loaded.

Of the model that something shared was made with, only once it is here is it known whether it is
the very one.
"""

from __future__ import annotations

import streamlit as st

from tokenscope_core import ModelChoice, TokenScopeError
from tokenscope_core.jobs.analysis_jobs import AnalysisView
from tokenscope_core.jobs.model_preparation import ReadyModel
from tokenscope_core.models.files.catalogue import offer_named
from tokenscope_core.models.files.facts import ModelFacts, facts_ahead
from tokenscope_core.models.files.machine import devices, memory_of
from tokenscope_core.models.files.memory_need import memory_need, size_text
from tokenscope_core.models.files.model_files import find
from tokenscope_core.models.files.sources import source_of
from tokenscope_ui.request import model_card, problems
from tokenscope_ui.runs import progress
from tokenscope_ui.runs.following import Following, polled

_POLL_S = 0.3
_TO_BE_CHOSEN = "model to be chosen"


def _ended(model: ModelChoice, view: AnalysisView) -> None:
    """What it came to lies in the model's folder; the control that chooses it is not drawn here."""
    if view.phase == "done" and st.session_state.get(_TO_BE_CHOSEN) == (model, False):
        st.session_state[_TO_BE_CHOSEN] = (model, True)


_run = Following("fetching model", _ended)
stop, goes_on = _run.clear, _run.goes_on


def draw_model_download(model: ModelChoice, *, tokens: int) -> None:
    """Offer to fetch a model that is to run on about so many tokens; what it takes is said
    beforehand."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"fetch {model}"):
        with st.container(width=300):
            model_card.draw_model_card(model)
        _button(model, tokens, place="shared", choose=False)
    _draw_run(model)


def draw_model_fetch(model: ModelChoice, *, tokens: int, place: str) -> None:
    """Say what bringing a model here takes, with the button that does it and then chooses it;
    nothing of one that is here.

    Args:
        model: not on this machine yet, or not as safetensors.
        tokens: about how many it is to run on.
        place: which of several places on a page this is.
    """
    facts = _facts_ahead(model)
    if facts is not None:
        st.caption(_cost(model, facts))
        _button(model, tokens, place=place, choose=True)
    if facts is not None or _run.goes_on(model):
        _draw_run(model)


def take_fetched() -> ModelChoice | None:
    """The model that was brought here to be chosen, once; None where there is none."""
    held = st.session_state.get(_TO_BE_CHOSEN)
    if held is None or not held[1]:
        return None
    del st.session_state[_TO_BE_CHOSEN]
    model: ModelChoice = held[0]
    return model


def fits(model: ModelChoice, facts: ModelFacts) -> bool:
    """Whether a model could be held by what is free now."""
    need = memory_need(facts, dtype=model.dtype).weights
    return need <= memory_of(model.device or devices()[0]).available


def _facts_ahead(model: ModelChoice) -> ModelFacts | None:
    """What is known of a model that is not here yet; None of one that is, or of which nothing is
    known."""
    try:
        return None if find(model.name) is not None else facts_ahead(model.name)
    except TokenScopeError:
        return None  # the picker says what is wrong with it


def _cost(model: ModelChoice, facts: ModelFacts) -> str:
    """What a model is, what getting it takes and what this machine has."""
    said = []
    offer = offer_named(model.name)
    if offer is not None:
        said.append(f"{offer.title}: {offer.about}, {offer.licence}.")
    if facts.download_bytes is not None:
        # pip begins again where a download breaks off; the hub's client goes on.
        resumed = "" if offer is None or offer.package else ", resumed where it breaks off"
        said.append(f"Download {size_text(facts.download_bytes)}{resumed}.")
    if facts.gguf is not None:
        said.append(
            f"{facts.gguf.kind} of {size_text(facts.gguf.bytes)} is converted once to "
            f"{size_text(facts.weight_bytes)} of float32 on disk, every number as the file has it."
        )
    elif offer is not None and offer.package is not None:
        said.append(
            f"Its 4-bit weights are converted once to {size_text(facts.weight_bytes)} of float32."
        )
    need = memory_need(facts, dtype=model.dtype).weights
    memory = memory_of(model.device or devices()[0])
    said.append(f"Memory {size_text(need)}; {size_text(memory.available)} free.")
    return " ".join(said)


def _button(model: ModelChoice, tokens: int, *, place: str, choose: bool) -> None:
    kind = source_of(model.name).kind
    away = kind in ("hub", "package")
    label = "Download the model" if away else "Read the model"
    if kind == "gguf" and choose:
        label = "Convert the model"
    st.button(
        label, icon=":material/download:" if away else ":material/hard_drive:",
        disabled=_run.busy, key=f"fetch button {place} {model}", on_click=begin,
        args=(model, tokens), kwargs={"choose": choose},
        help="Onto the disk of this server, and into its memory. Nothing is computed yet." if away
        else "Every byte of its files, and into memory. Nothing is computed yet.",
    )  # fmt: skip


def _draw_run(model: ModelChoice) -> None:
    problem = _run.problem(model)
    if problem is not None:
        problems.box(problem, title="The model could not be fetched", key="problem fetching")
    if _run.goes_on(model):
        polled(_progress, lambda: _run.follow(model), lambda: _run.goes_on(model), _POLL_S)()


def begin(model: ModelChoice, tokens: int, *, choose: bool = False) -> None:
    """Fetch a model, in the place of another one; what has arrived of that is kept.

    Args:
        model: which.
        tokens: about how many it is to run on.
        choose: whether it becomes the chosen one when it is here.
    """
    st.session_state[_TO_BE_CHOSEN] = (model, False) if choose else None
    _run.start(model, model, ReadyModel(tokens))


def _progress(view: AnalysisView | None) -> None:
    if view is not None:
        progress.show_progress(view, key="fetching", on_stop=stop, text="Ready")
