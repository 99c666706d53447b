"""The guide in a real browser: every step shows what it speaks of, in the first screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

APP = Path(__file__).resolve().parents[3] / "app.py"
LOAD_MS = 90_000
# What each page draws of the recorded session.
SHOWN = (".strip .code", ".tree [role=treeitem]", ".strip .code", ".strip .code", ".strip .code")


def test_five_steps_show_a_recorded_session(open_app: Callable[..., Page]) -> None:
    page = open_app(APP)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_role("button", name="Show me").click(timeout=LOAD_MS)
    for number, part in enumerate(SHOWN, 1):
        expect(page.get_by_text(f"{number} of 5")).to_be_visible(timeout=LOAD_MS)
        drawn = page.locator(part).first
        expect(drawn).to_be_visible(timeout=LOAD_MS)
        box = drawn.bounding_box()
        assert box is not None and box["y"] < 760, "it begins in the first screen"
        assert page.get_by_test_id("stException").count() == 0
        if number < len(SHOWN):
            page.get_by_role("button", name="Next:").click()
    page.get_by_role("button", name="Now with your own code").click()
    box_for_code = page.get_by_role("textbox", name="Code to score")
    expect(box_for_code).to_be_visible(timeout=LOAD_MS)
    expect(box_for_code).to_have_value("")
