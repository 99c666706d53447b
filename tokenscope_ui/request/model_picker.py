"""Choosing a model, its precision and its device, with what is known of it beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping

import streamlit as st

from tokenscope_core import ModelChoice
from tokenscope_core.models.files.choice import DTYPES
from tokenscope_core.models.files.machine import CPU, SPREAD, devices
from tokenscope_core.models.files.names import MODELS_VARIABLE, hub_id_of, plain_name
from tokenscope_core.models.files.sources import (
    ALLOWED_VARIABLE,
    Kind,
    ModelSource,
    accepts_others,
    source_of,
    sources,
)
from tokenscope_ui.request import model_card

AS_STORED = "as stored"
_LISTED_FOR_S = 30
_KINDS: dict[Kind, str] = {
    "shipped": "shipped",
    "folder": "folder",
    "cache": "cached",
    "hub": "hub",
}


def draw_model_picker() -> None:
    """Draw the picker, precision and device, and the facts of the chosen model."""
    select("Model", "model")
    with st.expander("Precision and device"):
        _how_to_run()
    model_card.draw_model_card(chosen())


def select(label: str, key: str) -> None:
    """Draw the box of the models that this server offers; the choice is their name, under `key`."""
    listed = {source.name: source for source in _listed()}
    _take_typed(key, listed)
    # A typed model stays in the list while it is chosen.
    typed = st.session_state.get(key)
    if typed and typed not in listed:
        listed[typed] = source_of(typed)
    st.selectbox(
        label,
        list(listed),
        key=key,
        format_func=lambda name: _label(listed.get(name) or source_of(name)),
        accept_new_options=accepts_others(),
        persist_state="session",
        help="The shipped model, a folder in TOKENSCOPE_MODELS, or what the Hugging Face cache "
        "holds. Type a folder, or a hub id such as org/name or the address of its page, and press "
        "Enter for another."
        if accepts_others()
        else "This server offers these models.",
    )
    picked = listed.get(st.session_state.get(key) or "")
    if picked is not None and picked.problem is not None:
        model_card.warn("Cannot be opened", picked.problem, key=f"{key} problem")


def _take_typed(key: str, listed: Mapping[str, ModelSource]) -> None:
    """Turn a typed name of what is listed, or a page's address on the hub, into the one name of it.

    Another folder stays as it was typed: where it lies in full is nobody else's concern.
    """
    typed = st.session_state.get(key)
    if not typed or typed in listed:
        return
    plain = plain_name(typed)
    if plain in listed or plain == hub_id_of(typed):
        st.session_state[key] = plain


def chosen() -> ModelChoice:
    """The model to run, and how."""
    state = st.session_state
    first = next((source.name for source in _listed()), "")
    dtype, device = state.get("dtype"), state.get("device")
    return ModelChoice(
        state.get("model") or first,
        None if dtype == AS_STORED else dtype,
        # A device may have gone since it was chosen.
        device if device in devices()[1:] else None,
    )


def choose(model: ModelChoice) -> None:
    """Choose the model of a run, where this server offers it."""
    if model.name in {source.name for source in _listed()}:
        st.session_state["model"] = model.name
        st.session_state["dtype"] = model.dtype or AS_STORED
        st.session_state["device"] = model.device or devices()[0]


def _listed() -> tuple[ModelSource, ...]:
    return _sources(*map(os.environ.get, (MODELS_VARIABLE, ALLOWED_VARIABLE)))


@st.cache_data(ttl=_LISTED_FOR_S, show_spinner=False)
def _sources(folders: str | None, allowed: str | None) -> tuple[ModelSource, ...]:
    """The models that can be chosen; the arguments say when to look again."""
    return sources()


def _label(source: ModelSource) -> str:
    """A model's short name, where it comes from, and whether it can be used at all."""
    label = f"{source.label} · {_KINDS[source.kind]}"
    return label if source.problem is None else f"{label} · cannot be opened"


def _how_to_run() -> None:
    st.selectbox(
        "Precision", [AS_STORED, *DTYPES], key="dtype", persist_state="session",
        help="Half precision (bfloat16, float16) takes half the memory of float32. Its numbers are "
        "coarser: exact ties occur, and the favourite may differ between batch shapes.",
    )  # fmt: skip
    present = devices()
    st.selectbox(
        "Device", present, key="device", persist_state="session", disabled=len(present) == 1,
        format_func=lambda device: {CPU: "CPU", SPREAD: "spread over all"}.get(device, device),
        help="Where the model runs. A trace depends on it by rounding only."
        if len(present) > 1
        else "torch sees no accelerator on this machine.",
    )  # fmt: skip
