"""A text to be passed on, with a button that puts it into the clipboard."""

from __future__ import annotations

from pathlib import Path

from streamlit.components import v2 as components

_HERE = Path(__file__).parent
_component = components.component(
    "tokenscope.copy_field",
    css=(_HERE / "copy_field.css").read_text(encoding="utf-8"),
    js=(_HERE / "copy_field.js").read_text(encoding="utf-8"),
)


def mount(text: str, *, label: str, key: str) -> None:
    """Draw a text in one line, and the button.

    Args:
        text: what is copied, exactly.
        label: names it for a screen reader and on the button.
        key: names this element within the page.
    """
    _component(key=key, data={"text": text, "label": label})
