"""Every page is reached from the navigation, and a link made after looking at it leads to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenscope_core.sharing import links as share
from tokenscope_ui.pages import OF_SESSION, PAGES, SHARE, Page

App = Any
FOR_ALL = [page for page in PAGES if not page.for_operator]


def look_at(app: App, page: Page) -> App:
    app.test.switch_page(f"pages/{page.file.name}")
    return app.run()


def page_of_link(app: App) -> Any:
    """The page that the link leads to which the share page offers."""
    look_at(app, SHARE)
    for element in app.test.get("bidi_component"):
        data = json.loads(element.proto.json or "{}")
        if data.get("label") == "Link to this session":
            return share.decode(str(data["text"]).partition("?share=")[2]).view["page"]
    raise AssertionError("there is no link")


@pytest.mark.parametrize("page", FOR_ALL, ids=lambda page: page.name)
def test_the_navigation_leads_to_every_page(app: App, page: Page) -> None:
    app.open()
    assert not look_at(app, page).test.exception


@pytest.mark.parametrize("name", OF_SESSION)
def test_a_link_made_after_looking_at_a_page_leads_to_it(app: App, name: str) -> None:
    app.open().generate()
    look_at(app, OF_SESSION[name])
    assert page_of_link(app) == name


def test_a_link_leads_past_pages_that_show_no_session(app: App) -> None:
    app.open().generate()
    look_at(app, OF_SESSION["syntax"])
    for page in FOR_ALL:
        if not page.of_session:
            look_at(app, page)
    assert page_of_link(app) == "syntax"
