"""A candidate is put in a token's place by a click on its row in the chart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

APP = Path(__file__).resolve().parents[3] / "app.py"
LOAD_MS = 90_000


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENSCOPE_STORE", str(tmp_path_factory.mktemp("store")))
        yield


def test_a_click_in_the_row_of_a_candidate_grows_its_branch(open_app: Callable[..., Page]) -> None:
    page = open_app(APP)
    page.get_by_role("button", name="Generate").click(timeout=LOAD_MS)
    expect(page.get_by_text("Most surprising tokens")).to_be_visible(timeout=LOAD_MS)
    page.locator("[class*='st-key-jump']").get_by_role("button").first.click()
    panel = page.locator("[class*='st-key-candidates'] [data-testid=stVegaLiteChart]")
    chart = panel.locator("canvas, svg").first
    expect(chart).to_be_visible(timeout=LOAD_MS)
    chart.scroll_into_view_if_needed()
    height = chart.evaluate("chart => chart.getBoundingClientRect().height")
    # Right of a bar that is a hair's breadth: the row is what is clicked. Above the axis and its
    # title stand the rows of all others, and then candidates.
    chart.click(position={"x": 300, "y": height - 190})
    expect(page.get_by_text(re.compile("^Branch, of 2"))).to_be_visible(timeout=LOAD_MS)
    expect(page.get_by_text("forced · token id")).to_be_visible(timeout=LOAD_MS)
