"""Every page as people come to see it: empty, and with a run of the shipped model on it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

import tokenscope_core as ts
from tokenscope_core import Request, Session
from tokenscope_core.models.files.names import SHIPPED_FOLDER

APP = Path(__file__).resolve().parents[3] / "app.py"
LOAD_MS = 90_000
SESSION = "screens"
PROMPT = "def add(a, b):\n    # </script><b>é👋</b>\n"

OpenApp = Callable[..., Page]


@dataclass(frozen=True)
class Screen:
    """A page's address, in which `{run}` and `{other}` stand for keys of traces, and what is there
    once it is drawn."""

    address: str
    drawn: Callable[[Page], Locator]


def _text(words: str) -> Callable[[Page], Locator]:
    return lambda page: page.get_by_text(words).first


def _token(page: Page) -> Locator:
    return page.locator(".strip .code [data-i]").first


EMPTY = {
    "decode": Screen("", _text("Nothing decoded yet")),
    "branches": Screen("branches", _text("No branches yet")),
    "compare": Screen("compare", _text("Nothing")),
    "syntax": Screen("syntax", _text("Nothing to read yet")),
    "attention": Screen("attention", _text("Nothing to look at yet")),
    "share": Screen("share", _text("Nothing")),
    "models": Screen("models", _text("Nothing compared yet")),
    "metrics": Screen("metrics", _text("Attention heads")),
}
AFTER = {
    "decode, a token": Screen(f"?session={SESSION}&token=20", _token),
    "branches": Screen(f"branches?session={SESSION}", lambda page: page.locator(".lane").first),
    "compare": Screen(f"compare?session={SESSION}", _token),
    "syntax": Screen(f"syntax?session={SESSION}", lambda page: page.locator(".icicle .node").last),
    "attention, a token": Screen(
        f"attention?session={SESSION}&view=token&token=20", _text("sink shown")
    ),
    "attention, matrix": Screen(
        f"attention?session={SESSION}&view=matrix", lambda page: page.locator("canvas").first
    ),
    "attention, heads": Screen(f"attention?session={SESSION}&view=heads", _text("Click a head")),
    "attention, difference": Screen(f"attention?session={SESSION}&view=compare", _token),
    "share": Screen(f"share?session={SESSION}", _text("Link")),
    "two models": Screen("models?a={run}&b={other}", _token),
}


def made(other_model: str) -> dict[str, str]:
    """Puts a session of the shipped model into the store, a run and a branch with a long line, and
    the run's text scored by another model. Gives what the addresses need."""
    lm = ts.load_model(SHIPPED_FOLDER.name)
    root = ts.generate(lm, Request(PROMPT, 40))
    child = ts.fork(lm, root, root.prompt_length + 4, text=" None", max_new_tokens=20)
    text = b"".join(root.vocabulary.pieces(root.token_ids.tolist())).decode(errors="replace")
    run, other = ts.score(lm, text), ts.score(ts.load_model(other_model), text)
    store = ts.Store()
    for trace in (root, child, run, other):
        store.put(trace)
    session = Session.start(root).add(child, parent=root).select(root.key)
    store.put_session(SESSION, session.without_history().to_bytes())
    store.close()
    return {"run": run.key, "other": other.key}


def opened(
    open_app: OpenApp, screen: Screen, keys: dict[str, str], color_scheme: str = "light"
) -> Page:
    """The page in a new tab, once all of it is drawn."""
    page = open_app(APP, screen.address.format(**keys), color_scheme=color_scheme)
    # Of a model that is in memory a layer is captured unasked.
    capture = page.get_by_role("button", name=re.compile("^Capture"))
    expect(screen.drawn(page).or_(capture).first).to_be_visible(timeout=LOAD_MS)
    if capture.count():
        capture.first.click()
    expect(screen.drawn(page)).to_be_visible(timeout=LOAD_MS)
    expect(page.locator("[data-testid='stApp'][data-test-script-state='running']")).to_have_count(
        0, timeout=LOAD_MS
    )
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=LOAD_MS)
    return page
