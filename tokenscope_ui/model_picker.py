"""Choosing a model, with its facts beside it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from tokenscope_core import TokenScopeError
from tokenscope_core.model_facts import ModelFacts, facts_of
from tokenscope_core.model_files import available, locate, needs_network

_NOT_STATED = "not stated"


def draw() -> None:
    """Draw the picker and the facts of the chosen model."""
    # A typed model stays in the list while it is chosen.
    typed = [st.session_state["model"]] if st.session_state.get("model") else []
    st.selectbox(
        "Model",
        list(dict.fromkeys([*available(), *typed])),
        key="model",
        accept_new_options=True,
        persist_state="session",
        help="The shipped model, a folder listed in TOKENSCOPE_MODELS, or type a folder or "
        "a Hugging Face id and press Enter.",
    )
    _facts(chosen())


def chosen() -> str:
    """The model to run."""
    return st.session_state.get("model") or available()[0]


def choose(model: str) -> None:
    """Choose the model of a run: named as a person did, or as its trace names it."""
    for known in available():
        if model in (known, Path(known).name):
            st.session_state["model"] = known
            return


def _facts(model: str) -> None:
    """Draw a popover with what the model's files say; nothing is loaded or downloaded for it."""
    with st.popover("About this model", icon=":material/info:", width="stretch"):
        if needs_network(model):
            st.caption("Not on this machine as a folder; its facts are read once it is.")
            return
        try:
            facts = facts_of(locate(model))
        except TokenScopeError as error:
            st.text(f"{error.found} {error.action}")
            return
        st.table(dict(_rows(facts)), hide_header=True, border="horizontal")


def _rows(facts: ModelFacts) -> list[tuple[str, str]]:
    heads = _count(facts.heads)
    if facts.key_value_heads not in (None, facts.heads):
        heads += f", sharing {facts.key_value_heads:,} of keys and values"
    cache = facts.cache_bytes_per_token
    whole = cache * facts.context if cache and facts.context else None
    return [
        ("architecture", _word(facts.architecture)),
        ("parameters", f"{facts.parameters:,}"),
        ("weights", f"{_size(facts.weight_bytes)} in {_word(facts.precision)}"),
        ("layers", _count(facts.layers)),
        ("attention heads", heads),
        ("width", _count(facts.width)),
        ("vocabulary", _count(facts.vocabulary)),
        ("context", _count(facts.context)),
        ("cache per token", _size(cache) if cache else _NOT_STATED),
        ("cache when full", _size(whole) if whole else _NOT_STATED),
    ]


def _word(text: str) -> str:
    """Letters, digits and underscores only: a table cell would take the rest for Markdown."""
    return "".join(c for c in text if c.isalnum() or c == "_")


def _count(number: int | None) -> str:
    return _NOT_STATED if number is None else f"{number:,}"


def _size(count: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"
