"""A Streamlit server per script and a real browser, for every test under `tests/browser`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tiny_models
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    expect,
    sync_playwright,
)

from browser.server import BROWSER_ARGUMENTS, AppServer, browser_path

OpenApp = Callable[..., Page]

# Playwright's five seconds are short where browser, server and model share two cores. What is there
# is seen at once all the same.
EXPECT_MS = 20_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the app's server that most tests share: a store and a tiny model."""
    root = tmp_path_factory.mktemp("home")
    tiny_models.saved(root / "models" / "tiny")
    return root


@pytest.fixture(scope="module")
def tiny_folder(home: Path) -> Iterator[str]:
    """The tiny model that the shared server has; a test that asks for it is given that server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENSCOPE_STORE", str(home / "store"))
        patch.setenv("TOKENSCOPE_MODELS", str(home / "models"))
        yield str(home / "models" / "tiny")


@pytest.fixture(scope="session")
def app_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], AppServer]]:
    """Gives the running server of a script, started anew where the settings are others."""
    servers: dict[Path, AppServer] = {}
    settings: dict[Path, dict[str, str]] = {}
    logs = tmp_path_factory.mktemp("servers")

    def start(script: Path) -> AppServer:
        wanted = {n: v for n, v in os.environ.items() if n.startswith("TOKENSCOPE_")}
        if settings.get(script) != wanted:
            if script in servers:
                servers.pop(script).close()
            with (logs / f"{script.stem}.log").open("ab") as log:
                servers[script] = AppServer(script, log)
            settings[script] = wanted
        return servers[script]

    yield start
    for server in servers.values():
        server.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without one the tests are skipped, or fail where a browser is required."""
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(
                executable_path=browser_path(), args=BROWSER_ARGUMENTS
            )
        except Error as error:
            message = (
                "no usable browser: install chromium, name one in TOKENSCOPE_CHROMIUM or run "
                f"`playwright install chromium` ({error.message.splitlines()[0]})"
            )
            if os.environ.get("TOKENSCOPE_REQUIRE_BROWSER") == "1":
                pytest.fail(message)
            pytest.skip(message)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One browser profile, so that Streamlit's scripts are fetched and compiled once.

    Every page is a Streamlit session of its own all the same.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def open_app(context: BrowserContext, app_server: Callable[[Path], AppServer]) -> Iterator[OpenApp]:
    """Opens a script in a new page: `open_app(script, "path?query", color_scheme="dark")`.

    An exception or an error message in any page's console fails the test.
    """
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # Streamlit finds its own base path by asking for these below the page's path first.
        if message.type == "error" and "/_stcore/" not in message.location["url"]:
            problems.append(f"console: {message.text}")

    def open_page(script: Path, address: str = "", color_scheme: str = "light") -> Page:
        page = context.new_page()
        page.emulate_media(color_scheme="dark" if color_scheme == "dark" else "light")
        page.on("pageerror", lambda error: problems.append(f"exception: {error.stack or error}"))
        page.on("console", note)
        page.goto(f"{app_server(script).url}/{address}")
        return page

    yield open_page
    for page in context.pages:
        page.close()
    assert not problems, "\n".join(problems)
