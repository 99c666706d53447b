"""Many visitors at once, each in a browser context of their own, for some minutes.

    python -m benchmarks.soak                           # 20 visitors, 5 minutes
    python -m benchmarks.soak --visitors 4 --minutes 1

Each turn a visitor does one thing that people do: runs a prompt of their own or one that others run
too, stops it, runs it again, picks a token, looks at another page, reloads, closes the tab and
comes back. Printed are what was done, errors seen on a page or in the server's log, runs that never
ended, and the server's memory. The exit code is 1 where there were errors or lost runs.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from tests.browser.server import BROWSER_ARGUMENTS, ROOT, AppServer, browser_path

_PAGES = ("Branches", "Compare", "Syntax", "Metrics", "Decode")
_ACTIONS = ("own", "own", "shared", "again", "stop", "token", "page", "page", "reload", "come back")
_LOST_AFTER_S = 180.0
_WAIT_MS = 60_000
_SHARED = ("def fib(n):\n", "import os\n\ndef size_of(path):\n", "class Stack:\n")


@dataclass
class Report:
    """What happened to all visitors."""

    done: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    lost: int = 0
    run_seconds: list[float] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    server_share: float = 0.0


class Visitor:
    """One person: a browser context, a page in it, and perhaps a run that is awaited."""

    def __init__(self, browser: Browser, url: str, number: int, report: Report) -> None:
        self._draw = random.Random(number)
        self._url, self._number, self._report = url, number, report
        self._context: BrowserContext = browser.new_context()
        self._page = self._open(url)
        self._runs = 0
        self._doing = "arriving"
        self._began: float | None = None

    def turn(self) -> None:
        """Look whether the run has ended, or do something."""
        try:
            self._look_for_errors()
            if self._began is None:
                self._doing = self._draw.choice(_ACTIONS)
                self._act(self._doing)
            elif not self._busy():
                self._report.run_seconds.append(time.monotonic() - self._began)
                self._began = None
            elif time.monotonic() - self._began > _LOST_AFTER_S:
                self._report.lost += 1
                self._began = None
        except Error as error:
            said = error.message.splitlines()[0]
            self._report.errors.append(f"visitor {self._number}, {self._doing}: {said}")
            self._began = None
            self._page = self._open(self._url)

    def close(self) -> None:
        """Leave."""
        self._context.close()

    def _open(self, url: str) -> Page:
        page = self._context.new_page()
        page.set_default_timeout(_WAIT_MS)
        page.goto(url)
        page.get_by_role("link", name="Decode", exact=True).wait_for()
        return page

    def _act(self, action: str) -> None:
        match action:
            case "own":
                self._runs += 1
                self._run(f"# visitor {self._number}, run {self._runs}\ndef f(x):\n")
            case "shared":
                self._run(self._draw.choice(_SHARED))
            case "again":
                self._run(None)
            case "stop":
                self._run(f"# stopped {self._number} {self._runs} {time.monotonic()}\n")
                stop = self._page.get_by_role("button", name="Stop", exact=True)
                if stop.count():
                    stop.first.click(timeout=5_000, force=True)
            case "token":
                tokens = self._page.locator(".strip [data-i]")
                if tokens.count():
                    tokens.nth(self._draw.randrange(tokens.count())).click()
            case "page":
                link = self._page.get_by_role("link", name=self._draw.choice(_PAGES), exact=True)
                link.first.click()
            case "reload":
                self._page.reload()
                self._page.get_by_role("link", name="Decode", exact=True).wait_for()
            case "come back":
                address = self._page.url
                self._page.close()
                self._page = self._open(address)
        self._report.done[action] += 1

    def _run(self, prompt: str | None) -> None:
        generate = self._page.get_by_test_id("stBaseButton-primary").filter(has_text="Generate")
        if not generate.count():
            self._page.get_by_role("link", name="Decode", exact=True).click()
        if prompt is not None:
            box = self._page.get_by_role("textbox", name="Prompt", exact=True)
            box.fill(prompt)
            box.press("Control+Enter")
        generate.first.click()
        self._began = time.monotonic()
        self._page.wait_for_timeout(500)

    def _busy(self) -> bool:
        return self._page.get_by_role("button", name="Stop", exact=True).count() > 0

    def _look_for_errors(self) -> None:
        for box in self._page.locator('[data-testid="stException"], .st-key-problem').all():
            text = " ".join(box.inner_text().split())[:200]
            if "was to be queued" not in text:
                self._report.errors.append(f"visitor {self._number}: {text}")
        if self._page.get_by_text("Is Streamlit still running?").count():
            self._report.errors.append(f"visitor {self._number}: the connection was lost")


def soak(visitors: int, seconds: float, log: Path) -> Report:
    """Let visitors use one server."""
    report = Report()
    with sync_playwright() as playwright, log.open("wb") as out:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=BROWSER_ARGUMENTS)
        server = AppServer(ROOT / "app.py", out)
        process = psutil.Process(server.pid)
        try:
            people = [Visitor(browser, server.url, n, report) for n in range(visitors)]
            began = time.monotonic()
            while (passed := time.monotonic() - began) < seconds:
                for person in people:
                    person.turn()
                report.memory.append((passed, process.memory_info().rss))
            spent = process.cpu_times()
            report.server_share = (spent.user + spent.system) / (time.monotonic() - began)
            for person in people:
                person.close()
        finally:
            server.close()
            browser.close()
    lines = log.read_text(errors="replace").splitlines()
    report.errors += [line for line in lines if "Traceback" in line or "ERROR" in line]
    return report


def show(report: Report, seconds: float) -> None:
    """Print what happened."""
    done = ", ".join(f"{count} x {action}" for action, count in sorted(report.done.items()))
    print(f"done: {done}")
    if report.run_seconds:
        times = report.run_seconds
        print(
            f"runs that ended: {len(times)}, median {statistics.median(times):.1f} s, "
            f"longest {max(times):.1f} s; lost: {report.lost}"
        )
    print(f"the server used {100 * report.server_share:.0f} % of a core")
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        moment, held = min(report.memory, key=lambda m: abs(m[0] - share * seconds))
        print(f"memory after {moment:4.0f} s: {held / 1e6:,.0f} MB")
    print(f"errors: {len(report.errors)}")
    for error in report.errors[:20]:
        print(f"  {error}")


def main() -> int:
    """Run it as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TOKENSCOPE_STORE"] = str(Path(folder) / "store")
        report = soak(options.visitors, 60 * options.minutes, Path(folder) / "server.log")
    show(report, 60 * options.minutes)
    return int(bool(report.errors or report.lost))


if __name__ == "__main__":
    sys.exit(main())
