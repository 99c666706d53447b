"""From a server's start to the first token on the page: `python -m benchmarks.page_start`.

Each round starts a server, opens the page in Chromium, lets a person read for some seconds, and
presses Run; with the default model loaded meanwhile and without, in alternating order. First
paint is the moment at which the button is there, from when the address was opened. One more round
presses at once and prints what the page says until the first token.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.server import BROWSER_ARGUMENTS, ROOT, AppServer, browser_path

_WAIT_MS = 120_000


def main() -> None:
    """Print medians of both, and what is read on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="rounds")
    parser.add_argument("--read", type=float, default=6.0, help="seconds before Run is pressed")
    given = parser.parse_args()
    timed: dict[str, list[tuple[float, float]]] = {"on": [], "off": []}
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser_path(), args=BROWSER_ARGUMENTS
        )
        for number in range(given.repeat):
            for setting in list(timed)[:: -1 if number % 2 else 1]:
                folder = Path(scratch) / f"{setting}{number}"
                painted, answered, _ = _round(chromium, folder, setting, given.read)
                timed[setting].append((painted, answered))
        *early, said = _round(chromium, Path(scratch) / "early", "on", 0.0)
        chromium.close()
    for setting, rounds in timed.items():
        painted, answered = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(
            f"preloading {setting}: first paint {painted:.2f} s, "
            f"Run to first token {answered:.2f} s, medians of {len(rounds)}"
        )
    print(f"pressed at once: first token after {early[1]:.2f} s; the page said {said}")


def _round(
    browser: Browser, folder: Path, setting: str, read_s: float
) -> tuple[float, float, list[str]]:
    """Seconds to the first paint, seconds from Run to the first token, and what was said."""
    folder.mkdir()
    os.environ |= {"TOKENSCOPE_PRELOAD": setting, "TOKENSCOPE_STORE": str(folder / "store")}
    with (folder / "server.log").open("wb") as log:
        server = AppServer(ROOT / "app.py", log)
    said: list[str] = []
    context = browser.new_context()
    try:
        page = context.new_page()
        began = time.perf_counter()
        page.goto(server.url)
        run = page.get_by_test_id("stBaseButton-primary")
        run.wait_for(timeout=_WAIT_MS)
        painted = time.perf_counter() - began
        page.wait_for_timeout(1000 * read_s)
        pressed = time.perf_counter()
        run.click()
        token, bar = page.locator(".strip [data-i]").first, page.get_by_test_id("stProgress")
        while not token.is_visible():
            if time.perf_counter() - pressed > _WAIT_MS / 1000:
                raise TimeoutError("no token came")
            text = bar.first.inner_text() if bar.count() else ""
            if text and text not in said:
                said.append(text)
            page.wait_for_timeout(50)
        return painted, time.perf_counter() - pressed, said
    finally:
        context.close()
        server.close()


if __name__ == "__main__":
    main()
