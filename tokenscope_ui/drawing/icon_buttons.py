"""Buttons that show an icon alone, and are read out by what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

KEY = "icon"
"""What such a button's key begins with: the page's style hides the words in it from the eye."""


def icon_button(
    label: str,
    icon: str,
    *,
    key: str,
    on_click: Callable[..., None],
    args: tuple[Any, ...] = (),
    disabled: bool = False,
    help: str | None = None,
) -> None:
    """Draw a button that does what `label` says; a pointer is told `help`, or else the label.

    Streamlit names a button without a label by its icon: "chevron_left icon".
    """
    st.button(
        label, icon=icon, key=f"{KEY} {key}", help=help or label, on_click=on_click, args=args,
        disabled=disabled,
    )  # fmt: skip
