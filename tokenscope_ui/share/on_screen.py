"""What is on screen beside the session, as a link carries it: the page, its address, the tint.

What a page shows is in its address, so the address is what a link carries. The shared choices of
`view_controls` and the selected token go with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from tokenscope_core import Session
from tokenscope_core.display.scales import STRIP_METRICS
from tokenscope_core.sessions.screen_state import MAX_TEXT, View
from tokenscope_ui.pages import HOME, OF_SESSION, Page
from tokenscope_ui.runs import runs

SHARE_PARAMETER = "share"
_REMEMBERED = "page_on_screen"
# Set by the session itself, or Streamlit's own and refused by it.
_OWN = {SHARE_PARAMETER, "session", "run", "embed", "embed_options"}
_CHOICES: dict[str, tuple[str, ...]] = {
    "metric": STRIP_METRICS, "unit": ("bits", "nats"), "scale": ("absolute", "relative"),
}  # fmt: skip
_TINT = "tint_"
_PAGE, _TOKEN = "page", "token"
_MOST = 24


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a link leads: a page and the parameters of its address."""

    page: Page
    parameters: Mapping[str, str]


def remember(page: str) -> None:
    """Note what a page shows, once it has been drawn."""
    if page in OF_SESSION:
        named = {n: v for n, v in st.query_params.items() if n not in _OWN}
        st.session_state[_REMEMBERED] = Destination(OF_SESSION[page], named)


def view(session: Session) -> dict[str, View]:
    """What was on screen last, for a link to that session."""
    shown: Destination | None = st.session_state.get(_REMEMBERED)
    seen: dict[str, View] = {}
    if shown is not None:
        fitting = {n: v for n, v in shown.parameters.items() if _fits(n, v)}
        seen = {**dict(list(fitting.items())[:_MOST]), _PAGE: shown.page.name}
    for name, allowed in _CHOICES.items():
        if (value := st.session_state.get(name)) in allowed:
            seen[_TINT + name] = value
    state = runs.current()
    of_session = state.trace is not None and state.trace.key == session.current
    seen.pop(_TOKEN, None)
    if of_session and state.selected is not None:
        seen[_TOKEN] = state.selected
    return seen


def _fits(name: str, value: str) -> bool:
    return name.isascii() and name.isidentifier() and name == name.lower() and (
        len(name) <= 40 and len(value) <= MAX_TEXT and name[0] != "_"
    )  # fmt: skip


def restore(view: Mapping[str, View]) -> Destination:
    """Take up what a link carries; what means nothing here is left out. The session is in hand."""
    for name, allowed in _CHOICES.items():
        if (value := view.get(_TINT + name)) in allowed:
            st.session_state[name] = value
    token = view.get(_TOKEN)
    if type(token) is int:
        runs.select(token)
    page = OF_SESSION.get(str(view.get(_PAGE)))
    return Destination(HOME, {}) if page is None else Destination(page, parameters(view))


def parameters(view: Mapping[str, View]) -> dict[str, str]:
    """What of a link's view belongs into the address of the page it leads to."""
    return {
        name: str(value)
        for name, value in view.items()
        if name not in (_PAGE, *_OWN) and not name.startswith(_TINT)
        if isinstance(value, (str, int)) and not isinstance(value, bool)
    }
