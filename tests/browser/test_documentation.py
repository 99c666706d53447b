"""The documentation as it is opened from disk, where `make docs` leaves it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, expect

from browser.server import ROOT


def test_it_is_searched_without_a_server_from_any_page(browser: Browser, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "howto" / "replace.html").as_uri())
    box = page.get_by_role("textbox", name="Search")
    box.click()
    box.press_sequentially("Jensen")
    page.locator(".md-search-result__link").first.click()
    expect(page).not_to_have_url(re.compile("howto/replace"))
    expect(page.locator(".md-content article")).to_contain_text("Jensen")
    assert all(url.startswith(("file:", "data:")) for url in asked)
    page.close()
