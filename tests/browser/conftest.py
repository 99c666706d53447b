"""A Streamlit server per script and a real browser, for every test under `tests/browser`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    sync_playwright,
)

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenApp = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class AppServer:
    """`streamlit run` of one script, from start to `close`."""

    def __init__(self, script: Path, log: IO[bytes]) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.script = script
        self._log = log
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", str(script)),
                "--server.headless=true",
                "--server.address=127.0.0.1",
                f"--server.port={self.url.rpartition(':')[2]}",
                "--server.fileWatcherType=none",
                "--browser.gatherUsageStats=false",
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until_healthy()

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.script} ended at once; see {self._log.name}")
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self.close()
        raise TimeoutError(f"{self.script} was not healthy within {START_SECONDS} s")

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="session")
def app_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], AppServer]]:
    """Gives the running server of a script; each script is started once a session."""
    servers: dict[Path, AppServer] = {}
    logs = tmp_path_factory.mktemp("servers")

    def start(script: Path) -> AppServer:
        if script not in servers:
            with (logs / f"{script.stem}.log").open("wb") as log:
                servers[script] = AppServer(script, log)
        return servers[script]

    yield start
    for server in servers.values():
        server.close()


def browser_path() -> str | None:
    """An installed Chromium, or None for Playwright's own."""
    named = os.environ.get("TOKENSCOPE_CHROMIUM")
    installed = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return named or next(filter(None, installed), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without one the tests are skipped, or fail where a browser is required."""
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
        page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
        page.on("console", note)
        page.goto(f"{app_server(script).url}/{address}")
        return page

    yield open_page
    for page in context.pages:
        page.close()
    assert not problems, "\n".join(problems)
