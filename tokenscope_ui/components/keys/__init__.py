"""The keys of every page: what runs, finds and moves, in one list that `?` shows.

What a view of code or a drawing does with a key while it has focus is its own affair; it is listed
here too, and nowhere else.
"""

from __future__ import annotations

from pathlib import Path

from streamlit.components import v2 as components

KEYS: tuple[tuple[str, str], ...] = (
    ("Ctrl + Enter", "Generate, score or compare, also from within a field"),
    ("/", "Find in the code: Enter the next, Shift + Enter the one before, Esc closes"),
    ("?", "Show these keys"),
    ("← →", "In the code: the token before, the token after"),
    ("↑ ↓, Page Up, Page Down", "In the code: the token above or below, a screen up or down"),
    ("Home, End", "In the code: its first and its last token"),
    ("↓ ↑ ← →, Enter, Esc", "In the syntax tree: into a node, out, beside it; zoom in, zoom out"),
    ("↑ ↓ ← →", "In the tree of branches: from lane to lane; to a branch, to its parent"),
    ("Arrows, Esc", "In a matrix: from cell to cell, with Shift further; show the whole"),
)
"""The keys, as people call them, and what they do."""

_HERE = Path(__file__).parent
_component = components.component(
    "tokenscope.keys",
    css=(_HERE / "keys.css").read_text(encoding="utf-8"),
    js=(_HERE / "keys.js").read_text(encoding="utf-8"),
)


def mount() -> None:
    """Listen on this page, and offer who comes by Tab the way to the button, the code and these."""
    _component(key="keys", data={"keys": [list(key) for key in KEYS]})
