"""The tints of a terminal are those of the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tokenscope_core.display.ramp import TOP_LEVEL, ramp_css
from tokenscope_core.display.style import STRIP_CSS
from tokenscope_core.display.terminal_strip import Palette

READ = """() => {
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  return Array.from(document.querySelectorAll("i"), (tint) => {
    brush.fillStyle = getComputedStyle(tint).backgroundColor;
    brush.fillRect(0, 0, 1, 1);
    return Array.from(brush.getImageData(0, 0, 1, 1).data.slice(0, 3));
  });
}"""


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["sequential", "diverging"])
@pytest.mark.parametrize("light", [False, True])
def test_a_browser_mixes_the_same_colours(browser: Browser, light: bool, kind: str) -> None:
    panel, text = ("#fff", "#31333f") if light else ("#0e1117", "#fafafa")
    levels = range(TOP_LEVEL + 1)
    page = browser.new_page()
    page.set_content(
        f"<style>{STRIP_CSS}{ramp_css()} .strip {{ --panel: {panel}; --text: {text}; }}</style>"
        f'<div class="strip" data-kind="{kind}">'
        + "".join(f'<i class="t{level}"></i>' for level in levels)
    )
    mixed = page.evaluate(READ)
    page.close()
    palette = Palette("truecolor", light)
    for level in levels:
        apart = [abs(a - b) for a, b in zip(mixed[level], palette.tint(level, kind), strict=True)]
        assert max(apart) <= 1, level
