"""Texts to be passed on, with buttons that put them into the clipboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streamlit.components import v2 as components

_HERE = Path(__file__).parent


def _read(*names: str) -> str:
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)


_component = components.component(
    "tokenscope.copy_field",
    css=_read("copy_field.css"),
    js=_read("clipboard.js", "copy_field.js"),
)
_buttons = components.component(
    "tokenscope.copy_buttons",
    css=_read("copy_field.css"),
    js=_read("clipboard.js", "copy_buttons.js"),
)


def mount(text: str, *, label: str, key: str) -> None:
    """Draw a text in one line, and the button.

    Args:
        text: what is copied, exactly.
        label: names it for a screen reader and on the button.
        key: names this element within the page.
    """
    _component(key=key, data={"text": text, "label": label})


def mount_buttons(texts: Sequence[tuple[str, str, str]], *, key: str) -> None:
    """Draw a button for each text.

    Args:
        texts: what each button says, what it copies, exactly, and what a pointer is told of it.
        key: names this element within the page.
    """
    _buttons(key=key, data={"texts": [list(text) for text in texts]})
