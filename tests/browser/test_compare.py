"""Two branches compared in a real browser: linked selection, charts, measurement, the link."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import tokenscope_core as ts

APP = Path(__file__).resolve().parents[2] / "app.py"
LOAD_MS = 90_000
NASTY = "# </script><b>é👋</b>\n"

Open = Callable[..., Page]


@pytest.fixture(scope="module", autouse=True)
def branches(tiny_folder: str) -> tuple[ts.Trace, ts.Trace]:
    """A run and a branch of it, in the server's store, with something put in before the end."""
    lm = ts.load_model(tiny_folder)
    root = ts.score(lm, "def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return a - b\n")
    position = len(root) - 12
    child = ts.fork(
        lm, root, position, text=NASTY, removed=0, kept=len(root) - position, max_new_tokens=0
    )
    store = ts.Store()
    for trace in (root, child):
        store.put(trace)
    store.put_session("tree", ts.Session.start(root).add(child, parent=root).to_bytes())
    store.close()
    return root, child


@pytest.fixture
def page(open_app: Open) -> Page:
    page = open_app(APP, "compare?session=tree")
    expect(strip(page, "B").locator(".selected").first).to_be_visible(timeout=LOAD_MS)
    return page


def strip(page: Page, side: str) -> Locator:
    return page.locator(".strip .code").nth("AB".index(side))


def token(page: Page, side: str, position: int) -> Locator:
    return strip(page, side).locator(f"[data-i='{position}']").first


def test_a_click_in_one_text_selects_the_partner_in_the_other(
    page: Page, branches: tuple[ts.Trace, ts.Trace]
) -> None:
    root, child = branches
    moved = len(child) - len(root)
    token(page, "A", len(root) - 3).click()
    expect(token(page, "B", len(child) - 3)).to_have_class(re.compile(r"\bselected\b"))
    expect(page.get_by_text(f"A · position {len(root) - 3}")).to_be_visible()
    token(page, "B", len(child) - 5).click()
    expect(token(page, "A", len(root) - 5)).to_have_class(re.compile(r"\bselected\b"))
    # By key, too, and a token that only one has leaves the other without a selection.
    strip(page, "B").press("ArrowLeft")
    expect(token(page, "A", len(root) - 6)).to_have_class(re.compile(r"\bselected\b"))
    inserted = len(root) - 12
    token(page, "B", inserted + moved // 2).click()
    expect(page.get_by_text("A has no token here")).to_be_visible()
    expect(strip(page, "A").locator(".selected")).to_have_count(0)


def test_what_differs_is_marked_and_markup_stays_text(
    page: Page, branches: tuple[ts.Trace, ts.Trace]
) -> None:
    root, child = branches
    inserted = len(root) - 12
    expect(token(page, "B", inserted)).to_have_class(re.compile(r"\balone\b"))
    expect(token(page, "A", 1)).to_have_class(re.compile(r"\bshared\b"))
    assert "</script><b>é👋</b>" in strip(page, "B").inner_text().replace("\u200b", "")
    whole = strip(page, "A").locator("[data-i]").count()
    page.get_by_text("Hide the shared beginning").click()
    expect(token(page, "A", len(root) - 1)).to_have_count(0)
    assert strip(page, "A").locator("[data-i]").count() < whole
    # The first line shown keeps its number.
    expect(strip(page, "A").locator(".line").first).not_to_have_attribute("data-number", "1")
    last = strip(page, "A").locator("[data-i]").last
    last.click()
    expect(page.get_by_text(f"A · position {len(root) - 1}")).to_be_visible()
    expect(page.get_by_text(f"B · position {len(child) - 1}")).to_be_visible()


def test_measured_divergences_are_charted_and_a_click_selects(page: Page) -> None:
    page.get_by_role("button", name="Measure how far").click()
    heading = page.get_by_text("How far the model’s distributions moved")
    expect(heading).to_be_visible(timeout=LOAD_MS)
    charts = page.get_by_test_id("stVegaLiteChart")
    expect(charts.last.locator("canvas, svg").first).to_be_visible()
    chart = charts.last
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    before = page.get_by_text(re.compile(r"^Row \d+ \(0 to")).inner_text()
    chart.click(position={"x": 0.85 * box["width"], "y": 0.6 * box["height"]})
    expect(page.get_by_text(re.compile(r"^Row \d+ \(0 to"))).not_to_have_text(before)
    expect(page.get_by_text("the same token in both")).to_be_visible()


def test_reload_and_a_copied_link_restore_the_choice(
    page: Page, open_app: Open, branches: tuple[ts.Trace, ts.Trace]
) -> None:
    root, child = branches
    page.get_by_role("button", name="Swap").click()
    expect(page).to_have_url(re.compile(f"a={child.key}&b={root.key}"))
    page.reload()
    expect(strip(page, "A").locator(".selected").first).to_be_visible(timeout=LOAD_MS)
    expect(page.get_by_role("combobox", name="Branch A")).not_to_have_value("original")
    other = open_app(APP, page.url.rpartition("/")[2])
    expect(strip(other, "B").locator("[data-i]").first).to_be_visible(timeout=LOAD_MS)
    expect(other.get_by_text("They share the first")).to_be_visible()
    expect(other).to_have_url(re.compile(f"a={child.key}&b={root.key}"))
