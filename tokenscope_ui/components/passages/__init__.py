"""A text in passages of different kinds: special tokens as chips, filled code highlighted.

It is drawn by the browser as text nodes, so nothing in it is ever markup; what would hide or
reorder text is shown by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from streamlit.components import v2 as components

Kind = Literal["plain", "special", "filled"]

_HERE = Path(__file__).parent
_SCRIPTS = (_HERE.parent / "strip" / "glyphs.js", _HERE / "passages.js")
_component = components.component(
    "tokenscope.passages",
    css=(_HERE / "passages.css").read_text(encoding="utf-8"),
    js="\n".join(script.read_text(encoding="utf-8") for script in _SCRIPTS),
)


def mount(
    passages: Iterable[tuple[Kind, bytes]],
    *,
    label: str,
    key: str,
    copy: bytes | None = None,
    height: int = 360,
) -> None:
    """Draw passages, one after the other.

    Args:
        passages: their kinds and exact bytes; what is no UTF-8 is shown as U+FFFD.
        label: names the whole for a screen reader.
        key: names this element within the page.
        copy: what a button puts into the clipboard; without it there is no button.
        height: largest height in pixels, scrolling inside.
    """
    _component(
        key=key,
        data={
            "label": label,
            "parts": [[kind, _decoded(data)] for kind, data in passages],
            "copy": None if copy is None else _decoded(copy),
            "height": height,
        },
    )


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
