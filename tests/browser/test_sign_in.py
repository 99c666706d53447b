"""A server whose operator asks people to sign in: who gets in, and what they find there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from browser.oidc_provider import Provider
from browser.server import ROOT, AppServer, free_port

LOAD_MS = 60_000

Visit = Callable[..., Page]


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


@pytest.fixture(scope="module")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """One browser profile for all visits, so that Streamlit's scripts are fetched once."""
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def visit(profile: BrowserContext, server: AppServer) -> Iterator[Visit]:
    """Opens an address as somebody who is not signed in."""

    def open_page(address: str = "") -> Page:
        profile.clear_cookies()
        page = profile.new_page()
        page.goto(address if "://" in address else f"{server.url}/{address}")
        return page

    yield open_page
    for page in profile.pages:
        page.close()


@pytest.fixture(scope="module")
def ada(browser: Browser, server: AppServer, provider: Provider) -> Iterator[Page]:
    """A browser of Ada's, who has signed in and made something."""
    provider.person = "ada"
    page = browser.new_context().new_page()
    page.goto(server.url)
    sign_in(page)
    expect(page.get_by_text("Signed in as ada@example.org")).to_be_visible()
    generate(page)
    expect(page).to_have_url(re.compile("session="))
    yield page
    page.context.close()


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
def test_nothing_is_shown_before_signing_in(visit: Visit, path: str) -> None:
    page = visit(path)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=LOAD_MS)
    assert page.get_by_role("textbox").count() == 0
    assert page.get_by_role("button", name="Generate").count() == 0


def test_what_a_person_made_is_found_again_and_by_nobody_else(
    visit: Visit, provider: Provider, ada: Page
) -> None:
    address = ada.url
    provider.person = "eve"
    eve = visit()
    sign_in(eve)
    eve.goto(address)
    expect(eve.get_by_text("does not hold it for you")).to_be_visible(timeout=LOAD_MS)

    provider.person = "ada"
    elsewhere = visit()
    sign_in(elsewhere)
    elsewhere.goto(address)
    expect(elsewhere.get_by_text("Most surprising tokens")).to_be_visible(timeout=LOAD_MS)


def test_signing_out_shows_nothing_more(visit: Visit, provider: Provider) -> None:
    provider.person = "ada"
    page = visit()
    sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=LOAD_MS)


def test_a_link_that_needs_signing_in_leads_to_what_it_names(
    visit: Visit, provider: Provider, ada: Page
) -> None:
    provider.person = "ada"
    page = visit(ada.url)
    sign_in(page)
    expect(page.get_by_text("Most surprising tokens")).to_be_visible(timeout=LOAD_MS)


def test_signing_out_shows_nothing_more_in_another_tab(visit: Visit, provider: Provider) -> None:
    provider.person = "ada"
    page = visit()
    sign_in(page)
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_text("Signed in as")).to_be_visible(timeout=LOAD_MS)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=LOAD_MS)
    expect(other.get_by_role("button", name="Sign in")).to_be_visible(timeout=LOAD_MS)
    assert other.get_by_role("textbox").count() == 0


def test_a_tab_that_does_not_hear_of_it_and_a_kept_cookie_are_signed_out_too(
    visit: Visit, provider: Provider, browser: Browser, server: AppServer
) -> None:
    provider.person = "ada"
    page = visit()
    sign_in(page)
    cookies = page.context.cookies()
    deaf = page.context.new_page()
    deaf.add_init_script("window.BroadcastChannel = class { postMessage() {} }")
    deaf.goto(page.url)
    expect(deaf.get_by_text("Signed in as")).to_be_visible(timeout=LOAD_MS)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=LOAD_MS)
    deaf.get_by_role("link", name="Metrics").click()
    expect(deaf.get_by_role("button", name="Sign in")).to_be_visible(timeout=LOAD_MS)
    expect(deaf.get_by_text("Signed in as")).to_have_count(0)

    elsewhere = browser.new_context()
    elsewhere.add_cookies(cookies)  # type: ignore[arg-type]
    again = elsewhere.new_page()
    again.goto(server.url)
    expect(again.get_by_role("button", name="Sign in")).to_be_visible(timeout=LOAD_MS)
    elsewhere.close()


@pytest.mark.parametrize("label", ["Short link", "Link to this session"])
def test_a_shared_link_opens_for_another_person_as_a_copy_of_their_own(
    visit: Visit, provider: Provider, ada: Page, label: str
) -> None:
    page = ada.context.new_page()
    page.goto(ada.url)
    tokens = text_of_strip(page)
    page.get_by_test_id("stTopNav").get_by_role("link", name="Share", exact=True).click()
    if label == "Short link":
        page.get_by_role("button", name="Make a short link").click(timeout=LOAD_MS)
    field = page.get_by_label(label, exact=True)
    expect(field).to_be_visible(timeout=LOAD_MS)

    provider.person = "eve"
    eve = visit(field.input_value())
    expect(eve.get_by_role("button", name="Sign in")).to_be_visible(timeout=LOAD_MS)
    assert eve.locator(".strip").count() == 0
    sign_in(eve)
    expect(eve.get_by_text("Signed in as eve@example.org")).to_be_visible()
    assert text_of_strip(eve) == tokens
    expect(eve).to_have_url(re.compile("session="))
    assert session_named(eve) != session_named(page)

    page.goto(eve.url)
    expect(page.get_by_text("does not hold it for you")).to_be_visible(timeout=LOAD_MS)
    page.close()
