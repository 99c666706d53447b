"""The button that makes a short link, and the link once somebody asked for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import streamlit as st

from tokenscope_core import RecordError, TokenScopeError
from tokenscope_ui.components import copy_field
from tokenscope_ui.request import problems
from tokenscope_ui.share import links, short_links

_MADE = "short links made"
_PROBLEM = "short link problem"


def draw_short_link(
    of: Callable[[], object], make: Callable[[], str], *, label: str, until: str
) -> None:
    """Draw it.

    Args:
        of: what the link is of, compared with what the last one was of once it was made.
        make: keeps that, and returns the name for the address.
        label: names this short link within the page.
        until: what of it is to be known, a sentence.
    """
    made = _made().get(label)
    if made is not None and made[0] == of() and _opens(made[1]):
        copy_field.mount(links.address(made[1]), label=label, key=f"copy {label}")
        st.caption(until)
        return
    st.button(
        "Make a short link", icon=":material/link:", key=f"make {label}", on_click=_make,
        args=(label, of, make),
        help="Keeps a copy here that nothing changes. It works on this server only.",
    )  # fmt: skip
    problem = st.session_state.pop(f"{_PROBLEM} {label}", None)
    if isinstance(problem, TokenScopeError):
        problems.box(problem, title="There is no short link", key=f"problem {label}")


def _make(label: str, of: Callable[[], object], make: Callable[[], str]) -> None:
    try:
        name = make()
        st.session_state[_MADE] = {**_made(), label: (of(), name)}
    except TokenScopeError as problem:
        st.session_state[f"{_PROBLEM} {label}"] = problem


def _made() -> dict[str, tuple[object, str]]:
    return cast("dict[str, tuple[object, str]]", st.session_state.get(_MADE, {}))


def _opens(name: str) -> bool:
    try:
        return short_links.is_kept(name)
    except RecordError:
        return False
