"""From a token to a tree in a real browser: replace, explore, compare, rename, reload."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

APP = Path(__file__).resolve().parents[2] / "app.py"
LOAD_MS = 90_000

Open = Callable[..., Page]

pytestmark = pytest.mark.usefixtures("tiny_folder")


def tokens(page: Page) -> Locator:
    return page.locator(".strip [data-i]")


def generate(page: Page) -> None:
    page.get_by_test_id("stBaseButton-primary").filter(has_text="Generate").click()
    expect(page.get_by_text("Most surprising tokens")).to_be_visible(timeout=LOAD_MS)


def select_generated(page: Page, index: int) -> None:
    """Select the generated token of that index by a click on the code."""
    page.locator(".strip [data-i]:not(.prompt)").nth(index).click()
    expect(page.get_by_text("What if something else stood in place of")).to_be_visible()


def branches(page: Page, count: int) -> None:
    expect(page.get_by_text(f"Branch, of {count}")).to_be_visible(timeout=LOAD_MS)


def test_a_token_is_replaced_explored_compared_renamed_and_all_is_there_after_a_reload(
    open_app: Open,
) -> None:
    page = open_app(APP)
    expect(page.get_by_role("button", name="Generate")).to_be_enabled(timeout=LOAD_MS)
    generate(page)
    select_generated(page, 5)
    page.get_by_role("button", name="Put it here").click()
    branches(page, 2)
    expect(page.locator(".strip [data-i].forced")).to_have_count(1)
    page.get_by_role("button", name="Grow the 8 likeliest").click()
    branches(page, 10)

    page.get_by_role("link", name="Compare with its parent").click()
    expect(page.get_by_text(re.compile("They share the first"))).to_be_visible(timeout=LOAD_MS)
    expect(page.locator(".strip")).to_have_count(2)

    page.get_by_role("link", name="Branches", exact=True).click()
    lanes = page.get_by_role("treeitem")
    expect(lanes).to_have_count(10, timeout=LOAD_MS)
    lanes.nth(1).click()
    name = page.get_by_role("textbox", name="Name", exact=True)
    expect(name).to_have_value(lanes.nth(1).locator(".name .text").inner_text())
    name.fill("the first try")
    name.press("Enter")
    expect(lanes.filter(has_text="the first try")).to_have_count(1)

    page.reload()
    expect(lanes).to_have_count(10, timeout=LOAD_MS)
    expect(lanes.filter(has_text="the first try")).to_have_count(1)
    page.get_by_role("link", name="Open in Decode").click()
    expect(page.locator(".strip .forced").first).to_be_visible(timeout=LOAD_MS)
    branches(page, 10)
