"""The address bar: it says what is on screen, and the browser's Back and Forward follow it.

Streamlit makes every change of a parameter a step of the browser's history. A page that fills in
its address would take many steps to leave; here only another run, session or comparison is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import streamlit as st
from streamlit.components import v2 as components

from tokenscope_core import TokenScopeError

_SCRIPT = (Path(__file__).parent / "history.js").read_text(encoding="utf-8")
_component = components.component("tokenscope.history", html="<i></i>", js=_SCRIPT)


class AddressError(TokenScopeError):
    """What the address names cannot be shown."""

    @classmethod
    def of(cls, error: TokenScopeError) -> Self:
        """The same, of an error that what the address names has led to."""
        return cls(asked=error.asked, found=error.found, action=error.action)

    @classmethod
    def unknown_run(cls, named: str, action: str) -> Self:
        """The address names a run that this server does not hold."""
        return cls(
            asked=f"The address names the run “{named[:12]}”.",
            found="This server does not hold it: it was made elsewhere, or was evicted from the "
            "store.",
            action=action,
        )


def number(text: str | None) -> int | None:
    """A count or an index that a parameter spells; None where it spells none."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 8 else None


def mount(*, provisional: Mapping[str, str]) -> None:
    """Keep the browser's history in order, on every page.

    Args:
        provisional: what the page's address calls its runs in progress, by parameter, which the
            keys of their traces replace when they end.
    """
    _component(key="history", data={"provisional": dict(provisional)})


def publish(**parameters: str | None) -> None:
    """Make the address name what is shown, in one step; None takes a parameter out."""
    params = st.query_params
    if all(params.get(name) == value for name, value in parameters.items()):
        return
    wanted = {**params.to_dict(), **parameters}
    params.from_dict({name: value for name, value in wanted.items() if value is not None})
