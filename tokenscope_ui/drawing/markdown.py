"""Texts of people in places that Streamlit reads as Markdown."""

from __future__ import annotations

import re

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~$:])")


def as_markdown(text: str) -> str:
    """A text for a place that takes Markdown only, such as a help text, without any."""
    return _MARKUP.sub(r"\\\1", text)
