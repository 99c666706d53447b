"""A token x token map on a canvas: who attended to whom, from the whole down to single cells.

`mount` draws it. The weights travel as one block of bytes that the caller builds once and caches;
an unchanged block costs nothing on a rerun. Selection, crop and colours travel apart from it,
through a second component of a few bytes, so that none of them resends the weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import streamlit as st
from streamlit.components import v2 as components

from tokenscope_ui.components import picture
from tokenscope_ui.components.matrix.payload import MAX_CELLS, encode

__all__ = ["MAX_CELLS", "ColourScale", "Crop", "encode", "mount", "picked"]


@dataclass(frozen=True, slots=True)
class ColourScale:
    """How a number becomes a colour. A map of differences uses it in both directions from 0.

    - `shape`: in a log scale each factor of ten takes the same share of the colours.
    - `high`: takes the strongest colour, and so does what lies above; None is the largest number
      of the map or of its crop, and the legend says so.
    - `low`: of a log scale, takes the palest colour, and so does what lies below.

    Raises:
        ValueError: `high` or `low` is not above 0, or `low` of a log scale is not below `high`.
    """

    shape: Literal["linear", "log"] = "log"
    low: float = 1e-4
    high: float | None = 1.0

    def __post_init__(self) -> None:
        high = 1.0 if self.high is None else self.high
        if not (self.low > 0 and high > 0):
            raise ValueError(f"a scale from {self.low:g} to {self.high} is not above 0")
        if self.shape == "log" and self.high is not None and self.low >= self.high:
            raise ValueError(f"a log scale from {self.low:g} to {self.high:g} has no extent")


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of a map to show: positions of queries and of keys, first and one past the last."""

    queries: tuple[int, int]
    keys: tuple[int, int]

    def __post_init__(self) -> None:
        for first, end in (self.queries, self.keys):
            if not 0 <= first < end:
                raise ValueError(f"{first} to {end} is no range of positions")


def picked(key: str) -> tuple[int, int] | None:
    """Positions (query, key) of the cell last picked in the map mounted as `key`.

    They are the browser's: check them against the text's length before using them.
    """
    pick = _pick(key)
    query, attended = pick.get("query"), pick.get("key")
    if type(query) is not int or type(attended) is not int or not 0 <= attended <= query:
        return None
    return query, attended


def mount(
    payload: bytes,
    *,
    key: str,
    on_select: Callable[[], None],
    selected: tuple[int | None, int | None] = (None, None),
    crop: Crop | None = None,
    guides: Sequence[tuple[int, str]] = (),
    scale: ColourScale | None = None,
    height: int | None = None,
) -> None:
    """Draw the map of `payload`. The caller owns the selection, the crop and the scale.

    Args:
        payload: from `encode`, cached: equal bytes are neither resent nor decoded again. Another
            map of the same text keeps the view, so heads can be looked at in one place.
        key: names this map within the page and in `st.session_state`.
        on_select: called without arguments before the script runs when a cell was picked;
            `picked(key)` then says which.
        selected: positions of the query and of the key to show as selected. One of them alone
            marks a row or a column.
        crop: what the whole view shows; None is all of the map. What lies outside is not drawn.
        guides: first position and name of each piece (line, statement), ascending: lines are
            drawn between them on both axes, and their names where there is room.
        scale: colours; None is the default `ColourScale`.
        height: of the drawing in pixels; None follows the width.
    """
    stamp = _pick(key).get("stamp")
    view = {
        "matrix": key,
        "selected": selected,
        # Which pick of the browser this selection knows of: an older one must not undo a newer.
        "stamp": stamp if type(stamp) is int else 0,
        "crop": None if crop is None else [*crop.queries, *crop.keys],
        "guides": guides,
        "scale": asdict(scale or ColourScale()),
        "height": height,
    }
    with st.container(gap=None):
        _matrix(
            key=key,
            data=json.dumps({"matrix": key}).encode() + b"\n" + payload,
            on_pick_change=on_select,
        )
        _view(key=f"{key}:view", data=view)


def _pick(key: str) -> Mapping[str, object]:
    """The browser's last pick; what it sends is checked like any other input."""
    state = st.session_state.get(key)
    pick = state.get("pick") if isinstance(state, Mapping) else None
    return pick if isinstance(pick, Mapping) else {}


_HERE = Path(__file__).parent
_SCRIPTS = (
    _HERE.parent / "strip" / "glyphs.js",
    *picture.SCRIPTS,
    *(
        _HERE / name
        for name in (
            "colours.js",
            "tooltip.js",
            "codes.js",
            "map.js",
            "space.js",
            "raster.js",
            "axes.js",
            "marks.js",
            "drawing.js",
            "legend.js",
            "gestures.js",
            "matrix.js",
        )
    ),
)
_STYLES = (_HERE.parent / "strip" / "tooltip.css", picture.STYLE, _HERE / "matrix.css")
_matrix = components.component(
    "tokenscope.matrix",
    css="\n".join(style.read_text(encoding="utf-8") for style in _STYLES),
    js="\n".join(script.read_text(encoding="utf-8") for script in _SCRIPTS),
)
_view = components.component(
    "tokenscope.matrix_view", js=(_HERE / "carry.js").read_text(encoding="utf-8")
)
