"""A server whose operator asks people to sign in: who gets in, and what they find there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.oidc_provider import Provider
from browser.server import ROOT, AppServer, free_port

LOAD_MS = 60_000


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def server(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    folder, port = tmp_path_factory.mktemp("sign in"), free_port()
    secrets = folder / "secrets.toml"
    secrets.write_text(provider.secrets(f"http://127.0.0.1:{port}"))
    with pytest.MonkeyPatch.context() as patch, (folder / "log").open("ab") as log:
        patch.setenv("TOKENSCOPE_STORE", str(folder / "store"))
        server = AppServer(ROOT / "app.py", log, f"--secrets.files={secrets}", port=port)
        yield server
        server.close()


def visit(browser: Browser, server: AppServer, path: str = "") -> Page:
    page = browser.new_context().new_page()
    page.goto(f"{server.url}/{path}")
    return page


def sign_in(page: Page) -> None:
    page.get_by_role("button", name="Sign in").click(timeout=LOAD_MS)
    expect(page.get_by_text("Signed in as")).to_be_visible(timeout=LOAD_MS)


def generate(page: Page) -> None:
    button = page.get_by_test_id("stBaseButton-primary").filter(has_text="Generate")
    expect(button).to_be_enabled(timeout=LOAD_MS)
    button.click()
    expect(page.get_by_text("Most surprising tokens")).to_be_visible(timeout=LOAD_MS)


def text_of_strip(page: Page) -> list[str]:
    tokens = page.locator(".strip [data-i]")
    expect(tokens.first).to_be_visible(timeout=LOAD_MS)
    return tokens.all_inner_texts()


def session_named(page: Page) -> str:
    (name,) = parse_qs(urlsplit(page.url).query)["session"]
    return name


@pytest.mark.parametrize("path", ["", "branches", "metrics", "decode?run=abc"])
def test_nothing_is_shown_before_signing_in(browser: Browser, server: AppServer, path: str) -> None:
    page = visit(browser, server, path)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=LOAD_MS)
    assert page.get_by_role("textbox").count() == 0
    assert page.get_by_role("button", name="Generate").count() == 0
    page.context.close()


def test_what_a_person_made_is_found_again_and_by_nobody_else(
    browser: Browser, server: AppServer, provider: Provider
) -> None:
    provider.person = "ada"
    ada = visit(browser, server)
    sign_in(ada)
    expect(ada.get_by_text("Signed in as ada@example.org")).to_be_visible()
    generate(ada)
    expect(ada).to_have_url(re.compile("session="))
    address = ada.url.removeprefix(server.url + "/")

    provider.person = "eve"
    eve = visit(browser, server)
    sign_in(eve)
    eve.goto(f"{server.url}/{address}")
    expect(eve.get_by_text("does not hold it for you")).to_be_visible(timeout=LOAD_MS)

    provider.person = "ada"
    elsewhere = visit(browser, server)
    sign_in(elsewhere)
    elsewhere.goto(f"{server.url}/{address}")
    expect(elsewhere.get_by_text("Most surprising tokens")).to_be_visible(timeout=LOAD_MS)
    for page in (ada, eve, elsewhere):
        page.context.close()


def test_signing_out_shows_nothing_more(
    browser: Browser, server: AppServer, provider: Provider
) -> None:
    provider.person = "ada"
    page = visit(browser, server)
    sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=LOAD_MS)
    page.context.close()


def test_a_link_that_needs_signing_in_leads_to_what_it_names(
    browser: Browser, server: AppServer, provider: Provider
) -> None:
    provider.person = "ada"
    page = visit(browser, server)
    sign_in(page)
    generate(page)
    address = page.url.removeprefix(server.url + "/")
    later = visit(browser, server, address)
    sign_in(later)
    expect(later.get_by_text("Most surprising tokens")).to_be_visible(timeout=LOAD_MS)
    for each in (page, later):
        each.context.close()


@pytest.mark.parametrize("label", ["Short link", "Link to this session"])
def test_a_shared_link_opens_for_another_person_as_a_copy_of_their_own(
    browser: Browser, server: AppServer, provider: Provider, label: str
) -> None:
    provider.person = "ada"
    ada = visit(browser, server)
    sign_in(ada)
    generate(ada)
    tokens = text_of_strip(ada)
    ada.get_by_test_id("stSidebarNav").get_by_role("link", name="Share", exact=True).click()
    if label == "Short link":
        ada.get_by_role("button", name="Make a short link").click(timeout=LOAD_MS)
    field = ada.get_by_label(label, exact=True)
    expect(field).to_be_visible(timeout=LOAD_MS)
    link = field.input_value()

    provider.person = "eve"
    eve = browser.new_context().new_page()
    eve.goto(link)
    expect(eve.get_by_role("button", name="Sign in")).to_be_visible(timeout=LOAD_MS)
    assert eve.locator(".strip").count() == 0
    sign_in(eve)
    expect(eve.get_by_text("Signed in as eve@example.org")).to_be_visible()
    assert text_of_strip(eve) == tokens
    expect(eve).to_have_url(re.compile("session="))
    assert session_named(eve) != session_named(ada)

    ada.goto(eve.url)
    expect(ada.get_by_text("does not hold it for you")).to_be_visible(timeout=LOAD_MS)
    for page in (ada, eve):
        page.context.close()
