"""Reruns of a part that meet reruns of the page: nothing is lost, and no page dies of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from browser.server import AppServer

SCRIPT = """
import time
from pathlib import Path

import streamlit as st

from tokenscope_ui.shell import rerun_repairs

rerun_repairs.apply()


def wait():
    while Path(__file__).with_name("held").exists():
        time.sleep(0.02)


def hit(name):
    st.session_state[name] = st.session_state.get(name, 0) + 1


@st.fragment
def inner():
    st.text("within the part")


@st.fragment
def part(name):
    st.button("In a part", on_click=hit, args=("part",))
    if st.session_state.get("part"):
        wait()
        with st.container():
            with st.container():
                inner()
    st.text(f"part of {name}: {st.session_state.get('part', 0)}")


def one():
    st.button("Of the page", on_click=hit, args=("page",))
    st.text("filling one")
    part("one")
    if st.session_state.get("page"):
        wait()
    st.text("end of one")


def two():
    st.text("filling")
    st.text("filling two")
    part("two")
    st.text("end of two")


st.navigation([st.Page(one, title="One", default=True), st.Page(two, title="Two")]).run()
"""


class Line:
    """A page's connection to its server; what comes from there can be held back."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._late: list[tuple[WebSocketRoute, str | bytes]] | None = None
        page.route_web_socket("**/_stcore/stream", self._connect)

    def hold(self) -> None:
        self._late = []

    def release(self) -> None:
        """Let it come one by one, as over a slow net; what comes meanwhile is behind it."""
        while self._late:
            socket, message = self._late.pop(0)
            socket.send(message)
            self._page.wait_for_timeout(50)
        self._late = None

    def _connect(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(server.send)
        server.on_message(lambda message: self._came(socket, message))

    def _came(self, socket: WebSocketRoute, message: str | bytes) -> None:
        if self._late is None:
            socket.send(message)
        else:
            self._late.append((socket, message))


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """While this file is there, what is run waits in the middle."""
    return tmp_path / "held"


@pytest.fixture
def page(
    context: BrowserContext, app_server: Callable[[Path], AppServer], tmp_path: Path
) -> Iterator[Page]:
    script = tmp_path / "app.py"
    script.write_text(SCRIPT)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    line = Line(page)
    page.line = line  # type: ignore[attr-defined]
    page.goto(app_server(script).url)
    expect(page.get_by_text("end of one")).to_be_visible()
    yield page
    page.close()
    assert not problems


def test_a_part_that_runs_again_at_once_leaves_what_is_within_it_in_place(
    page: Page, held: Path
) -> None:
    held.touch()
    button = page.get_by_role("button", name="In a part")
    button.click()
    page.wait_for_timeout(300)
    button.click()
    page.wait_for_timeout(300)
    held.unlink()
    expect(page.get_by_text("part of one: 2")).to_be_visible()
    expect(page.get_by_text("within the part")).to_be_visible()


def test_what_was_asked_for_on_a_page_that_was_left_does_not_empty_the_next(page: Page) -> None:
    line: Line = page.line  # type: ignore[attr-defined]
    line.hold()
    page.get_by_role("link", name="Two").click()
    page.wait_for_timeout(500)
    page.get_by_role("button", name="In a part").click()
    page.wait_for_timeout(500)
    line.release()
    expect(page.get_by_text("end of two")).to_be_visible()
    expect(page.get_by_text("part of two")).to_be_visible()


def test_a_click_in_a_part_does_not_call_off_going_to_another_page(page: Page, held: Path) -> None:
    held.touch()
    page.get_by_role("button", name="Of the page").click()
    page.wait_for_timeout(300)
    page.get_by_role("link", name="Two").click()
    page.get_by_role("button", name="In a part").click()
    page.wait_for_timeout(300)
    held.unlink()
    expect(page.get_by_text("end of two")).to_be_visible()
    expect(page.get_by_text("part of two: 1")).to_be_visible()
