"""What a person sees and does with the token x token map, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from browser.apps import matrix_demo as demo
from browser.pictures import saved

DEMO = Path(demo.__file__)
LEFT, TOP = 132, 108
HEIGHT = 560
DRAWN_S = 20.0
# Of a map of 100 tokens seen whole: the side of a cell.
CELL = (HEIGHT - TOP - 10) / 100

Open = Callable[..., Page]


@pytest.fixture
def open_demo(open_app: Open) -> Open:
    """The demo page, once its map is painted."""

    def open_page(query: str = "", color_scheme: str = "light") -> Page:
        page = open_app(DEMO, f"?height={HEIGHT}&{query}", color_scheme=color_scheme)
        expect(stage(page)).to_be_visible(timeout=30_000)
        page.wait_for_function(
            f"() => {{ const host = {HOST}; return host?.querySelector('canvas').height > 200; }}"
        )
        stage(page).scroll_into_view_if_needed()
        return page

    return open_page


# The component lives in a shadow root.
HOST = (
    "[...document.querySelectorAll('.st-key-map *')].map(one => one.shadowRoot)"
    ".find(root => root?.querySelector('.matrix'))"
)


def stage(page: Page) -> Locator:
    return page.locator(".st-key-map .stage")


def place(query: int, key: int) -> dict[str, float]:
    """Where the middle of a cell is drawn while the map of 100 tokens is whole."""
    return {"x": LEFT + (key + 0.5) * CELL, "y": TOP + (query + 0.5) * CELL}


def hover(page: Page, query: int, key: int) -> Locator:
    at = place(query, key)
    stage(page).hover(position={"x": at["x"], "y": at["y"]})
    return page.get_by_role("tooltip")


def pixel(page: Page, query: int, key: int) -> list[int]:
    """Red, green, blue and opacity of the middle of a cell."""
    return pixel_at(page, place(query, key))


def pixel_at(page: Page, at: dict[str, float]) -> list[int]:
    colour: list[int] = page.evaluate(
        f"""([x, y]) => {{
            const context = {HOST}.querySelector('canvas').getContext('2d');
            return Array.from(context.getImageData(x, y, 1, 1).data);
        }}""",
        [round(at["x"]), round(at["y"])],
    )
    return colour


def wheel(page: Page, query: int, key: int, delta: int, times: int = 1) -> None:
    hover(page, query, key)
    page.keyboard.down("Control")
    for _ in range(times):
        page.mouse.wheel(0, delta)
    page.keyboard.up("Control")


def drag(page: Page, start: dict[str, float], end: dict[str, float]) -> None:
    box: Any = stage(page).bounding_box()
    page.mouse.move(box["x"] + start["x"], box["y"] + start["y"])
    page.mouse.down()
    page.mouse.move(box["x"] + end["x"], box["y"] + end["y"], steps=4)
    page.mouse.up()


def expect_at(page: Page, at: dict[str, float], holds: Callable[[int, int], bool]) -> None:
    """Wait until query and key under a point are as expected: a drag is drawn a frame later."""
    shown = page.get_by_role("tooltip").locator(".position")
    deadline = time.monotonic() + DRAWN_S
    while True:
        page.mouse.move(0, 0)
        stage(page).hover(position={"x": at["x"], "y": at["y"]})
        found = [int(text) for text in shown.all_text_contents()]
        if len(found) == 2 and holds(*found):
            return
        assert time.monotonic() < deadline, f"query and key {found} at {at}"
        page.wait_for_timeout(50)


def expect_whole(page: Page, *, whole: bool) -> None:
    moved = re.compile(r"\bmoved\b")
    if whole:
        expect(stage(page)).not_to_have_class(moved)
    else:
        expect(stage(page)).to_have_class(moved)


def expect_chosen(page: Page, cell: str) -> None:
    expect(page.get_by_text("chosen", exact=False).first).to_contain_text(f"chosen {cell}")


def figure(weight: float) -> str:
    return f"{float(f'{weight:.2e}'):#.3g}"


class TestPainting:
    def test_only_the_causal_half_is_painted(self, open_demo: Open) -> None:
        page = open_demo("guides=0")
        assert pixel(page, 80, 20)[3] == 255
        assert pixel(page, 20, 80)[3] == 0

    def test_a_larger_weight_is_darker_on_a_light_page_and_lighter_on_a_dark_one(
        self, open_demo: Open
    ) -> None:
        for scheme, sign in (("light", -1), ("dark", 1)):
            page = open_demo("guides=0", scheme)
            sink, other = sum(pixel(page, 80, 0)[:3]), sum(pixel(page, 80, 40)[:3])
            assert sign * (sink - other) > 100, scheme

    def test_signs_of_a_difference_have_different_hues(self, open_demo: Open) -> None:
        page = open_demo("guides=0&kind=difference")
        difference = demo.weights_of("difference", 100, False)
        up, down = (
            pixel(page, *map(int, np.unravel_index(at, difference.shape)))
            for at in (difference.argmax(), difference.argmin())
        )
        assert up[0] > up[2]
        assert down[2] > down[0]

    def test_thin_columns_stay_visible_when_a_pixel_stands_for_several_cells(
        self, open_demo: Open
    ) -> None:
        page = open_demo("tokens=2000&guides=0")
        expect(page.get_by_text("the largest of about")).to_be_visible()
        side = (HEIGHT - TOP - 10) / 2000
        at = {"x": LEFT + 24.5 * side, "y": TOP + 1500 * side}
        line = sum(pixel_at(page, at)[:3])
        beside = [sum(pixel_at(page, {**at, "x": at["x"] + 40 + 3 * i})[:3]) for i in range(9)]
        assert line < np.median(beside) - 50

    def test_missing_and_masked_are_said_in_the_legend(self, open_demo: Open) -> None:
        page = open_demo("kind=holes&mask=1")
        legend = page.locator(".st-key-map .legend")
        expect(legend).to_contain_text("not available")
        expect(legend).to_contain_text("masked key")
        expect(hover(page, 50, 20)).to_contain_text("not available")
        expect(hover(page, 40, 0)).to_contain_text("masked")

    def test_scale_is_labelled_with_its_numbers(self, open_demo: Open) -> None:
        page = open_demo()
        ticks = page.locator(".st-key-map .ticks")
        assert ticks.locator("span").all_text_contents() == [
            "≤\u20090.0001", "0.001", "0.01", "0.1", "1",
        ]  # fmt: skip
        page.get_by_text("linear", exact=True).click()
        expect(ticks).to_contain_text("0.25")

    def test_markup_in_a_token_is_text(self, open_demo: Open) -> None:
        page = open_demo("text=hostile")
        page.on("dialog", lambda dialog: pytest.fail(f"script ran: {dialog.message}"))
        expect(hover(page, 7, 0)).to_contain_text("</script><img·src=x·onerror=alert(1)>")
        assert page.locator(".st-key-map img").count() == 0


class TestHover:
    def test_tells_both_tokens_and_the_weight_without_the_server(self, open_demo: Open) -> None:
        page = open_demo()
        weights, tokens = demo.attention(100), demo.texts(100)
        for query, key in ((80, 20), (99, 0), (44, 43)):
            tooltip = hover(page, query, key)
            expect(tooltip).to_contain_text(figure(weights[query, key]))
            rank = 1 + int((weights[query] > weights[query, key]).sum())
            assert abs(int(tooltip.inner_text().split(" of ")[0].split()[-1]) - rank) <= 1
            parts = tooltip.locator("code").all_text_contents()
            assert parts == [tokens[at].replace(" ", "·").replace("\n", "↵") for at in (query, key)]
            assert tooltip.locator(".position").all_text_contents() == [str(query), str(key)]
        expect(page.get_by_text("chosen", exact=False).first).to_contain_text("runs 1")

    def test_nothing_beyond_the_diagonal(self, open_demo: Open) -> None:
        page = open_demo()
        expect(hover(page, 80, 20)).to_be_visible()
        hover(page, 20, 80)
        expect(page.get_by_role("tooltip")).to_be_hidden()

    def test_stays_inside_the_window(self, open_demo: Open) -> None:
        page = open_demo()
        for query, key in ((99, 0), (99, 98), (1, 0)):
            tooltip = hover(page, query, key)
            expect(tooltip).to_be_visible()
            box: Any = tooltip.bounding_box()
            assert 0 <= box["x"] <= 1280 - box["width"]
            assert 0 <= box["y"] <= 900 - box["height"]


class TestZoom:
    def test_wheel_with_control_zooms_to_where_it_points(self, open_demo: Open) -> None:
        page = open_demo()
        expect_whole(page, whole=True)
        wheel(page, 80, 20, -240, times=8)
        expect_whole(page, whole=False)
        # What was under the pointer still is, and now has room for its name.
        expect(page.get_by_role("tooltip").locator(".position").first).to_have_text("80")
        stage(page).press("Escape")
        expect_whole(page, whole=True)

    def test_plain_wheel_is_the_pages(self, open_demo: Open) -> None:
        page = open_demo()
        hover(page, 80, 20)
        page.mouse.wheel(0, -240)
        expect_whole(page, whole=True)

    @pytest.mark.parametrize("way", ["double click", "button", "Home"])
    def test_the_whole_comes_back(self, open_demo: Open, way: str) -> None:
        page = open_demo()
        page.get_by_role("button", name="Zoom in").click()
        expect_whole(page, whole=False)
        if way == "double click":
            stage(page).dblclick(position=place(60, 20))  # type: ignore[arg-type]
        elif way == "button":
            page.get_by_role("button", name="Show the whole").click()
        else:
            stage(page).press(way)
        expect_whole(page, whole=True)

    def test_a_box_drawn_on_the_whole_is_enlarged_and_a_drag_then_moves(
        self, open_demo: Open
    ) -> None:
        page = open_demo()
        drag(page, place(60, 20), place(80, 40))
        expect_whole(page, whole=False)
        corner = {"x": LEFT + 3.0, "y": TOP + 3.0}
        expect_at(page, corner, lambda query, key: (query, key) == (60, 20))
        drag(page, {"x": LEFT + 150.0, "y": TOP + 150.0}, {"x": LEFT + 60.0, "y": TOP + 60.0})
        expect_at(page, corner, lambda query, key: query > 60 and key > 20)
        expect_chosen(page, "(None, None)")

    def test_a_crop_shows_only_its_part(self, open_demo: Open) -> None:
        page = open_demo("crop=40,60,30,50")
        stage(page).hover(position={"x": LEFT + 2, "y": TOP + 2})
        positions = page.get_by_role("tooltip").locator(".position")
        expect(positions.first).to_have_text("40")
        expect(positions.last).to_have_text("30")


class TestSelection:
    def test_click_reaches_python_as_positions(self, open_demo: Open) -> None:
        page = open_demo()
        stage(page).click(position=place(80, 20))  # type: ignore[arg-type]
        expect_chosen(page, "(80, 20)")
        stage(page).click(position=place(20, 80))  # type: ignore[arg-type]
        expect_chosen(page, "(80, 20) runs 2")

    def test_arrow_keys_move_the_cell_and_stop_at_the_diagonal(self, open_demo: Open) -> None:
        page = open_demo()
        stage(page).click(position=place(50, 48))  # type: ignore[arg-type]
        for key, cell in (
            ("ArrowRight", "(50, 49)"),
            ("ArrowRight", "(50, 50)"),
            ("ArrowRight", "(50, 50)"),
            ("ArrowUp", "(49, 49)"),
            ("ArrowDown", "(50, 49)"),
            ("ArrowLeft", "(50, 48)"),
        ):
            page.keyboard.press(key)
            expect_chosen(page, cell)

    def test_held_arrow_key_reaches_python_when_it_rests(self, open_demo: Open) -> None:
        page = open_demo()
        stage(page).click(position=place(50, 10))  # type: ignore[arg-type]
        expect_chosen(page, "(50, 10) runs 2 picks 1")
        for _ in range(12):
            page.keyboard.down("ArrowRight")
        page.keyboard.up("ArrowRight")
        expect_chosen(page, "(50, 22)")
        text = page.get_by_text("chosen", exact=False).first.inner_text()
        assert int(text.split()[-1]) <= 3

    def test_screen_reader_hears_the_cell(self, open_demo: Open) -> None:
        page = open_demo()
        stage(page).click(position=place(80, 20))  # type: ignore[arg-type]
        spoken = page.locator(".st-key-map [aria-live]")
        expect(spoken).to_contain_text("position 80")
        expect(spoken).to_contain_text(figure(demo.attention(100)[80, 20]))
        expect(stage(page)).to_have_attribute("aria-label", re.compile("100 query by 100 key"))

    def test_selection_from_elsewhere_does_not_resend_the_map(self, open_demo: Open) -> None:
        page = open_demo("tokens=500")
        received: list[int] = []
        frames: Any = page.context.new_cdp_session(page)
        frames.send("Network.enable")
        frames.on(
            "Network.webSocketFrameReceived",
            lambda frame: received.append(len(frame["response"]["payloadData"])),
        )
        field = page.get_by_label("Select query")
        field.fill("250")
        field.press("Enter")
        expect_chosen(page, "(250, None)")
        assert 0 < sum(received) < 60_000

    def test_another_map_of_the_text_keeps_the_view(self, open_demo: Open) -> None:
        page = open_demo()
        page.get_by_role("button", name="Zoom in").click()
        expect_whole(page, whole=False)
        page.get_by_text("difference", exact=True).click()
        expect(page.locator(".st-key-map .title")).to_contain_text("minus")
        expect_whole(page, whole=False)


def test_the_map_is_saved_in_light_colours_with_its_legend(open_demo: Open) -> None:
    page = open_demo("", color_scheme="dark")
    frame = page.locator(".st-key-map .matrix")
    before = pixel(page, 50, 20)
    files = saved(page, frame)
    assert files.name.startswith("attention_")
    width, height = files.size
    assert files.painted.size == (2 * width, 2 * height), "twice the resolution of the screen"
    assert HEIGHT < height < HEIGHT + 120
    assert "log scale" in files.text
    assert "≤\u20090.0001" in files.texts
    assert "PNG" not in files.text, "buttons stay on the page"
    # Above the diagonal there is nothing: the paper.
    corner = files.painted.getpixel((2 * width - 40, 2 * (height - HEIGHT + TOP + 20)))
    assert corner == (255, 255, 255)
    assert len(files.painted.getcolors(4 * width * height) or ()) > 50, "the cells are drawn"
    # And the page is as it was.
    assert pixel(page, 50, 20) == before
