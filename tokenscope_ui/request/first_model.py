"""The offer of a first real model, where nothing has been decoded yet."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import ModelChoice, TokenScopeError
from tokenscope_core.models.files.catalogue import SMOLLM2
from tokenscope_core.models.files.facts import facts_ahead
from tokenscope_core.models.files.sources import offers
from tokenscope_ui.request import model_download


def draw_first_model() -> None:
    """Offer a small chat model in one click; nothing where it is here, this server does not offer
    it, or memory cannot hold it."""
    if not any(offer.name == SMOLLM2.name for offer in offers()):
        return
    model = ModelChoice(SMOLLM2.name)
    try:
        facts = facts_ahead(model.name)
    except TokenScopeError:
        return
    if facts is None or not model_download.fits(model, facts):
        return
    with st.container(border=True, key="first model"):
        st.markdown("**A model that can write code**")
        model_download.draw_model_fetch(model, tokens=0, place="first")
