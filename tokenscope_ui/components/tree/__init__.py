"""The drawing of a tree of branches: a lane each, on one axis of token positions.

`mount` draws it. Everything reaches the page as text nodes. The lanes are one block of bytes that
repaints only what differs; the selection travels in front of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st
from streamlit.components import v2 as components

from tokenscope_core.display.branch_palette import style_rules
from tokenscope_ui.components import picture

_HERE = Path(__file__).parent
_STYLES = (picture.STYLE, _HERE / "tree.css")
_CSS = "\n".join(style.read_text(encoding="utf-8") for style in _STYLES) + style_rules()


def _script(*names: str, before: tuple[Path, ...] = ()) -> str:
    shared = (_HERE.parent / "strip" / "glyphs.js", _HERE / "theme.js")
    files = (*before, *shared, *(_HERE / name for name in names))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


_component = components.component(
    "tokenscope.tree",
    css=_CSS,
    js=_script("lanes.js", "tree.js", before=picture.SCRIPTS),
)
_overview = components.component("tokenscope.tree_overview", css=_CSS, js=_script("overview.js"))


def picked(key: str) -> str | None:
    """The key of the branch last picked in the tree mounted as `key`; check it before use."""
    pick = _pick(key).get("branch")
    return pick if isinstance(pick, str) else None


def mount(
    payload: bytes, *, key: str, selected: str, on_select: Callable[[], None], height: int
) -> None:
    """Draw a tree.

    Args:
        payload: from `lanes.encode`.
        key: names this tree within the page and in `st.session_state`.
        selected: the key of the branch to show as selected.
        on_select: called without arguments after a pick; `picked` then says of what.
        height: largest height in pixels, scrolling inside.
    """
    stamp = _pick(key).get("stamp")
    header = {
        "selected": selected,
        # Which pick of the browser this selection knows of: an older one must not undo a newer.
        "stamp": stamp if type(stamp) is int else 0,
        "height": height,
    }
    _component(
        key=key, data=json.dumps(header).encode() + b"\n" + payload, on_pick_change=on_select
    )


def mount_overview(payload: bytes, *, key: str) -> None:
    """Draw small multiples of branches, from `small_multiples.encode`."""
    _overview(key=key, data=payload)


def _pick(key: str) -> Mapping[str, object]:
    state = st.session_state.get(key)
    pick = state.get("pick") if isinstance(state, Mapping) else None
    return pick if isinstance(pick, Mapping) else {}
