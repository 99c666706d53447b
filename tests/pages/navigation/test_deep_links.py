"""Streamlit runs a page's file alone where an address is the first thing a fresh server sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from waiting import WAIT_S

from tokenscope_ui.pages import HOME

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(path.name for path in (ROOT / "pages").glob("*.py"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_alone_goes_through_the_router(
    app: object, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(
        "streamlit.set_page_config", lambda **said: shown.append(said["page_title"])
    )
    test = AppTest.from_file(str(ROOT / "pages" / page), default_timeout=WAIT_S).run()
    assert not test.exception
    # Once; a test has no address, which leads to the first page.
    assert shown == ["TokenScope", f"{HOME.title} · TokenScope"]
