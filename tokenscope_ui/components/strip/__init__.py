"""The token strip: code painted token by token, tinted by a metric, in the page itself.

`mount` draws it. The tokens travel as one block of bytes that the caller builds once and caches;
an unchanged block costs nothing on a rerun. The selection travels apart from it, through a second
component of a few bytes, so selecting a token from elsewhere never resends the tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st
from streamlit.components import v2 as components

from tokenscope_core.display.ramp import ramp_css
from tokenscope_core.display.style import STRIP_CSS
from tokenscope_core.display.tokens import TokenFlag
from tokenscope_ui.components.strip.payload import HoverField, Payload, Scale, encode

__all__ = ["HoverField", "Payload", "Scale", "TokenFlag", "encode", "mount", "picked"]

_HERE = Path(__file__).parent
_SCRIPTS = (
    "glyphs.js",
    "scale.js",
    "paint.js",
    "legend.js",
    "tooltip.js",
    "keyboard.js",
    "picks.js",
    "find.js",
    "strip.js",
)
_STYLES = ("legend.css", "strip.css", "tooltip.css", "colours.css")


@dataclass(frozen=True)
class _Pick:
    """A token picked in the browser, and when, in the browser's milliseconds."""

    index: int | None = None
    stamp: int = 0


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


_strip = components.component(
    "tokenscope.strip",
    css="\n".join([STRIP_CSS, *map(_read, _STYLES), ramp_css()]),
    js="\n".join(_read(name) for name in _SCRIPTS),
)
_selection = components.component("tokenscope.strip_selection", js=_read("selection.js"))


def _pick(key: str) -> _Pick:
    """The browser's last pick; what it sends is checked like any other input."""
    state = st.session_state.get(key)
    pick = state.get("pick") if isinstance(state, Mapping) else None
    if not isinstance(pick, Mapping):
        return _Pick()
    index, stamp = pick.get("index"), pick.get("stamp")
    if type(index) is not int or type(stamp) is not int or index < 0:
        return _Pick()
    return _Pick(index, stamp)


def picked(key: str) -> int | None:
    """The token index last picked in the strip mounted as `key`; for use inside `on_select`.

    The index is the browser's: check it against the number of tokens before using it.
    """
    return _pick(key).index


def _resolve(key: str, selected: int | None, pick: _Pick) -> int | None:
    """Of the caller's `selected` and the browser's pick, the one that changed last."""
    memory = f"{key}:selected"
    previous, stamp = st.session_state.get(memory, (selected, 0))
    if selected != previous:
        stamp = pick.stamp
    st.session_state[memory] = (selected, stamp)
    return pick.index if pick.stamp > stamp else selected


def mount(
    payload: bytes,
    *,
    key: str,
    selected: int | None = None,
    on_select: Callable[[], None] | None = None,
    height: int | Literal["window"] | None = None,
    extent: int = 1,
    edges: Sequence[int] = (),
) -> int | None:
    """Draw the tokens of `payload` and return the index of the selected one.

    With `on_select` the caller owns the selection: the callback runs before the script when a
    token was picked in the browser, stores `picked(key)` where the page keeps its selection, and
    `selected` is what is shown. Without it the strip owns the selection: the return value is the
    browser's pick, until `selected` changes.

    Args:
        payload: from `encode`, cached: equal bytes are neither resent nor repainted. Bytes that
            differ repaint only what differs: appended tokens, other values, another scale.
        key: names this strip within the page and in `st.session_state`.
        selected: index of the token to show as selected, or None.
        on_select: called without arguments after a pick.
        height: largest height, scrolling inside: in pixels, or what the window has room for; None
            grows with the text.
        extent: how many tokens are shown as selected, from `selected` on.
        edges: indices of tokens shown as where something around the selected one begins and ends.

    """
    header = json.dumps({"strip": key, "height": height}).encode()
    with st.container(gap=None):
        _strip(
            key=key,
            data=header + b"\n" + payload,
            on_pick_change=on_select if on_select is not None else lambda: None,
        )
        pick = _pick(key)
        shown = selected if on_select is not None else _resolve(key, selected, pick)
        _selection(
            key=f"{key}:selection",
            data={
                "strip": key,
                "index": shown,
                "stamp": pick.stamp,
                "extent": extent,
                "edges": list(edges),
            },
        )
    return shown
