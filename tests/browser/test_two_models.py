"""Two models on one text in a real browser: the shipped one and one with another tokenizer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from browser.table import pick_cell

APP = Path(__file__).resolve().parents[2] / "app.py"
LOAD_MS = 90_000
TEXT = '"""Docs."""\n\nfrom typing import Any\n\nname = "é👋"\n'

Open = Callable[..., Page]


def test_code_lines_and_link_of_a_comparison(open_app: Open, tiny_folder: str) -> None:
    page = open_app(APP, "models")
    expect(page.get_by_text("Nothing compared yet")).to_be_visible(timeout=LOAD_MS)
    model = page.get_by_role("combobox", name="Model B")
    model.fill(tiny_folder)
    model.press("Enter")
    text = page.get_by_label("Text to score with both")
    text.fill(TEXT)
    text.blur()
    page.get_by_test_id("stBaseButton-primary").filter(has_text="Compare").click()
    expect(page.get_by_text("Lines, where they differ most first")).to_be_visible(timeout=LOAD_MS)
    code = page.locator(".strip .code")
    expect(code).to_have_attribute("data-kind", "diverging")
    span = code.locator("[data-i]").filter(has_text="from").first
    span.click()
    expect(page.get_by_text(re.compile(r"^Span \d+ \(0 to "))).to_be_visible()
    # What is drawn beside the code may have moved it away from under the pointer.
    code.locator("[data-i]").first.hover()
    span.hover()
    expect(page.get_by_role("tooltip")).to_contain_text(re.compile(r"span \d+"))
    # The shipped model's candidates before it hold `if`, which a chart has stumbled over.
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(2)
    lines = page.get_by_test_id("stDataFrame").first
    lines.scroll_into_view_if_needed()
    pick_cell(lines, 105, 52, page.get_by_text(re.compile(r"^Line \d of 5")))
    expect(code.locator(".selected").first).to_be_visible()
    shown = code.inner_text()
    page.reload()
    expect(page.get_by_text("Lines, where they differ most first")).to_be_visible(timeout=LOAD_MS)
    expect(code).to_have_text(shown, use_inner_text=True)
    expect(text).to_have_value(TEXT)
    expect(page.get_by_role("combobox", name="Model B")).to_have_value(
        f"{Path(tiny_folder).name} · folder"
    )


def test_back_and_forward_go_from_comparison_to_comparison(
    open_app: Open, tiny_folder: str
) -> None:
    page = open_app(APP, "models")
    expect(page.get_by_text("Nothing compared yet")).to_be_visible(timeout=LOAD_MS)
    model = page.get_by_role("combobox", name="Model A")
    model.fill(tiny_folder)
    model.press("Enter")
    text = page.get_by_label("Text to score with both")
    code = page.locator(".strip .code")
    for one in ("first = 1", "second = 2"):
        text.fill(one)
        text.blur()
        page.get_by_test_id("stBaseButton-primary").filter(has_text="Compare").click()
        expect(code).to_contain_text(one, timeout=LOAD_MS)
        # The keys of both traces have taken the place of the ids of their runs.
        page.wait_for_url(re.compile(r"a=[0-9a-f]{64}&b=[0-9a-f]{64}$"))
    page.go_back()
    expect(code).to_contain_text("first = 1", timeout=LOAD_MS)
    expect(text).to_have_value("first = 1")
    page.go_forward()
    expect(code).to_contain_text("second = 2", timeout=LOAD_MS)
    expect(text).to_have_value("second = 2")
