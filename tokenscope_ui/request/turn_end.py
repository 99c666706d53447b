"""A chat template that ends an answer with a token at which the model's files let no text end."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import TokenScopeError
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.prompts.preview import unended_turn


def show_turn_end(files: ModelFiles | None) -> None:
    """Say so, and offer to stop there; nothing where the two agree."""
    if files is None:
        return
    try:
        with st.spinner("Reading the tokenizer …", show_time=False):
            found = unended_turn(files)
    except TokenScopeError:
        return  # running the model says what is wrong with it
    if found is None:
        return
    token_id, token = found
    words = st.session_state["stop_tokens"].replace(",", " ").split()
    if str(token_id) in words:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="turn end"):
        shown = token.replace("`", "ˋ")
        st.caption(
            f":material/warning: The chat template ends an answer with `{shown}` (id "
            f"{token_id:,}), at which the model’s files let no text end: it would write on, often "
            "the user’s next turn.",
            width="content",
        )
        st.button(
            "Stop there", key="stop at turn end", type="tertiary", on_click=_stop_at,
            args=(token_id,),
        )  # fmt: skip


def _stop_at(token_id: int) -> None:
    typed = st.session_state["stop_tokens"].strip()
    st.session_state["stop_tokens"] = f"{typed}, {token_id}" if typed else str(token_id)
