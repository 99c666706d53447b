"""Every page, empty and after a run, light and dark, as axe-core judges it (WCAG 2.2 A and AA and
its own best practices)."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser.access import screens
from browser.access.screens import AFTER, EMPTY, OpenApp, Screen
from playwright.sync_api import Page

# Rule, and what the element's own markup holds: what Streamlit draws so, and we cannot change.
STREAMLITS_OWN = (
    # A place to drop files has a role that says it is nothing, and a name.
    ("presentation-role-conflict", 'data-testid="stFileUploaderDropzone"'),
    # The column in which a row of an interactive table is chosen has no heading.
    ("empty-table-header", 'role="columnheader" aria-selected="false" aria-colindex="1"'),
)


@pytest.fixture(scope="module")
def keys(tiny_folder: str) -> dict[str, str]:
    return screens.made(tiny_folder)


def violations(page: Page) -> list[str]:
    """A line an element: the rule it breaks, how, and its markup."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['failureSummary']} {node['html']}"
        for rule in found
        for node in rule["nodes"]
        if not any(rule["id"] == own and mark in node["html"] for own, mark in STREAMLITS_OWN)
    ]


def audited(page: Page) -> list[str]:
    """The violations in both themes; Streamlit takes the system's, and changes with it."""
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("getComputedStyle(document.querySelector('.stApp')).colorScheme=='dark'")
    # Colours change over a moment.
    page.wait_for_timeout(500)
    return found + violations(page)


@pytest.mark.parametrize("screen", EMPTY.values(), ids=EMPTY)
def test_an_empty_page_has_no_violation(open_app: OpenApp, screen: Screen) -> None:
    assert audited(screens.opened(open_app, screen, {})) == []


@pytest.mark.parametrize("screen", AFTER.values(), ids=AFTER)
def test_a_page_with_a_run_has_no_violation(
    open_app: OpenApp, keys: dict[str, str], screen: Screen
) -> None:
    assert audited(screens.opened(open_app, screen, keys)) == []


def test_the_audit_sees_what_is_wrong(open_app: OpenApp) -> None:
    page = screens.opened(open_app, EMPTY["metrics"], {})
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [one for one in audited(page) if one.startswith("button-name")]
