"""What was generated, or all of a text, into the clipboard as it is."""

from __future__ import annotations

import streamlit as st

from tokenscope_core import Trace
from tokenscope_ui.components import copy_field

_LOSSY = " Bytes that are no character are copied as \N{REPLACEMENT CHARACTER}."


def show_copy_buttons(trace: Trace) -> None:
    """Draw a button for what was generated, where anything was, and one for the whole text."""
    texts = []
    if len(trace) > trace.prompt_length:
        written = trace.text_bytes[int(trace.byte_start[trace.prompt_length]) :]
        texts.append(_text("Copy what was generated", written, "Without the prompt, verbatim."))
    texts.append(_text("Copy all", trace.text_bytes, "The whole text, verbatim."))
    with st.container(key="copying"):
        copy_field.mount_buttons(texts, key="copy the text")


def _text(label: str, data: bytes, says: str) -> tuple[str, str, str]:
    text = data.decode("utf-8", errors="replace")
    whole = text.encode() == data
    return label, text, f"{says}{'' if whole else _LOSSY}"
