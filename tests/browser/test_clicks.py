"""That every click arrives, under the settings that the app is served with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

SCRIPT = """
import time
from pathlib import Path

import streamlit as st


def hit(name):
    st.session_state[name] = st.session_state.get(name, 0) + 1


@st.fragment
def part():
    st.button("In a part", on_click=hit, args=("part",))


st.button("Of the page", on_click=hit, args=("page",))
part()
st.text("begun")
while Path(__file__).with_name("held").exists():
    time.sleep(0.05)
    st.empty()
st.text(f"part {st.session_state.get('part', 0)}, page {st.session_state.get('page', 0)}")
"""


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """While this file is there, the script does not end."""
    return tmp_path / "held"


@pytest.fixture
def page(open_app: Callable[..., Page], tmp_path: Path) -> Page:
    script = tmp_path / "slow.py"
    script.write_text(SCRIPT)
    page = open_app(script)
    expect(page.get_by_text("part 0, page 0")).to_be_visible(timeout=60_000)
    return page


def test_a_click_in_a_part_of_the_page_outlives_a_rerun_of_all_of_it(
    page: Page, held: Path
) -> None:
    of_the_page = page.get_by_role("button", name="Of the page")
    held.touch()
    of_the_page.click()
    # The click in the part waits for the end of the script, and the third comes before that.
    expect(page.get_by_test_id("stStatusWidget")).to_be_visible()
    page.get_by_role("button", name="In a part").click()
    of_the_page.click()
    held.unlink()
    expect(page.get_by_text("part 1, page 2")).to_be_visible(timeout=60_000)
