"""Nothing on a page lies on anything else, is cut off or pushes the page wider than its window; and
the code that a page is about begins in the first screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser.access import screens
from browser.access.screens import AFTER, OpenApp, Screen
from playwright.sync_api import Page

WIDTHS = (1024, 1280, 1920)
# What can be pressed or written in, and text: of the page and of the components in it.
BOXES = """
() => {
  const found = [];
  const visit = (root) => {
    for (const element of root.querySelectorAll('*')) {
      if (element.shadowRoot) visit(element.shadowRoot);
      const press = element.matches(
        'button, input, textarea, select, [role=radio], [role=combobox], [role=slider], a[href]');
      const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
      if (!press && !own) continue;
      if (element.closest('svg, style, script, .code, .rows, table, pre')) continue;
      // Of a word inside a paragraph the paragraph stands for it.
      if (!press && getComputedStyle(element).display === 'inline') continue;
      if (!element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
      let {left, top, right, bottom} = element.getBoundingClientRect();
      let up = element;
      for (;;) {
        up = up.parentElement ?? up.getRootNode().host;
        if (!up) break;
        if (getComputedStyle(up).overflow === 'visible') continue;
        const box = up.getBoundingClientRect();
        left = Math.max(left, box.left); right = Math.min(right, box.right);
        top = Math.max(top, box.top); bottom = Math.min(bottom, box.bottom);
      }
      if (right - left < 2 || bottom - top < 2) continue;
      found.push({element, left, top, right, bottom,
        name: (element.ariaLabel || element.textContent || element.tagName).trim().slice(0, 40)});
    }
  };
  visit(document.querySelector('[data-testid=stMain]'));
  const inside = (a, b) => {
    for (let up = b; up; up = up.parentNode ?? up.host) if (up === a) return true;
    return false;
  };
  const pairs = [];
  for (const [i, a] of found.entries()) for (const b of found.slice(i + 1)) {
    const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (width <= 2 || height <= 2) continue;
    if (inside(a.element, b.element) || inside(b.element, a.element)) continue;
    // A control made of several elements: its box, its label and what is drawn in it.
    const control = '[data-testid=stSelectbox], [data-testid=stNumberInput],'
      + '[data-testid=stSlider],'
      + '[data-testid=stTextInput], [data-testid=stTextArea], [data-testid=stMultiSelect],'
      + '[data-testid=stToggle], [data-testid=stCheckbox], [data-testid=stRadio]';
    const of = a.element.closest(control);
    if (of && of === b.element.closest(control)) continue;
    const smaller = Math.min(
      (a.right - a.left) * (a.bottom - a.top), (b.right - b.left) * (b.bottom - b.top));
    if (width * height > 0.15 * smaller) pairs.push(`${a.name} | ${b.name}`);
  }
  return pairs;
}
"""
FIRST_CODE_LINE = """
() => {
  const hosts = [...document.querySelectorAll('*')].filter((e) => e.shadowRoot);
  const codes = hosts.map((e) => e.shadowRoot.querySelector('.code')).filter((e) => e);
  return codes.length ? Math.min(...codes.map((e) => e.getBoundingClientRect().top)) : null;
}
"""
# Without a guide or notice above it, at 1280 x 800.
CODE_BEGINS = {
    "decode, a token": 340, "compare": 600, "syntax": 400, "attention, a token": 430,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def keys(home: Any, tiny_folder: Any) -> Iterator[dict[str, str]]:
    yield screens.made(str(tiny_folder))


@pytest.mark.parametrize("screen", AFTER.values(), ids=AFTER.keys())
def test_nothing_overlaps_or_is_wider_than_the_window(
    open_app: OpenApp, screen: Screen, keys: dict[str, str]
) -> None:
    page = screens.opened(open_app, screen, keys)
    wrong = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(700)
        main = page.get_by_test_id("stMain")
        wider = main.evaluate("main => main.scrollWidth - main.clientWidth")
        overlapping = page.evaluate(BOXES)
        if wider > 0 or overlapping:
            wrong[width] = (wider, overlapping)
    assert wrong == {}


@pytest.mark.parametrize(("name", "most"), CODE_BEGINS.items(), ids=CODE_BEGINS.keys())
def test_the_code_begins_in_the_first_half_of_the_screen(
    open_app: OpenApp, name: str, most: int, keys: dict[str, str]
) -> None:
    page: Page = screens.opened(open_app, AFTER[name], keys)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.wait_for_timeout(700)
    top = page.evaluate(FIRST_CODE_LINE)
    assert top is not None and top <= most
