"""What people type or paste, as text that can be sent.

A browser lets a text hold half of a surrogate pair, as other programs put on the clipboard. No
message to the server can carry one: none would arrive any more, and no button would do anything.
The browser puts U+FFFD, the sign for what could not be read, in its place; `prompt_checks` says so.
"""

from __future__ import annotations

from pathlib import Path

from streamlit.components import v2 as components

_SCRIPT = (Path(__file__).parent / "typed_text.js").read_text(encoding="utf-8")
_component = components.component("tokenscope.typed_text", html="<i></i>", js=_SCRIPT)


def watch() -> None:
    """See to it on this page."""
    _component(key="typed text")
