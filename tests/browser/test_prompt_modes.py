"""What only a browser shows of prompts: text stays text, and filled code can be copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

APP = Path(__file__).resolve().parents[2] / "app.py"
LOAD_MS = 90_000
HOSTILE = (
    "# </script><img src=x onerror=\"document.title='owned'\"> \u202eevil\u202c <|fim_middle|>\n"
)

Open = Callable[..., Page]


pytestmark = pytest.mark.usefixtures("tiny_folder")


@pytest.fixture
def fill_page(open_app: Open) -> Page:
    """The decode page with a gap to fill."""
    page = open_app(APP)
    expect(page.get_by_test_id("stBaseButton-primary")).to_be_enabled(timeout=LOAD_MS)
    page.get_by_text("Fill a gap", exact=True).click()
    write(page, "Code before the gap", HOSTILE)
    write(page, "Code after the gap", "é = 1\n")
    return page


def write(page: Page, label: str, text: str) -> None:
    box = page.get_by_label(label, exact=True)
    box.fill(text)
    box.blur()


def test_what_the_model_reads_is_shown_as_text(fill_page: Page) -> None:
    fill_page.get_by_text("What the model reads").click()
    shown = fill_page.get_by_role("region", name="The prompt as the model reads it")
    expect(shown).to_contain_text("<|fim_middle|>", timeout=LOAD_MS)
    assert shown.locator(".special").all_inner_texts() == [
        "<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>",
    ]  # fmt: skip
    assert shown.locator(".escape").count() == 2
    assert "</script><img src=x" in shown.inner_text()
    assert fill_page.locator("img[src=x]").count() == 0
    assert fill_page.title() != "owned"


def test_filled_code_is_highlighted_and_copied_byte_for_byte(fill_page: Page) -> None:
    fill_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    fill_page.get_by_test_id("stBaseButton-primary").filter(has_text="Fill").click()
    shown = fill_page.get_by_role("region", name="The code with its gap filled")
    expect(shown).to_be_visible(timeout=LOAD_MS)
    middle = "".join(shown.locator(".filled").all_text_contents())
    fill_page.get_by_role("button", name="Copy", exact=True).click()
    expect(fill_page.get_by_role("button", name="Copied")).to_be_visible()
    copied = fill_page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{HOSTILE}{middle}é = 1\n"


PASTE = """(box, text) => {
    const { set } = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value");
    set.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
}"""


def test_half_of_a_character_that_is_pasted_makes_no_button_dead(open_app: Open) -> None:
    page = open_app(APP)
    generate = page.get_by_test_id("stBaseButton-primary").filter(has_text="Generate")
    expect(generate).to_be_enabled(timeout=LOAD_MS)
    box = page.get_by_label("Prompt", exact=True)
    box.focus()
    box.evaluate(PASTE, "def f\ud83d(x): \ude00 \U0001f600\n")
    box.blur()
    expect(page.get_by_text("U+FFFD ×2")).to_be_visible(timeout=LOAD_MS)
    expect(box).to_have_value("def f\ufffd(x): \ufffd \U0001f600\n")
    generate.click()
    expect(page.get_by_text("Most surprising tokens")).to_be_visible(timeout=LOAD_MS)
