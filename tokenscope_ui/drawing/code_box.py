"""A piece of code in a box, as plain text.

`st.code` would have the browser load a highlighter for some hundred languages (1.5 MB) before it
shows anything else of what a click has asked for.
"""

from __future__ import annotations

import streamlit as st

_MOST_LINES, _HEIGHT = 6, 150


def show_code(text: str, *, key: str) -> None:
    """Draw it, to scroll where it is long.

    Args:
        text: any; blank space around it is left out, so spell it where it matters.
        key: names this box within the page.
    """
    long = text.count("\n") >= _MOST_LINES
    with st.container(border=True, key=f"code-box-{key}", height=_HEIGHT if long else "content"):
        st.text(text)
