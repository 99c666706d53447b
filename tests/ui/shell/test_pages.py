"""Every page has a row, and what is to be known of it is read from there."""

from __future__ import annotations

import ast
from types import SimpleNamespace

import pytest
import streamlit as st

from tokenscope_core.root import ROOT
from tokenscope_ui.pages import HOME, OF_SESSION, PAGES, Page
from tokenscope_ui.share import on_screen


def test_every_file_of_a_page_has_a_row_and_every_row_a_file() -> None:
    assert {page.file for page in PAGES} == set((ROOT / "pages").glob("*.py"))


def test_rows_are_told_apart() -> None:
    for field in ("name", "title", "icon"):
        assert len({getattr(page, field) for page in PAGES}) == len(PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_ends_in_route_so_that_a_deep_link_opens_it(page: Page) -> None:
    last = ast.parse(page.file.read_text("utf-8")).body[-1]
    assert ast.unparse(last) == "route(render)"


@pytest.mark.parametrize("name", OF_SESSION)
def test_a_link_made_on_a_page_of_a_session_leads_to_that_page(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(st, "query_params", {"token": "3", "metric_of_page": "entropy"})
    on_screen.remember(name)
    seen = on_screen.view(SimpleNamespace(current="a key"))  # type: ignore[arg-type]
    there = on_screen.restore({k: v for k, v in seen.items() if k != "token"})
    assert there.page is OF_SESSION[name]
    assert there.parameters == {"metric_of_page": "entropy"}


def test_a_link_to_a_page_that_is_not_there_leads_home() -> None:
    assert on_screen.restore({"page": "nowhere"}).page is HOME
