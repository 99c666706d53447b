"""The page Two models as tests drive it."""

from __future__ import annotations

import json
from typing import Any

from tokenscope_ui.two_models.state import TwoModels

App = Any


PAGE = "pages/models.py"
TEXT = "def f(é):\r\n\treturn '👋'\n"
UNTRUSTED = "# `x` **b** </script>[a](b)\n"


def choose(page: App, a: str, b: str, text: str = TEXT) -> None:
    page.test.session_state["two_models_a"] = a
    page.test.session_state["two_models_b"] = b
    page.test.session_state["compared_text"] = text
    page.run()


def shown(page: App) -> TwoModels:
    found: TwoModels = page.test.session_state["two_models"]
    return found


def compare(page: App) -> TwoModels:
    page.press("Compare").until(lambda: not shown(page.run()).busy)
    page.run()
    return shown(page)


def figures(page: App) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.test.metric}


def value(page: App, name: str) -> str:
    found = page.test.query_params[name]
    return found if isinstance(found, str) else str(found[0])


def link_of(page: App) -> str:
    """What a link to the comparison in hand carries."""
    to_page(page, "pages/share.py")
    return copied(page, "Link to the two models")


def short_link_of(page: App) -> str:
    to_page(page, "pages/share.py")
    page.press("Make a short link")
    return copied(page, "Short link to the two models")


def copied(page: App, label: str) -> str:
    for element in page.test.get("bidi_component"):
        data = json.loads(element.proto.json or "{}")
        if data.get("label") == label:
            return str(data["text"]).partition("?share=")[2]
    raise AssertionError("there is no link")


def to_page(page: App, name: str) -> None:
    page.test.query_params.clear()
    page.test.switch_page(name)
    page.run()
