"""Many visitors at once, each in a browser context of their own, for some minutes.

    python -m benchmarks.soak                           # 20 visitors, 5 minutes
    python -m benchmarks.soak --visitors 4 --minutes 1

Each turn a visitor does one thing that people do: runs a prompt of their own or one that others run
too, stops it, runs it again, picks a token, looks at another page, reloads, closes the tab and
comes back. The exit code is 1 unless all of this holds:

- no error is on a page or in the server's log, and no click waits a minute;
- no run is lost: within three minutes its own prompt is on screen and nothing is in progress, or
  the visitor was told that the queue is full; a run that was stopped is in progress no more. A Stop
  that a run forestalls by ending is counted, and is no error;
- memory is flat: over the second half it rises by no more than 2 % on a straight line.

The minutes begin once a first run has ended, with the model loaded, and every page has been drawn.

What the model has read, and the traces read lately, are kept up to limits which at their defaults
no such soak reaches: memory would rise by half a megabyte a run until then. The server is therefore
given limits that are reached within the first minute.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    TimeoutError,
    sync_playwright,
)

from benchmarks.soak_report import Report
from tests.browser.server import BROWSER_ARGUMENTS, ROOT, AppServer, browser_path

_PAGES = ("Branches", "Compare", "Syntax", "Metrics", "Decode")
_ACTIONS = ("own", "own", "shared", "again", "stop", "token", "page", "page", "reload", "come back")
_LOST_AFTER_S = 180.0
_WAIT_MS = 60_000
_STOP_WAIT_MS = 5_000
_CACHES_MB = {"TOKENSCOPE_PREFIX_CACHE_MB": "8", "TOKENSCOPE_TRACE_MEMORY_MB": "2"}
_SHARED = ("def fib(n):\n", "import os\n\ndef size_of(path):\n", "class Stack:\n")
_FULL = "was to be queued"


@dataclass(frozen=True)
class Awaited:
    """A run that a visitor waits for: how its prompt begins, and when it began. One that was
    stopped may have nothing to show."""

    prompt: str
    began: float = field(default_factory=time.monotonic)
    stopped: bool = False


class Visitor:
    """One person: a browser context, a page in it, and perhaps a run that is awaited."""

    def __init__(
        self, browser: Browser, url: str, number: int, report: Report, pictures: Path | None
    ) -> None:
        self._draw = random.Random(number)
        self._url, self._number, self._report, self._pictures = url, number, report, pictures
        self._context: BrowserContext = browser.new_context()
        self._page = self._open(url)
        self._runs = 0
        self._doing = "arriving"
        self._awaited: Awaited | None = None

    def warm_up(self) -> None:
        """Have the model loaded, and every page drawn once."""
        self._act("own")
        while self._awaited is not None:
            self._look_after(self._awaited, self._problems())
            self._page.wait_for_timeout(500)
        for name in _PAGES:
            self._page.get_by_role("link", name=name, exact=True).first.click()
            self._page.wait_for_timeout(2_000)

    def turn(self) -> None:
        """Look whether the run has ended, or do something."""
        try:
            told = self._problems()
            if self._awaited is not None:
                self._look_after(self._awaited, told)
            else:
                self._doing = self._draw.choice(_ACTIONS)
                self._act(self._doing)
        except Error as error:
            self._note(error.message.splitlines()[0])
            self._awaited = None
            self._page.close()
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
                self._run(f"# stopped {self._number} {time.monotonic()}\n")
                self._stop()
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
        box = self._page.get_by_role("textbox", name="Prompt", exact=True)
        if prompt is not None:
            box.fill(prompt)
            box.blur()
        generate.first.click()
        self._awaited = Awaited(box.input_value().partition("\n")[0])
        self._page.wait_for_timeout(500)

    def _stop(self) -> None:
        assert self._awaited is not None
        stop = self._page.get_by_role("button", name="Stop", exact=True)
        try:
            if stop.count():
                stop.first.click(timeout=_STOP_WAIT_MS, force=True)
                self._awaited = Awaited(self._awaited.prompt, stopped=True)
                return
        except Error as error:
            try:
                stop.first.wait_for(state="hidden", timeout=_STOP_WAIT_MS)
            except TimeoutError:
                raise error from None
        self._report.done["stop, too late"] += 1

    def _look_after(self, run: Awaited, told: list[str]) -> None:
        """Let go of the run that is awaited once it has ended."""
        busy = self._page.get_by_role("button", name="Stop", exact=True).count() > 0
        strip = self._page.locator(".strip")
        shown = strip.count() > 0 and run.prompt in (strip.first.text_content() or "")
        waited = time.monotonic() - run.began
        if not busy and any(_FULL in problem for problem in told):
            self._report.done["refused, queue full"] += 1
        elif not busy and run.stopped:
            self._report.stop_seconds.append(waited)
        elif not busy and shown:
            self._report.run_seconds.append(waited)
        elif waited > _LOST_AFTER_S:
            self._report.lost += 1
            self._note(f"lost the run of “{run.prompt}”")
        else:
            return
        self._awaited = None

    def _problems(self) -> list[str]:
        """What the page says is wrong; all but a full queue is an error."""
        boxes = self._page.locator('[data-testid="stException"], .st-key-problem').all_inner_texts()
        told = [" ".join(text.split())[:200] for text in boxes]
        for text in told:
            if _FULL not in text:
                self._note(text)
        if self._page.get_by_text("TokenScope cannot work like this").count():
            self._note("the page could not be drawn at all")
        if self._page.get_by_text("Is Streamlit still running?").count():
            self._note("the connection was lost")
        return told

    def _note(self, what: str) -> None:
        """An error, with a picture of the page where those are wanted."""
        self._report.errors.append(f"visitor {self._number}, {self._doing}: {what}")
        if self._pictures is not None:
            name = f"error-{len(self._report.errors)}-visitor-{self._number}.png"
            try:
                self._page.screenshot(path=self._pictures / name)
            except Error as error:
                self._report.errors.append(f"no picture of it: {error.message.splitlines()[0]}")


def soak(visitors: int, seconds: float, log: Path, pictures: Path | None = None) -> Report:
    """Let visitors use one server."""
    report = Report(seconds)
    with sync_playwright() as playwright, log.open("wb") as out:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=BROWSER_ARGUMENTS)
        server = AppServer(ROOT / "app.py", out)
        process = psutil.Process(server.pid)
        try:
            people = [Visitor(browser, server.url, n, report, pictures) for n in range(visitors)]
            people[0].warm_up()
            report.forget()
            began, spent_before = time.monotonic(), sum(process.cpu_times()[:2])
            while (passed := time.monotonic() - began) < seconds:
                for person in people:
                    person.turn()
                    report.memory.append((time.monotonic() - began, process.memory_info().rss))
            report.server_share = (sum(process.cpu_times()[:2]) - spent_before) / passed
            for person in people:
                person.close()
        finally:
            server.close()
            browser.close()
    lines = log.read_text(errors="replace").splitlines()
    report.errors += [line for line in lines if "Traceback" in line or "ERROR" in line]
    return report


def main() -> int:
    """Run it as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--pictures", type=Path, help="a folder for pictures of pages with errors")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TOKENSCOPE_STORE"] = str(Path(folder) / "store")
        os.environ.update(_CACHES_MB)
        log = Path(folder) / "server.log"
        report = soak(options.visitors, 60 * options.minutes, log, options.pictures)
    print(report)
    return int(not report.passed)


if __name__ == "__main__":
    sys.exit(main())
