"""A strip that is taken off the page, or painted anew, while something of it is still to come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser.apps import strip_demo as demo
from playwright.sync_api import Locator, Page, expect

Open = Callable[..., Page]

# A key, and the strip is gone before what it asks for is drawn; done two frames later. What goes
# wrong in between is an exception of the page, which fails the test.
GONE_AT_ONCE = """(code, key) => {
    code.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    code.closest(".strip").remove();
    code.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
PAINTED_ANEW = """(code) => {
    for (const piece of code.querySelectorAll("[data-i]")) piece.replaceWith(piece.cloneNode(true));
}"""


@pytest.fixture
def code(open_app: Open) -> Locator:
    """The code of a strip of which a token is selected."""
    page = open_app(Path(demo.__file__), "?")
    strip = page.locator(".st-key-strip .strip")
    expect(strip).to_be_visible(timeout=30_000)
    strip.locator("[data-i='10']").first.click()
    return strip.locator(".code")


@pytest.mark.parametrize("key", ["ArrowRight", "ArrowDown", "End"])
def test_a_strip_that_leaves_the_page_before_the_next_frame_breaks_nothing(
    code: Locator, key: str
) -> None:
    code.evaluate(GONE_AT_ONCE, key)


def test_an_arrow_key_breaks_nothing_after_all_was_painted_anew(code: Locator) -> None:
    code.page.keyboard.press("ArrowDown")
    code.evaluate(PAINTED_ANEW)
    code.page.keyboard.press("ArrowDown")
    code.evaluate(GONE_AT_ONCE, "ArrowDown")
