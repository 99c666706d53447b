"""Choosing a model, its precision and its device, with what is known of it beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping

import streamlit as st

from tokenscope_core import ModelChoice
from tokenscope_core.models.files.catalogue import offer_named
from tokenscope_core.models.files.choice import DTYPES
from tokenscope_core.models.files.machine import CPU, SPREAD, devices
from tokenscope_core.models.files.memory_need import size_text
from tokenscope_core.models.files.names import MODELS_VARIABLE, hub_id_of, plain_name
from tokenscope_core.models.files.sources import (
    ALLOWED_VARIABLE,
    DEFAULT_VARIABLE,
    Kind,
    ModelSource,
    accepts_others,
    base_of,
    offers,
    source_of,
    sources,
)
from tokenscope_ui.pages import MODELS
from tokenscope_ui.request import model_card, model_download

AS_STORED = "as stored"
_LISTED_FOR_S = 30
_KINDS: dict[Kind, str] = {
    "shipped": "shipped",
    "folder": "folder",
    "gguf": "GGUF",
    "adapter": "adapter",
    "cache": "cached",
    "hub": "hub",
    "package": "package",
}


def draw_model_picker() -> None:
    """Draw the picker, precision and device, and the facts of the chosen model; of one that is not
    here yet what getting it takes, and the button that gets it."""
    fetched = model_download.take_fetched()
    if fetched is not None:
        st.session_state["model"] = fetched.name
        _sources.clear()
        _offers.clear()
    select("Model", "model")
    with st.expander("Precision and device"):
        _how_to_run()
    model_card.draw_model_card(chosen())
    model_download.draw_model_fetch(chosen(), tokens=0, place="picker")
    if base_of(chosen().name) is not None:
        st.page_link(MODELS.file, label="Adapter off and on, side by side", icon=MODELS.icon)


def select(label: str, key: str) -> None:
    """Draw the box of the models that this server offers; the choice is their name, under `key`."""
    listed = {source.name: source for source in (*on_this_server(), *_offered())}
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
        help="The shipped model, what lies in the folders of TOKENSCOPE_MODELS, what the Hugging "
        "Face cache holds, and small models to download. Type a folder, a GGUF file, ADAPTER+BASE, "
        "or a hub id such as org/name or the address of its page, and press Enter for another."
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
    first = next((source.name for source in on_this_server()), "")
    dtype, device = state.get("dtype"), state.get("device")
    return ModelChoice(
        state.get("model") or first,
        None if dtype == AS_STORED else dtype,
        # A device may have gone since it was chosen.
        device if device in devices()[1:] else None,
    )


def choose(model: ModelChoice) -> None:
    """Choose the model of a run, where this server offers it."""
    if model.name in {source.name for source in on_this_server()}:
        st.session_state["model"] = model.name
        st.session_state["dtype"] = model.dtype or AS_STORED
        st.session_state["device"] = model.device or devices()[0]


def on_this_server() -> tuple[ModelSource, ...]:
    """The models that can be chosen without a download, and those that are named by hub ids."""
    return _sources(*_environment())


def _offered() -> tuple[ModelSource, ...]:
    """What is not here and can be downloaded; a person who may only choose among these models is
    not asked to bring others."""
    return _offers(*_environment()) if accepts_others() else ()


def _environment() -> tuple[str | None, ...]:
    """What decides which models there are: the lists are made again when it changes."""
    return tuple(map(os.environ.get, (MODELS_VARIABLE, ALLOWED_VARIABLE, DEFAULT_VARIABLE)))


@st.cache_data(ttl=_LISTED_FOR_S, show_spinner=False)
def _sources(*of: str | None) -> tuple[ModelSource, ...]:
    """The models that can be chosen."""
    return sources()


@st.cache_data(ttl=_LISTED_FOR_S, show_spinner=False)
def _offers(*of: str | None) -> tuple[ModelSource, ...]:
    """The models that could be downloaded."""
    return offers()


def _label(source: ModelSource) -> str:
    """A model's short name, where it comes from, and whether it can be used at all."""
    label = f"{source.label} · {_KINDS[source.kind]}"
    offer = offer_named(source.name)
    if offer is not None and source.kind in ("hub", "package"):
        label += f" · {size_text(offer.download_bytes)} to download · {offer.licence}"
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
