"""The app as the documentation shows it: a real model, one session, a server and a browser.

Everything is in a temporary folder. The runs are greedy, so that pictures made again differ only
where the app does.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

import tokenscope_core as ts
from tests.browser.server import BROWSER_ARGUMENTS, ROOT, AppServer, browser_path
from tests.support.real_model import NAME, real_model_folder

PROMPT = '''\
def factorial(n):
    """Return the product of 1 to n."""
    result = 1
    for i in range(1, n + 1):
        result *= i
    return result

def fibonacci(n):
    """Return the n-th Fibonacci number."""
    if n'''
STOP = "\n\n"
NEW_TOKENS = 80
# The last token of that text is replaced; what each of the others makes of the function.
TAKEN, REPLACEMENT = " return", " a"
NAMES = {REPLACEMENT: "a loop", " fib": "two variables", " mid": "halves"}
# Kept in the store: the run with its branches, and the run alone.
SESSION, RUN = "tour", "run"
LOAD_MS = 120_000


@dataclass(frozen=True)
class Stage:
    """A running server and browser, and what is in the server's store.

    `root` is the run that both sessions begin with, and `child` its branch in which the token at
    `fork` was replaced. `model` is the name by which the picker lists the real model.
    """

    url: str
    browser: Browser
    root: ts.Trace
    child: ts.Trace
    fork: int
    model: str

    def open(
        self,
        address: str,
        *,
        width: int = 1280,
        height: int = 860,
        scale: float = 1.5,
        dark: bool = False,
    ) -> Page:
        """A page in a profile of its own, `width` by `height` in pixels of the page."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            color_scheme="dark" if dark else "light",
        )
        context.set_default_timeout(LOAD_MS)
        page = context.new_page()
        page.goto(f"{self.url}/{address}")
        return page


@contextmanager
def stage() -> Iterator[Stage]:
    """Decode the runs, start the server and the browser; both end with the block."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        # Listed under the model's name, whatever the folder is called that it was converted into.
        model = Path(shutil.copytree(real_model_folder(), Path(scratch) / "models" / NAME))
        os.environ["TOKENSCOPE_STORE"] = str(Path(scratch) / "store")
        os.environ["TOKENSCOPE_MODELS"] = str(model.parent)
        root, child, fork = _decode(model)
        chromium = playwright.chromium.launch(
            executable_path=browser_path(), args=BROWSER_ARGUMENTS
        )
        with (Path(scratch) / "server.log").open("wb") as log:
            server = AppServer(ROOT / "app.py", log)
        try:
            yield Stage(server.url, chromium, root, child, fork, model.name)
        finally:
            chromium.close()
            server.close()


def _decode(model: Path) -> tuple[ts.Trace, ts.Trace, int]:
    lm = ts.load_model(str(model))
    root = ts.generate(lm, ts.Request(PROMPT, NEW_TOKENS, stop=(STOP,)))
    pieces = root.vocabulary.token_bytes
    fork = max(i for i, token in enumerate(root.token_ids) if pieces[token] == TAKEN.encode())
    grown = [ts.fork(lm, root, fork, text=text) for text in NAMES]
    session = ts.Session.start(root).add(*grown, parent=root).rename(root.key, "recursion")
    for trace, name in zip(grown, NAMES.values(), strict=True):
        session = session.rename(trace.key, name)
    store = ts.Store()
    for trace in (root, *grown):
        store.put(trace)
    store.put_session(SESSION, session.select(root.key).without_history().to_bytes())
    alone = ts.Session.start(root).without_history()
    store.put_session(RUN, alone.to_bytes())
    store.close()
    return root, grown[0], fork
