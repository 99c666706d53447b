"""Look here in a real browser: one key goes through the places, and a click grows a branch."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

APP = Path(__file__).resolve().parents[3] / "app.py"
LOAD_MS = 90_000
# In which the shipped model would rather have another token in one place.
CODE = """def triangle(size):
    rows = [[1]]
    for r in range(1, size):
        row = []
        for c in range(0, r):
            left = rows[r - 1][c - 1] if c > 0 else 0
            right = rows[r - 1][c] if c < r else 0
            row.append(left + right)
        rows.append(row)
    return rows
"""

pytestmark = pytest.mark.usefixtures("tiny_folder")


def test_places_are_found_stepped_through_by_a_key_and_grown(open_app: Callable[..., Page]) -> None:
    page = open_app(APP)
    page.get_by_text("Score code", exact=True).click(timeout=LOAD_MS)
    code = page.get_by_label("Code to score")
    code.fill(CODE)
    code.blur()
    page.get_by_test_id("stBaseButton-primary").filter(has_text="Score").click()
    page.get_by_role("button", name="Look here").click(timeout=LOAD_MS)
    expect(page.get_by_text(re.compile("Looked at"))).to_be_visible(timeout=LOAD_MS)
    sentences = page.get_by_role("button", name=re.compile("fits better here than"))
    whole = sentences.first.inner_text()
    assert "the choice" in whole and whole.endswith("likely")
    box = sentences.first.bounding_box()
    assert box is not None and box["height"] > 30, "it is not cut off: it takes two lines"
    places = sentences.count()
    page.keyboard.press("n")
    expect(page.get_by_text(f"1 of {places}")).to_be_visible()
    expect(page.locator(".strip .selected").first).to_be_visible()
    page.get_by_role("button", name="Grow", exact=True).first.click()
    expect(page.get_by_text("Branch, of 2")).to_be_visible(timeout=LOAD_MS)
