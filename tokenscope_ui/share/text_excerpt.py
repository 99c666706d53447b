"""How a text that somebody passed on begins."""

from __future__ import annotations

import streamlit as st

from tokenscope_core.display.formatting import count_text

_SHOWN = 2_000


def draw_excerpt(text: str) -> None:
    """Draw it, as plain text."""
    if text:
        st.caption("It begins with")
        st.code(text[:_SHOWN], language=None)
        if len(text) > _SHOWN:
            st.caption(f"and {count_text(len(text) - _SHOWN, 'more character')}.")
