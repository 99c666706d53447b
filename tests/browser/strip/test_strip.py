"""What a person sees and does with the token strip, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.apps import strip_demo as demo
from playwright.sync_api import Locator, Page, expect
from strip_scripts import CONTRASTS, HELD_ARROW

DEMO = Path(demo.__file__)

Open = Callable[..., Page]


@pytest.fixture
def open_demo(open_app: Open) -> Open:
    """The demo page, once its tokens are painted."""

    def open_page(query: str = "", color_scheme: str = "light") -> Page:
        page = open_app(DEMO, f"?{query}", color_scheme=color_scheme)
        expect(strip_of(page)).to_be_visible(timeout=30_000)
        return page

    return open_page


def strip_of(page: Page, key: str = "strip") -> Locator:
    return page.locator(f".st-key-{key} .strip")


def token(page: Page, index: int, key: str = "strip") -> Locator:
    return strip_of(page, key).locator(f"[data-i='{index}']").first


def selected(page: Page, key: str = "strip") -> list[int]:
    """Indices of the tokens that look selected; a token of several pieces counts once."""
    pieces = strip_of(page, key).locator(".selected").all()
    return sorted({int(piece.get_attribute("data-i") or -1) for piece in pieces})


def expect_chosen(page: Page, index: int) -> None:
    """Python, too, holds this token as the selected one."""
    expect(page.get_by_text("chosen", exact=False).first).to_contain_text(f"chosen {index} ")


def select_from_outside(page: Page, index: int) -> None:
    field = page.get_by_label("Select token")
    field.fill(str(index))
    field.press("Enter")


def count_in_page(page: Page, word: str) -> int:
    text = page.get_by_text("chosen", exact=False).first.inner_text().split()
    return int(text[text.index(word) + 1])


def mark_tokens(page: Page) -> None:
    """Tags the present elements, so that a rebuild shows."""
    page.locator(".strip [data-i]").evaluate_all("all => all.forEach(one => one.seenBefore = true)")


def marked_tokens(page: Page) -> int:
    return int(
        page.locator(".strip [data-i]").evaluate_all(
            "all => all.filter(one => one.seenBefore).length"
        )
    )


def shown_text(page: Page) -> str:
    lines: list[str] = page.locator(".strip .line").all_text_contents()
    return "\n".join(lines)


class TestPainting:
    @pytest.mark.parametrize("invisibles", [0, 1])
    def test_text_keeps_every_space_tab_and_line_break(
        self, open_demo: Open, invisibles: int
    ) -> None:
        page = open_demo(f"tokens=240&invisibles={invisibles}")
        assert shown_text(page) == "".join(demo.code_tokens(240)).removesuffix("\n")

    def test_lines_are_numbered_as_in_an_editor(self, open_demo: Open) -> None:
        page = open_demo("tokens=2000")
        numbers = page.locator(".strip .line").evaluate_all(
            "lines => lines.map(line => getComputedStyle(line, '::before').content)"
        )
        count = len("".join(demo.code_tokens(2000)).splitlines())
        assert numbers == [f'"{number}"' for number in range(1, count + 1)]

    def test_columns_line_up_as_in_an_editor(self, open_demo: Open) -> None:
        page = open_demo("tokens=240&invisibles=1")
        tokens = demo.code_tokens(240)
        raise_at, ordered_at = tokens.index("raise"), tokens.index("ordered")
        boxes = [token(page, index).bounding_box() for index in (raise_at, ordered_at)]
        first, second = (box["x"] for box in boxes if box)
        width = token(page, raise_at).bounding_box()["width"] / len("raise")  # type: ignore[index]
        assert first - second == pytest.approx(4 * width, abs=0.5)

    def test_markup_in_a_token_is_text(self, open_demo: Open) -> None:
        page = open_demo("text=hostile")
        page.on("dialog", lambda dialog: pytest.fail(f"script ran: {dialog.message}"))
        expect(token(page, 1)).to_have_text("</script><img src=x onerror=alert(1)>")
        assert page.locator(".strip img").count() == 0

    @pytest.mark.parametrize("invisibles", [0, 1])
    def test_characters_that_hide_or_reorder_are_spelled_out(
        self, open_demo: Open, invisibles: int
    ) -> None:
        page = open_demo(f"text=hostile&invisibles={invisibles}")
        expected = {
            "a\u202eb\u2066c": "aU+202EbU+2066c",
            "\x00": "NUL",
            "\x1b[31m": "ESC[31m",
            "\u200b": "U+200B",
            "x\u00a0y": "xU+00A0y",
            "lone\rreturn": "loneCRreturn",
            "\u2028": "U+2028",
            "F0 9F": "F0 9F",
            "": "∅",
            "<|endoftext|>": "<|endoftext|>",
            "\ud800": "U+D800",
        }
        for text, shown in expected.items():
            expect(token(page, demo.HOSTILE.index(text))).to_have_text(shown)

    def test_right_to_left_tokens_stay_in_token_order(self, open_demo: Open) -> None:
        page = open_demo("text=hostile")
        first, second = (demo.HOSTILE.index(word) for word in ("שלום", "עולם"))
        left, right = (token(page, index).bounding_box() for index in (first, second))
        assert left and right
        assert left["x"] < right["x"]

    def test_every_token_can_be_clicked(self, open_demo: Open) -> None:
        page = open_demo("text=hostile")
        for index, text in enumerate(demo.HOSTILE):
            box = token(page, index).bounding_box()
            assert box, text
            assert box["width"] > 3, text
            assert box["height"] > 3, text

    def test_no_tokens_is_a_sentence(self, open_demo: Open) -> None:
        page = open_demo("tokens=0")
        expect(page.get_by_text("No tokens", exact=True)).to_be_visible()

    def test_missing_looks_unlike_zero(self, open_demo: Open) -> None:
        page = open_demo()
        image = "node => getComputedStyle(node).backgroundImage"
        assert "gradient" in token(page, 0).evaluate(image)
        assert page.locator(".code .t0").first.evaluate(image) == "none"

    def test_metric_switch_retints_the_same_elements(self, open_demo: Open) -> None:
        page = open_demo("tokens=240")
        before = token(page, 1).evaluate("node => getComputedStyle(node).backgroundColor")
        mark_tokens(page)
        page.get_by_label("Metric").click()
        page.get_by_role("option", name="typicality").click()
        expect(page.locator(".strip .title")).to_contain_text("typicality")
        assert token(page, 1).evaluate("node => getComputedStyle(node).backgroundColor") != before
        assert marked_tokens(page) == page.locator(".strip [data-i]").count()

    @pytest.mark.parametrize("color_scheme", ["light", "dark"])
    def test_text_is_readable_on_every_tint(self, open_demo: Open, color_scheme: str) -> None:
        page = open_demo("tokens=20", color_scheme=color_scheme)
        for kind in ("sequential", "diverging"):
            ratios: list[float] = page.locator(".strip .code").evaluate(CONTRASTS, kind)
            assert len(ratios) == 33
            assert min(ratios) >= 4.5, kind

    def test_legend_names_metric_unit_scale_and_marks(self, open_demo: Open) -> None:
        page = open_demo()
        legend = page.locator(".strip .legend")
        for text in ("surprisal", "bits", "absolute", "≥", "prompt", "forced", "not available"):
            expect(legend).to_contain_text(text)

    def test_a_token_that_was_not_the_favourite_is_marked_and_explained(
        self, open_demo: Open
    ) -> None:
        page = open_demo("tokens=240")
        marks = page.locator(".strip .code .not-favourite")
        assert marks.count() == 1
        expect(marks).to_have_attribute("data-i", str(demo.CHANGED_TOKEN))
        expect(page.locator(".strip .legend")).to_contain_text("drawn, not the favourite")
        marks.hover()
        expect(page.get_by_role("tooltip")).to_contain_text("not the favourite")
        marks.click()
        expect(page.locator(".strip .selected").first).to_have_attribute(
            "aria-label", re.compile("not the favourite")
        )
        token(page, demo.CHANGED_TOKEN + 1).hover()
        expect(page.get_by_role("tooltip")).not_to_contain_text("not the favourite")

    def test_marks_that_do_not_occur_are_not_in_the_legend(self, open_demo: Open) -> None:
        legend = open_demo("tokens=20").locator(".strip .legend")
        expect(legend).not_to_contain_text("not the favourite")


class TestSelection:
    def test_click_reaches_python(self, open_demo: Open) -> None:
        page = open_demo()
        token(page, 70).click()
        assert selected(page) == [70]
        expect_chosen(page, 70)

    def test_arrow_keys_walk_tokens_and_lines(self, open_demo: Open) -> None:
        page = open_demo()
        texts = demo.code_tokens(240)
        token(page, texts.index("ordered")).click()
        line = texts.index("ordered")
        for key, index in [
            ("ArrowRight", line + 1),
            ("ArrowLeft", line),
            ("ArrowDown", texts.index("place")),
            ("ArrowUp", line),
            ("Home", 0),
            ("End", 239),
        ]:
            page.keyboard.press(key)
            assert selected(page) == [index], key
        expect_chosen(page, 239)

    def test_page_keys_move_by_a_screenful_and_scroll_inside(self, open_demo: Open) -> None:
        page = open_demo("tokens=2000")
        token(page, 10).click()
        page.keyboard.press("PageDown")
        page.keyboard.press("PageDown")
        (far,) = selected(page)
        assert far > 100
        expect(token(page, far)).to_be_in_viewport()
        assert page.evaluate("document.scrollingElement.scrollTop") == 0
        page.keyboard.press("PageUp")
        assert selected(page)[0] < far

    def test_held_arrow_key_reaches_python_once(self, open_demo: Open) -> None:
        page = open_demo()
        token(page, 10).click()
        expect_chosen(page, 10)
        picks = count_in_page(page, "picks")
        # At once, so that no slow moment between two of them counts as coming to rest.
        page.locator(".strip .code").evaluate(HELD_ARROW, 12)
        expect_chosen(page, 22)
        # The first press is sent at once, the repeats when they end.
        assert count_in_page(page, "picks") - picks <= 2

    def test_screen_reader_hears_the_selected_token(self, open_demo: Open) -> None:
        page = open_demo()
        token(page, 52).click()
        code = page.get_by_role("listbox")
        active = code.get_attribute("aria-activedescendant")
        label = page.locator(f"#{active}").get_attribute("aria-label")
        assert label and label.startswith("position 52, token ), probability")

    def test_selection_from_elsewhere_neither_repaints_nor_resends(self, open_demo: Open) -> None:
        page = open_demo("tokens=2000")
        received: list[int] = []
        frames: Any = page.context.new_cdp_session(page)
        frames.send("Network.enable")
        frames.on(
            "Network.webSocketFrameReceived",
            lambda frame: received.append(len(frame["response"]["payloadData"])),
        )
        mark_tokens(page)
        select_from_outside(page, 1500)
        expect_chosen(page, 1500)
        expect(token(page, 1500)).to_be_in_viewport()
        assert selected(page) == [1500]
        assert marked_tokens(page) == page.locator(".strip [data-i]").count()
        assert sum(received) < 30_000

    def test_newest_click_wins_while_python_lags(self, open_demo: Open) -> None:
        page = open_demo("slow=0.4")
        for index in (50, 52, 54):
            token(page, index).click()
            page.wait_for_timeout(150)
        for _ in range(25):
            assert selected(page) == [54]
            page.wait_for_timeout(60)
        expect_chosen(page, 54)

    def test_selection_from_elsewhere_wins_over_an_earlier_click(self, open_demo: Open) -> None:
        page = open_demo("slow=0.3")
        token(page, 50).click()
        select_from_outside(page, 60)
        expect_chosen(page, 60)
        assert selected(page) == [60]
        token(page, 50).click()
        expect_chosen(page, 50)
        assert selected(page) == [50]

    def test_two_strips_do_not_interfere(self, open_demo: Open) -> None:
        page = open_demo("two=1&height=260")
        token(page, 20).click()
        expect_chosen(page, 20)
        token(page, 33, key="other").click()
        expect(page.get_by_text("other 33")).to_be_visible()
        assert (selected(page), selected(page, key="other")) == ([20], [33])
        expect_chosen(page, 20)

    def test_invisibles_switch_keeps_selection(self, open_demo: Open) -> None:
        page = open_demo()
        token(page, 70).click()
        expect_chosen(page, 70)
        page.get_by_text("Invisibles").click()
        expect(page.locator(".strip.show-invisibles")).to_be_visible()
        assert selected(page) == [70]


class TestHover:
    def test_shows_figures_inside_the_window(self, open_demo: Open) -> None:
        page = open_demo()
        for index in (1, 52, 230):
            token(page, index).hover()
            tooltip = page.get_by_role("tooltip")
            expect(tooltip).to_contain_text(f"position {index}")
            expect(tooltip).to_contain_text("surprisal")
            box = tooltip.bounding_box()
            assert box
            assert 0 <= box["x"] <= 1280 - box["width"]
            assert 0 <= box["y"] <= 900 - box["height"]

    def test_says_why_a_figure_is_missing(self, open_demo: Open) -> None:
        page = open_demo()
        token(page, 0).hover()
        tooltip = page.get_by_role("tooltip")
        expect(tooltip).to_contain_text("not available")
        expect(tooltip).to_contain_text("nothing precedes the first token")

    def test_escape_and_leaving_clear_it(self, open_demo: Open) -> None:
        page = open_demo()
        token(page, 52).click()
        expect(page.get_by_role("tooltip")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("tooltip")).to_be_hidden()
        token(page, 54).hover()
        expect(page.get_by_role("tooltip")).to_be_visible()
        page.mouse.move(5, 5)
        expect(page.get_by_role("tooltip")).to_be_hidden()


class TestStreaming:
    def test_new_tokens_are_appended(self, open_demo: Open) -> None:
        page = open_demo("stream=1")
        expect(token(page, 60)).to_be_attached(timeout=20_000)
        mark_tokens(page)
        old = marked_tokens(page)
        token(page, 5).click()
        page.locator(".strip .code").evaluate("code => { code.scrollTop = 10; }")
        expect(token(page, 279)).to_be_attached(timeout=20_000)
        expect(page.get_by_text("grown 280 chosen 5")).to_be_visible()
        assert marked_tokens(page) == old
        assert selected(page) == [5]
        assert page.locator(".strip .code").evaluate("code => code.scrollTop") == 10

    def test_follows_the_end_when_left_there(self, open_demo: Open) -> None:
        page = open_demo("stream=1")
        expect(token(page, 279)).to_be_in_viewport(timeout=20_000)


def edged(page: Page) -> list[int]:
    """Indices of the tokens shown as where something around the selected one begins and ends."""
    pieces = strip_of(page).locator(".code .edge").all()
    return sorted({int(piece.get_attribute("data-i") or -1) for piece in pieces})


def test_where_something_around_the_selected_token_begins_and_ends_is_outlined(
    open_demo: Open,
) -> None:
    page = open_demo("edges=1")
    token(page, 50).click()
    expect_chosen(page, 50)
    expect(token(page, 48)).to_have_class(re.compile(r"\bedge\b"))
    assert edged(page) == [48, 53]
    legend = strip_of(page).locator(".legend .edges-key")
    expect(legend).to_contain_text("what encloses the token begins or ends")
    select_from_outside(page, 60)
    expect(token(page, 58)).to_have_class(re.compile(r"\bedge\b"))
    assert edged(page) == [58, 63]
    expect(legend).to_be_visible()


def test_the_token_that_broke_the_code_is_marked_and_explained(open_demo: Open) -> None:
    page = open_demo()
    expect(token(page, demo.BROKEN_TOKEN)).to_have_class(re.compile(r"\bbroke\b"))
    expect(strip_of(page).locator(".legend")).to_contain_text("the code breaks here")
