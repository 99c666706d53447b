"""The page of syntax in a real browser: code, table and chart select each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from syntax_traces import trace_of, words

import tokenscope_core as ts
from browser.pictures import saved
from browser.table import pick_cell
from tokenscope_ui.syntax_view.reading import SyntaxLook
from tokenscope_ui.syntax_view.tables import statement_table

APP = Path(__file__).resolve().parents[2] / "app.py"
LOAD_MS = 90_000
LOOK = SyntaxLook("surprisal", "category", "python", False, "bits", False, False, "statement")
PROMPT = "def add(a, b):\n"
CODE = PROMPT + "    total = a + b  # <b>é👋</b></script>\n    return totals\n\n\nadd(1, = 2)\n"

Open = Callable[..., Page]


@pytest.fixture(scope="module", autouse=True)
def trace(tiny_folder: str) -> ts.Trace:
    """A trace in the store of the server."""
    assert tiny_folder
    pieces = words(CODE)
    trace = trace_of(pieces, prompt=len(words(PROMPT)), candidates=[[piece] for piece in pieces])
    store = ts.Store()
    store.put(trace)
    store.close()
    return trace


@pytest.fixture
def page(open_app: Open, trace: ts.Trace) -> Page:
    page = open_app(APP, f"syntax?run={trace.key}")
    expect(page.get_by_text("Names that nothing in sight defines")).to_be_visible(timeout=LOAD_MS)
    expect(code(page).locator("[data-i]").first).to_be_visible(timeout=LOAD_MS)
    return page


def code(page: Page) -> Locator:
    return page.locator(".strip .code")


def test_a_piece_is_selected_from_the_code_and_from_a_table(page: Page, trace: ts.Trace) -> None:
    assert "# <b>é👋</b></script>" in code(page).inner_text().replace("\u200b", "")
    expect(code(page).locator(".marked").first).to_have_text("totals")
    code(page).locator("[data-i]").filter(has_text="return").first.click()
    expect(page.get_by_text(re.compile(r"^Statement \d+ of \d+, line 3"))).to_be_visible()
    # What is drawn beside the code may have moved it away from under the pointer.
    code(page).locator("[data-i]").filter(has_text="return").first.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("mean surprisal")
    # All of the statement is selected, and the next key leaves it.
    expect(code(page).locator(".within")).to_contain_text(["return", "totals"])
    code(page).press("ArrowRight")
    expect(page.get_by_text(re.compile(r"^Statement \d+ of \d+, line 6"))).to_be_visible()
    # The table of statements stands first.
    lines = statement_table(trace, LOOK)["line"].tolist()
    row = next(row for row, line in enumerate(lines) if line != 3)
    where = re.compile(rf"^Statement \d+ of \d+, line {lines[row]}$")
    table = page.get_by_test_id("stDataFrame").first
    pick_cell(table, 200, 55 + 35 * row, page.get_by_text(where))
    expect(code(page).locator(".selected").first).to_be_visible()
    page.reload()
    expect(code(page).locator("[data-i]").first).to_be_visible(timeout=LOAD_MS)
    expect(page).to_have_url(re.compile(f"run={trace.key}"))


def test_a_bar_shows_its_part_in_the_code(page: Page) -> None:
    bars = page.get_by_test_id("stVegaLiteChart").first.locator(".mark-rect path")
    bars.first.click()
    expect(page.get_by_text(re.compile(r"^category: "))).to_be_visible()
    expect(code(page).locator(".selected").first).to_be_visible()


def test_the_tree_is_zoomed_into_and_linked_with_the_code(page: Page) -> None:
    tree = page.locator(".icicle .rows")
    crumbs = page.locator(".icicle .crumb")
    expect(crumbs).to_have_text(["module"])
    node = tree.locator(".node").filter(has_text="return statement")
    node.hover()
    expect(page.locator(".icicle ~ .tooltip")).to_contain_text("95 % interval")
    node.click()
    expect(crumbs).to_have_text(["module", "function add", "return statement"])
    expect(tree.locator(".selected")).to_have_text("return statement")
    expect(page.get_by_text("Return statement, line 3")).to_be_visible()
    # The code shows the node alone, not the white space around it.
    expect(code(page).locator(".within")).to_have_text(["return ", "totals"])
    # By key down to its first leaf, and back out again.
    tree.press("ArrowDown")
    expect(code(page).locator(".selected")).to_have_text("return")
    tree.press("Escape")
    expect(crumbs).to_have_text(["module", "function add"])
    crumbs.first.click()
    expect(crumbs).to_have_text(["module"])
    # The other way round.
    code(page).locator("[data-i]").filter(has_text="total = a").first.click()
    expect(tree.locator(".selected")).to_have_text("assignment")
    expect(page.get_by_text(re.compile(r"^Statement \d+ of \d+, line 2"))).to_be_visible()
    expect(code(page).locator(".within")).to_have_count(0)


def test_the_prompt_is_compared_with_and_the_address_keeps_it(page: Page) -> None:
    page.get_by_role("combobox", name="Compare with").click()
    page.get_by_role("option", name="the prompt").click()
    words = page.get_by_text("There: in the prompt. Difference: the mean here less")
    expect(words).to_be_visible()
    expect(page.get_by_text("violet: the prompt")).to_be_visible()
    expect(page).to_have_url(re.compile("with=prompt"))
    page.reload()
    expect(words).to_be_visible(timeout=LOAD_MS)


def test_the_token_at_which_the_code_broke_is_one_click_away(page: Page) -> None:
    expect(page.get_by_text("nothing that could follow makes it valid")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Show .* on Decode")).first.click()
    expect(page.get_by_text(re.compile(r"^Position \d+ \(0 to"))).to_be_visible(timeout=LOAD_MS)
    expect(code(page).locator(".selected").first).to_have_text("=")


def test_the_tree_is_saved_as_a_picture_with_its_labels(page: Page) -> None:
    icicle = page.locator(".icicle")
    expect(icicle.locator(".node").first).to_be_visible()
    files = saved(page, icicle)
    assert files.name == "syntax-tree_mean-surprisal-of-a-node"
    assert "function add" in files.texts
    assert "mean surprisal of a node" in files.texts
    box = icicle.bounding_box()
    assert box is not None
    assert abs(files.size[0] - box["width"]) <= 1
    assert files.painted.size == (2 * files.size[0], 2 * files.size[1])
