"""A shared comparison of two models as a visitor first sees it: who read what, what it takes."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import TokenScopeError
from tokenscope_core.display.formatting import count_text
from tokenscope_core.models.files.memory_need import about_tokens
from tokenscope_core.sharing.cost import TO_BE_FETCHED
from tokenscope_core.sharing.links import ReadingCost, SharedReadings
from tokenscope_ui.request import model_download
from tokenscope_ui.share import opening, text_excerpt, ways_out, words


def show_shared_readings(shared: SharedReadings) -> None:
    """Draw it, with the ways on."""
    try:
        found = opening.readings_cost(shared)
    except TokenScopeError as problem:
        ways_out.refuse(problem)
        return
    st.header("A shared comparison of two models")
    st.text("One text, read by two models. Nothing is computed before you open it.")
    with st.container(border=True, key="what opening costs"):
        for name, reader, cost in zip("AB", shared.readers, found, strict=True):
            st.text(f"{name}: {_standing(reader.model.name, cost, shared)}")
    wanted = (one.model for one in found if not one.held and one.availability in TO_BE_FETCHED)
    # Both may be one model, in two precisions or in the same.
    for model in dict.fromkeys(wanted):
        if model is not None:
            st.text(f"“{model}”")
            model_download.draw_model_download(model, tokens=about_tokens(shared.request.prompt))
    with st.container(horizontal=True, key="opening ways"):
        if any(cost.computable for cost in found):
            whole = all(cost.computable for cost in found)
            st.button(
                "Open it here" if whole else "Open what is possible",
                type="primary", on_click=opening.open_here,
            )  # fmt: skip
        if any(one.availability == "samples agree" and not one.held for one in found):
            ways_out.anew_button()
        ways_out.button()
    text_excerpt.draw_excerpt(shared.request.prompt)


def _standing(name: str, cost: ReadingCost, shared: SharedReadings) -> str:
    if cost.held:
        return f"what “{name}” made of it is stored here."
    size = count_text(len(shared.request.prompt.encode("utf-8")), "byte")
    here = words.availability_text(name, cost.availability)
    return f"{here} It would read {size}." if cost.availability == "here" else here
