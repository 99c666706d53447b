"""The link that a visitor came with: signing in leads away, and back to the first page only.

The browser's tab remembers it meanwhile; nothing of it is sent anywhere. The same script has the
other tabs of a browser ask anew who is there, once somebody signs out in one.
"""

from __future__ import annotations

from pathlib import Path

from streamlit.components import v2 as components

_SCRIPT = (Path(__file__).parent / "return_address.js").read_text(encoding="utf-8")
_component = components.component("tokenscope.return_address", html="<i></i>", js=_SCRIPT)


def remember() -> None:
    """Before signing in: keep the address that is open."""
    _component(key="return address", data={"signedIn": False})


def follow() -> None:
    """After signing in: open the address that was kept, once."""
    _component(key="return address", data={"signedIn": True})
