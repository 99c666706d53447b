"""The app of an installed wheel, opened by its command in a folder without the checkout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from installation.wheels import ROOT, built, installed
from playwright.sync_api import BrowserContext, expect

from browser.server import AppServer

# `primaryColor` of the light theme in .streamlit/config.toml.
PRIMARY = "rgb(0, 114, 178)"


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the app listens, with a store of its own."""
    monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "store"))
    commands = installed(built(ROOT, tmp_path / "wheel"), tmp_path / "environment")
    with (tmp_path / "log").open("wb") as log:
        server = AppServer(commands / "tokenscope", log, installed_in=tmp_path)
    yield server.url
    server.close()


def test_an_installed_app_runs_the_shipped_model_in_its_theme(
    address: str, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(address)
    generate = page.get_by_role("button", name="Generate", exact=True)
    expect(generate).to_have_css("background-color", PRIMARY)
    generate.click()
    expect(page.locator(".strip [data-i]").nth(20)).to_be_visible()
    page.close()
