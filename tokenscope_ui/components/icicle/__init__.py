"""The drawing of a tree as an icicle: a row a level, each node as wide as what it holds.

`mount` draws it. The nodes travel as one block of bytes that the caller builds once and caches;
the selection travels apart from it, as that of the strip does. What is zoomed into stays in the
browser. Everything reaches the page as text nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st
from streamlit.components import v2 as components

from tokenscope_core.display.ramp import ramp_css
from tokenscope_core.display.style import STRIP_CSS
from tokenscope_ui.components import picture
from tokenscope_ui.components.icicle.payload import NodeFigures, Payload, encode

__all__ = ["NodeFigures", "Payload", "encode", "mount", "picked"]

_HERE = Path(__file__).parent
_STRIP = _HERE.parent / "strip"
_STYLES = (_STRIP / "legend.css", _STRIP / "tooltip.css", _STRIP / "colours.css",
           picture.STYLE, _HERE / "icicle.css")  # fmt: skip
_SHARED = ("glyphs.js", "scale.js", "legend.js", "tooltip.js", "picks.js")
_SCRIPTS = (
    *(_STRIP / name for name in _SHARED),
    *picture.SCRIPTS,
    *(_HERE / name for name in ("words.js", "layout.js", "crumbs.js", "icicle.js")),
)


def _together(files: tuple[Path, ...]) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


_icicle = components.component(
    "tokenscope.icicle", css=STRIP_CSS + _together(_STYLES) + ramp_css(), js=_together(_SCRIPTS)
)
_selection = components.component(
    "tokenscope.icicle_selection", js=_together((_STRIP / "selection.js",))
)


def picked(key: str) -> int | None:
    """The node last picked in the icicle mounted as `key`, as an index; check it before use."""
    node = _pick(key).get("node")
    return node if type(node) is int and node >= 0 else None


def mount(payload: bytes, *, key: str, selected: int | None, on_select: Callable[[], None]) -> None:
    """Draw an icicle.

    Args:
        payload: from `encode`, cached: equal bytes are neither resent nor drawn again.
        key: names this icicle within the page and in `st.session_state`.
        selected: index of the node to show as selected, or None.
        on_select: called without arguments after a pick; `picked` then says of what.
    """
    stamp = _pick(key).get("stamp")
    with st.container(gap=None):
        _icicle(key=key, data=key.encode() + b"\n" + payload, on_pick_change=on_select)
        _selection(
            key=f"{key}:selection",
            data={
                "strip": key,
                "index": selected,
                # Which pick of the browser this selection knows of: an older one must not undo it.
                "stamp": stamp if type(stamp) is int else 0,
            },
        )


def _pick(key: str) -> Mapping[str, object]:
    state = st.session_state.get(key)
    pick = state.get("pick") if isinstance(state, Mapping) else None
    return pick if isinstance(pick, Mapping) else {}
