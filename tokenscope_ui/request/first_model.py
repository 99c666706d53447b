"""The offer of a first real model, where nothing has been decoded yet."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import ModelChoice
from tokenscope_core.models.files.catalogue import SMOLLM2
from tokenscope_core.models.files.facts import facts_ahead
from tokenscope_core.models.files.sources import offers
from tokenscope_ui.request import model_download


def draw_first_model() -> None:
    """Offer a small chat model in one click; nothing where it is here, this server does not offer
    it, or memory cannot hold it."""
    model = ModelChoice(SMOLLM2.name)
    # Its file is here before it is converted and loaded: what was begun stays on the page.
    if not model_download.goes_on(model) and not _can_be_had(model):
        return
    with st.container(border=True, key="first model"):
        st.markdown("**A real chat model**")
        model_download.draw_model_fetch(model, tokens=0, place="first")


def _can_be_had(model: ModelChoice) -> bool:
    if not any(offer.name == model.name for offer in offers()):
        return False
    facts = facts_ahead(model.name)
    return facts is not None and model_download.fits(model, facts)
