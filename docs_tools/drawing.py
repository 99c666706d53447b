"""The drawing of the architecture: the rooms as a stack, and an arc for what imports what.

An SVG that stands in the page itself, so that its colours follow the theme. It is made from the
imports, like the table below it.
"""

from __future__ import annotations

import ast
import html
import math
from collections import Counter

from tests.architecture.rooms import ROOMS, ROOT, between_rooms, modules, room_of

_ROW, _BOX, _WIDTH, _ARCS, _GAP, _TOP = 38, 30, 470, 250, 40, 34
_ABOUT = {
    "tokenscope_ui": "tokenscope_ui: what pages are made of",
    "tokenscope_core": "tokenscope_core: the library, without Streamlit",
}


def rooms() -> str:
    """Both packages, the interface above the library it stands on."""
    parts, y = [], 0
    for package in ("tokenscope_ui", "tokenscope_core"):
        part, height = _package(package, y)
        parts.append(part)
        y += height + _GAP
    height, width = y - _GAP, _WIDTH + _ARCS
    label = "The rooms of both packages; every arc leads from a room to one below it."
    return (
        f'<div><svg class="rooms" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        + "".join(parts)
        + "</svg></div>"
    )


def _package(package: str, top: int) -> tuple[str, int]:
    filled = {room_of(name) for name in modules() if name.split(".")[0] == package}
    stacked = [room for room in reversed(ROOMS[package]) if room in filled]
    middle = {room: top + _TOP + i * _ROW + _BOX / 2 for i, room in enumerate(stacked)}
    counts = Counter((here, there) for _, _, here, there in between_rooms(package))
    arcs = [_arc(middle[a], middle[b], a, b, n) for (a, b), n in counts.items()]
    boxes = [_room(package, room, y) for room, y in middle.items()]
    title = f'<text x="0" y="{top + 18}" font-weight="bold">{_ABOUT[package]}</text>'
    return title + "".join(arcs) + "".join(boxes), _TOP + len(stacked) * _ROW


def _room(package: str, room: str, y: float) -> str:
    return (
        f'<rect class="room" x="0" y="{y - _BOX / 2}" width="{_WIDTH}" height="{_BOX}" rx="4"/>'
        f'<text x="10" y="{y + 5}" font-size="14" font-weight="bold">{room}</text>'
        f'<text class="purpose" x="112" y="{y + 4}" font-size="11">{_purpose(package, room)}</text>'
    )


def _arc(start: float, end: float, here: str, there: str, imports: int) -> str:
    """From the upper room to the lower one, bent by as much as they are apart."""
    bend = min(_ARCS - 10, 22 + (end - start) * 0.36)
    words = f"{here} imports from {there} {imports} times"
    return (
        f'<path class="import" d="M{_WIDTH},{start} C{_WIDTH + bend},{start} '
        f'{_WIDTH + bend},{end} {_WIDTH},{end}" stroke-width="{1 + math.log2(imports):.1f}">'
        f"<title>{words}</title></path>"
        f'<path d="M{_WIDTH},{end} l7,-4 v8 z" fill="var(--md-accent-fg-color)"/>'
    )


def _purpose(package: str, room: str) -> str:
    """The first sentence of a room's docstring, cut at a colon."""
    file = ROOT / package / room / "__init__.py"
    if not file.is_file():
        file = ROOT / package / f"{room}.py"
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    first = text.partition("\n")[0].replace("`", "")
    first = first if len(first) <= 62 else first.partition(":")[0]
    return html.escape(first if len(first) <= 66 else f"{first[:64]}…")
