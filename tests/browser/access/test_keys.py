"""The keys of every page, and what is reached by them alone."""

from __future__ import annotations

import pytest
from browser.access.screens import APP, LOAD_MS, OpenApp
from playwright.sync_api import Page, expect

import tokenscope_core as ts
from tokenscope_core.models.files.names import SHIPPED_FOLDER
from tokenscope_ui.components.keys import KEYS

TEXT = "def add(a, b):\n    total = a + b\n    return total\n"


@pytest.fixture(scope="module")
def trace(tiny_folder: str) -> ts.Trace:
    """A scored text in the server's store."""
    assert tiny_folder
    trace = ts.score(ts.load_model(SHIPPED_FOLDER.name), TEXT)
    store = ts.Store()
    store.put(trace)
    store.close()
    return trace


@pytest.fixture
def page(open_app: OpenApp, trace: ts.Trace) -> Page:
    page = open_app(APP, f"?run={trace.key}")
    expect(page.locator(".strip .code [data-i]").first).to_be_visible(timeout=LOAD_MS)
    # What is still being drawn takes the focus from what is drawn anew.
    running = page.locator("[data-testid='stApp'][data-test-script-state='running']")
    expect(running).to_have_count(0, timeout=LOAD_MS)
    return page


def test_the_keys_are_listed_by_one_of_them(page: Page) -> None:
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    for key, does in KEYS:
        expect(dialog).to_contain_text(key)
        expect(dialog).to_contain_text(does)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_text_is_found_across_tokens_and_walked_through(page: Page, trace: ts.Trace) -> None:
    page.keyboard.press("/")
    field = page.get_by_role("searchbox", name="Find in the code")
    expect(field).to_be_focused()
    field.press_sequentially("total")
    places = [place for place in range(len(TEXT)) if TEXT.startswith("total", place)]
    tokens = [int((trace.byte_end <= place).sum()) for place in places]
    code = page.locator(".strip .code")
    for press, at in [(None, 0), ("Enter", 1), ("Enter", 0), ("Shift+Enter", 1)]:
        if press:
            field.press(press)
        expect(code.locator(f"[data-i='{tokens[at]}'].selected").first).to_be_visible()
        expect(page.get_by_text(f"{at + 1} of 2")).to_be_visible()
    field.press("?")
    expect(field).to_have_value("total?")
    expect(page.get_by_text("Not found")).to_be_visible()
    field.press("Escape")
    expect(code).to_be_focused()
    code.press("ArrowLeft")
    expect(code.locator(f"[data-i='{tokens[1] - 1}'].selected").first).to_be_visible()


def test_a_few_tabs_reach_what_runs_and_focus_is_seen(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="To the button that runs")).to_be_focused()
    page.keyboard.press("Enter")
    run = page.get_by_test_id("stBaseButton-primary")
    expect(run).to_be_focused()
    assert run.evaluate("node => parseFloat(getComputedStyle(node).outlineWidth)") >= 2


def test_a_text_that_was_just_typed_is_run_by_a_key(open_app: OpenApp, tiny_folder: str) -> None:
    assert tiny_folder
    page = open_app(APP)
    prompt = page.locator(".st-key-prompt textarea")
    expect(prompt).to_be_visible(timeout=LOAD_MS)
    prompt.fill("# only typed\nvalue = ")
    prompt.press("Control+Enter")
    expect(page.locator(".strip .code")).to_contain_text("# only typed", timeout=LOAD_MS)
