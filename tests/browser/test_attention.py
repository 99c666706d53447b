"""Attention in a real browser: a token picked on the code, painted, a head opened, zoomed into."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

import tokenscope_core as ts
from browser.table import pick_cell

APP = Path(__file__).resolve().parents[2] / "app.py"
LOAD_MS = 90_000
CODE = "def add(a, b):\n    # </script><b>é👋</b>\n    return a + b\n\n\nprint(add(1, 2))\n"
TINTED = re.compile(r"\bt([1-9]|[12]\d|3[0-2])\b")

Open = Callable[..., Page]


@pytest.fixture(scope="module", autouse=True)
def trace(tiny_folder: str) -> ts.Trace:
    """A scored text of a model that the server has, in the server's store."""
    trace = ts.score(ts.load_model(tiny_folder), CODE)
    store = ts.Store()
    store.put(trace)
    store.close()
    return trace


@pytest.fixture
def page(open_app: Open, trace: ts.Trace) -> Page:
    # A cold deep link: the first thing this server sees.
    page = open_app(APP, f"attention?run={trace.key}&view=token&layer=1&head=0")
    expect(token(page, 1)).to_be_visible(timeout=LOAD_MS)
    return page


def token(page: Page, position: int) -> Locator:
    return page.locator(f".strip .code [data-i='{position}']").first


def captured(page: Page) -> Page:
    """Have the layer captured, which is done unasked once the model is in memory."""
    button = page.get_by_role("button", name="Capture layer")
    shown = page.get_by_text("sink shown")
    expect(button.or_(shown).first).to_be_visible(timeout=LOAD_MS)
    if button.count():
        button.click()
    expect(shown).to_be_visible(timeout=LOAD_MS)
    return page


def turn_to(page: Page, view: str) -> None:
    page.get_by_role("radio", name=view).or_(page.get_by_role("button", name=view)).first.click()


def test_a_token_picked_on_the_code_paints_what_it_attends_to(page: Page, trace: ts.Trace) -> None:
    captured(page)
    last = len(trace) - 1
    token(page, last).click()
    expect(page.get_by_text("row that predicts it", exact=False).last).to_be_visible()
    expect(page.locator(".strip .code").locator("[class*=' t3']").first).to_be_visible()
    # What comes later is never tinted, what comes first can be.
    token(page, 5).click()
    expect(page.get_by_text("at position 5")).to_be_visible()
    expect(token(page, last)).not_to_have_class(TINTED)
    expect(page).to_have_url(re.compile("token=5"))
    # By key, too, and the address brings it all back.
    page.locator(".strip .code").press("ArrowRight")
    expect(page.get_by_text("at position 6")).to_be_visible()
    page.reload()
    expect(page.get_by_text("at position 6")).to_be_visible(timeout=LOAD_MS)
    expect(token(page, 6)).to_have_class(re.compile(r"\bselected\b"))
    expect(page.get_by_text("sink shown")).to_be_visible()


def test_another_head_is_painted_without_the_model(page: Page, trace: ts.Trace) -> None:
    captured(page)
    token(page, len(trace) - 3).click()
    expect(page.get_by_text("Layer 1, head 0")).to_be_visible()
    page.get_by_role("combobox", name="Head").click()
    page.get_by_role("option", name="head 2").click()
    expect(page.get_by_text("Layer 1, head 2")).to_be_visible()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    page.get_by_text("Sink apart").click()
    expect(page.get_by_text("sink masked")).to_be_visible()
    expect(page).to_have_url(re.compile("mask=1"))


def test_the_matrix_and_the_code_select_each_other(page: Page, trace: ts.Trace) -> None:
    captured(page)
    turn_to(page, "Matrix")
    canvas = page.locator("canvas").last
    expect(canvas).to_be_visible(timeout=LOAD_MS)
    token(page, 9).click()
    expect(page).to_have_url(re.compile("token=9"))
    box = canvas.bounding_box()
    assert box is not None
    # Near the lower left corner: a late row, an early column.
    canvas.click(position={"x": 0.3 * box["width"], "y": 0.85 * box["height"]})
    expect(page.get_by_text("goes to")).to_be_visible()
    expect(page).to_have_url(re.compile(r"key=\d"))
    expect(page).not_to_have_url(re.compile("token=9(&|$)"))
    selected = page.locator(".strip .code .selected").first
    expect(selected).to_be_visible()
    page.get_by_role("button", name="Zoom in").click()
    expect(canvas).to_be_visible()


def test_a_head_is_opened_from_the_overview_of_all(page: Page) -> None:
    captured(page)
    turn_to(page, "Heads")
    chart = page.get_by_test_id("stVegaLiteChart").first
    expect(chart).to_be_visible(timeout=LOAD_MS)
    grid = chart.locator("canvas, svg").first
    expect(grid).to_be_visible()
    # The second row and column: the axis takes the first fifty pixels.
    pick_cell(grid, 143, 93, page.get_by_text("Layer 1, head 1"))
    page.get_by_role("button", name="As a matrix").click()
    expect(page.get_by_text("Layer 1, head 1").first).to_be_visible()
    expect(page.locator("canvas").last).to_be_visible(timeout=LOAD_MS)


def test_what_is_too_much_is_captured_in_part_at_a_click(
    open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_CAPTURE_MB", "1")
    lm = ts.load_model(os.environ["TOKENSCOPE_MODELS"] + "/tiny")
    trace = ts.score(lm, CODE * 6)
    store = ts.Store()
    store.put(trace)
    store.close()
    page = open_app(APP, f"attention?run={trace.key}&view=token&layer=1&token={len(trace) - 1}")
    page.get_by_role("button", name="Capture layer 1").click(timeout=LOAD_MS)
    expect(page.get_by_text("too much at once")).to_be_visible(timeout=LOAD_MS)
    page.get_by_role("button", name=re.compile("rows")).click()
    expect(page.get_by_text("Only the rows")).to_be_visible(timeout=LOAD_MS)
    expect(page.get_by_text("sink shown")).to_be_visible()


def test_a_chart_saved_from_a_dark_page_is_for_paper(open_app: Open, trace: ts.Trace) -> None:
    page = open_app(APP, f"attention?run={trace.key}&view=heads", color_scheme="dark")
    chart = page.get_by_test_id("stVegaLiteChart").first
    button = page.get_by_role("button", name="Capture overview")
    expect(button.or_(chart).first).to_be_visible(timeout=LOAD_MS)
    if button.count():
        button.click()
    expect(chart.locator("canvas, svg").first).to_be_visible(timeout=LOAD_MS)
    page.get_by_role("button", name="Save this chart").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Vega-Lite JSON").click()
    spec = json.loads(download.value.path().read_text(encoding="utf-8"))
    colours = spec["layer"][0]["encoding"]["color"]["scale"]["range"]
    assert luminance(colours[0]) > 0.9 > 0.3 > luminance(colours[-1]), "pale is little, as on white"
    with page.expect_download() as download:
        page.get_by_test_id("stPopoverBody").get_by_role("button", name="PNG").click()
    picture = Image.open(download.value.path()).convert("L")
    assert picture.getpixel((0, 0)) == 255
    assert picture.size[0] > 200


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue
