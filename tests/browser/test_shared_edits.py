"""Two people with one session, each in a browser profile of their own, on two servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import tokenscope_core as ts
from browser.server import AppServer
from tokenscope_core import Request, Sampling, Session

APP = Path(__file__).resolve().parents[2] / "app.py"
LOAD_MS = 90_000

Visit = Callable[[str], Page]


@pytest.fixture
def store(tiny_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ts.Store]:
    """The servers' store, with a run and a branch of it, as “forks” and as “names”. What other
    tests keep lies elsewhere."""
    monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "store"))
    store, lm = ts.Store(), ts.load_model(tiny_folder)
    root = ts.generate(lm, Request("def f(a):\n", 24, Sampling(1.0, seed=2)))
    child = ts.fork(lm, root, 12, token_id=80)
    session = Session.start(root).add(child, parent=root).rename(child.key, "early")
    for trace in (root, child):
        store.put(trace)
    for name in ("forks", "names"):
        store.put_session(name, session.without_history().to_bytes())
    yield store
    store.close()


@pytest.fixture
def author_and_viewer(
    store: ts.Store, browser: Browser, tmp_path: Path
) -> Iterator[tuple[Visit, Visit]]:
    """Two profiles, each with a server of its own over one store."""
    servers, contexts = [], []
    visits = []
    for who in ("author", "viewer"):
        with (tmp_path / f"{who}.log").open("ab") as log:
            servers.append(AppServer(APP, log))
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}))
        page, url = contexts[-1].new_page(), servers[-1].url

        def visit(address: str, page: Page = page, url: str = url) -> Page:
            page.goto(f"{url}/{address}")
            return page

        visits.append(visit)
    yield visits[0], visits[1]
    for context in contexts:
        context.close()
    for server in servers:
        server.close()


def lane(page: Page, name: str) -> Locator:
    rows = page.get_by_role("treeitem")
    return rows.filter(has=page.locator(".name .text", has_text=name))


def kept(store: ts.Store, name: str) -> Session:
    blob = store.get_session(name)
    assert blob is not None
    return Session.from_bytes(blob)


def test_a_viewer_who_clicks_around_takes_nothing_from_the_author(
    store: ts.Store, author_and_viewer: tuple[Visit, Visit]
) -> None:
    author, viewer = (visit("branches?session=forks") for visit in author_and_viewer)
    for page in (author, viewer):
        expect(lane(page, "early")).to_be_visible(timeout=LOAD_MS)
    lane(viewer, "original").click()
    expect(lane(viewer, "original")).to_have_attribute("aria-selected", "true")

    author.get_by_role("link", name="Open in Decode").click()
    expect(author.get_by_text("Branch, of 2")).to_be_visible(timeout=LOAD_MS)
    author.locator(".strip [data-i]:not(.prompt)").nth(8).click()
    author.get_by_role("button", name="Put it here").click()
    expect(author.get_by_text("Branch, of 3")).to_be_visible(timeout=LOAD_MS)
    assert "session=forks" in author.url
    assert len(kept(store, "forks")) == 3
    assert store.session_names().count("forks") == 1
    assert len(store.session_names()) == 2, "nobody went on with a copy"

    lane(viewer, "early").click()
    expect(viewer.get_by_role("treeitem")).to_have_count(3)
    expect(viewer.get_by_text("1 branch added. It is shown as it is now.")).to_be_visible()


def test_two_who_change_the_same_are_both_told_and_lose_nothing(
    store: ts.Store, author_and_viewer: tuple[Visit, Visit]
) -> None:
    pages = [visit("branches?session=names") for visit in author_and_viewer]
    for page in pages:
        expect(lane(page, "early")).to_be_visible(timeout=LOAD_MS)
        lane(page, "early").click()
        field = page.get_by_role("textbox", name="Name", exact=True)
        expect(field).to_have_value("early")
    for page, name in zip(pages, ("one", "two"), strict=True):
        field = page.get_by_role("textbox", name="Name", exact=True)
        field.fill(name)
        field.press("Enter")
        expect(lane(page, name)).to_be_visible()
    one, two = pages
    expect(two.get_by_text("goes on in a copy of its own")).to_be_visible()
    assert "session=names" not in two.url
    assert "session=names" in one.url
    lane(one, "original").click()
    expect(one.get_by_text("goes on there in a copy")).to_be_visible()
    kept_names = {
        branch.name for name in store.session_names() for branch in kept(store, name).branches
    }
    assert {"one", "two"} <= kept_names
