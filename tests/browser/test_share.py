"""A session passed on between two servers, and the way back, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_models
from playwright.sync_api import Browser, Page, expect

import tokenscope_core as ts
from browser.server import AppServer
from tokenscope_core import Request, Sampling, Session

APP = Path(__file__).resolve().parents[2] / "app.py"
LOAD_MS = 90_000
LINK = "Link to this session"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("share")
    tiny = root / "models" / "tiny"
    tiny_models.model("llama").save_pretrained(tiny)
    tiny_models.tokenizer().save_pretrained(tiny)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENSCOPE_MODELS", str(root / "models"))
        patch.setenv("TOKENSCOPE_STORE", str(root / "store"))
        yield root


@pytest.fixture(scope="module")
def kept(folder: Path) -> Session:
    """A run and a branch of it, in the store of the first server as “made”."""
    store, lm = ts.Store(), ts.load_model(str(folder / "models" / "tiny"))
    root = ts.generate(lm, Request("def f(a):\n", 24, Sampling(1.0, seed=2)))
    child = ts.fork(lm, root, 12, token_id=80)
    session = Session.start(root).add(child, parent=root).rename(child.key, "what if")
    for trace in (root, child):
        store.put(trace)
    store.put_session("made", session.without_history().to_bytes())
    store.close()
    return session


@pytest.fixture(scope="module")
def servers(folder: Path, kept: Session) -> Iterator[tuple[AppServer, AppServer]]:
    """Two servers with the same models and stores of their own."""
    assert kept
    with (folder / "log").open("ab") as log, pytest.MonkeyPatch.context() as patch:
        here = AppServer(APP, log)
        patch.setenv("TOKENSCOPE_STORE", str(folder / "elsewhere"))
        there = AppServer(APP, log)
    yield here, there
    here.close()
    there.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context.new_page()
    context.close()


def text_of_strip(page: Page) -> list[str]:
    tokens = page.locator(".strip [data-i]")
    expect(tokens.first).to_be_visible(timeout=LOAD_MS)
    return tokens.all_inner_texts()


def go_to(page: Page, name: str) -> None:
    page.get_by_test_id("stTopNav").get_by_role("link", name=name, exact=True).click()


def test_a_copied_link_shows_the_same_tokens_on_a_server_with_another_store(
    page: Page, browser: Browser, servers: tuple[AppServer, AppServer]
) -> None:
    here, there = servers
    page.goto(f"{here.url}/?session=made")
    tokens = text_of_strip(page)
    assert tokens
    go_to(page, "Share")
    field = page.get_by_label(LINK, exact=True)
    expect(field).to_be_visible(timeout=LOAD_MS)
    page.get_by_role("button", name=f"Copy: {LINK}").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == field.input_value()
    assert link.startswith(f"{here.url}/?share=ts1.")

    other = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    other.goto(link.replace(here.url, there.url))
    expect(other.get_by_text("2 of its 2 branches must be computed here")).to_be_visible(
        timeout=LOAD_MS
    )
    # What the link alone says of the tree, before anything is computed.
    lanes = other.get_by_role("treeitem")
    expect(lanes).to_have_count(2)
    expect(lanes.nth(1)).to_have_accessible_name(re.compile("leaves at position 12.*to compute"))
    lanes.nth(0).click()
    expect(other.get_by_text("the first run")).to_be_visible()
    other.get_by_role("button", name="Open it here").click()
    assert text_of_strip(other) == tokens
    assert "share=" not in other.url
    assert "session=" in other.url
    other.context.close()


def test_the_report_is_downloaded_and_opens_without_a_network(
    page: Page, browser: Browser, servers: tuple[AppServer, AppServer], tmp_path: Path
) -> None:
    page.goto(f"{servers[0].url}/share?session=made")
    with page.expect_download(timeout=LOAD_MS) as download:
        page.get_by_role("button", name="HTML report").click(timeout=LOAD_MS)
    name = download.value.suggested_filename
    assert name.startswith("tiny_what-if_")
    file = tmp_path / name
    download.value.save_as(file)
    alone = browser.new_context(offline=True).new_page()
    alone.goto(file.as_uri())
    expect(alone.locator("#strip [role=option]").first).to_be_visible()
    alone.context.close()


def test_back_and_forward_go_from_page_to_page_and_keep_the_session(
    page: Page, servers: tuple[AppServer, AppServer]
) -> None:
    page.goto(f"{servers[0].url}/?session=made")
    text_of_strip(page)
    shown = {
        "Branches": page.get_by_role("tree"),
        "Compare": page.get_by_role("button", name="Swap"),
        "Syntax": page.get_by_text("Table by"),
    }
    for name, sign in shown.items():
        go_to(page, name)
        expect(sign.first).to_be_visible(timeout=LOAD_MS)
        page.wait_for_url("**session=made**")
    for name in ("Compare", "Branches"):
        page.go_back()
        expect(shown[name].first).to_be_visible(timeout=LOAD_MS)
        assert "session=made" in page.url
    page.go_back()
    text_of_strip(page)
    for name in shown:
        page.go_forward()
        expect(shown[name].first).to_be_visible(timeout=LOAD_MS)
        assert "session=made" in page.url
    page.reload()
    expect(shown["Syntax"].first).to_be_visible(timeout=LOAD_MS)
