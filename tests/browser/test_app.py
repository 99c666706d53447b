"""The whole app in a real browser, on the shipped model."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import torch
from playwright.sync_api import FloatRect, Locator, Page, expect
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from browser.server import AppServer
from tokenscope_core.models.files.names import SHIPPED_FOLDER

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app.py"
LOAD_MS = 90_000

Open = Callable[..., Page]


@pytest.fixture(scope="module", autouse=True)
def endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store of its own for the server, and the folder of a model that never ends a text."""
    root = tmp_path_factory.mktemp("app")
    folder = str(root / "models" / "endless")
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED_FOLDER)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=256, intermediate_size=512, num_hidden_layers=8,
        num_attention_heads=4, max_position_embeddings=32_768, tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight.mul_(20.0)
        model.lm_head.weight[tokenizer.eos_token_id] = 0.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENSCOPE_STORE", str(root / "store"))
        patch.setenv("TOKENSCOPE_MODELS", str(root / "models"))
        patch.setenv("TOKENSCOPE_GRACE_S", "2")
        yield folder


@pytest.fixture
def open_decode(open_app: Open) -> Open:
    def open_page(address: str = "", color_scheme: str = "light") -> Page:
        page = open_app(APP, address, color_scheme=color_scheme)
        expect(button(page, "Generate")).to_be_enabled(timeout=LOAD_MS)
        return page

    return open_page


def button(page: Page, name: str) -> Locator:
    return page.get_by_test_id("stBaseButton-primary").filter(has_text=name)


def tokens(page: Page) -> Locator:
    return page.locator(".strip [data-i]")


def unfold(page: Page) -> None:
    """Open the form of a run, which is a line beside its result."""
    form = page.get_by_test_id("stExpander").first
    if form.locator("details").first.get_attribute("open") is None:
        form.locator("summary").first.click()
        expect(page.get_by_role("combobox", name="Model")).to_be_visible()


def write_prompt(page: Page, text: str) -> None:
    unfold(page)
    box = page.get_by_label("Prompt", exact=True)
    box.fill(text)
    box.blur()


def set_new_tokens(page: Page, count: int) -> None:
    unfold(page)
    field = page.get_by_role("spinbutton", name="New tokens")
    field.fill(str(count))
    field.press("Enter")


def choose_model(page: Page, name: str) -> None:
    unfold(page)
    box = page.get_by_role("combobox", name="Model")
    box.fill(name)
    box.press("Enter")


def start_endless_run(page: Page, model: str, prompt: str) -> None:
    choose_model(page, model)
    set_new_tokens(page, 30_000)
    write_prompt(page, prompt)
    button(page, "Generate").click()
    expect(page.get_by_text(re.compile(r"tokens/s"))).to_be_visible(timeout=LOAD_MS)


def generate(page: Page) -> None:
    button(page, "Generate").click()
    expect(page.get_by_text("Most surprising tokens")).to_be_visible(timeout=LOAD_MS)


def figure(page: Page, label: str) -> str:
    metric = page.get_by_test_id("stMetric").filter(has_text=label)
    return metric.get_by_test_id("stMetricValue").inner_text()


def test_generating_a_token_and_reading_its_figures(open_decode: Open) -> None:
    page = open_decode()
    generate(page)
    expect(tokens(page).first).to_be_visible()
    tokens(page).nth(3).click()
    expect(page.get_by_text(re.compile(r"^Position 3 "))).to_be_visible()
    assert re.fullmatch(r"[>\d.e−-]+ %|[\d.e-]+", figure(page, "probability"))
    assert re.fullmatch(r"[\d.]+ bits", figure(page, "surprisal"))
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text(re.compile(r"^Position 4 "))).to_be_visible()


def test_the_first_click_on_a_token_waits_for_no_highlighter(open_decode: Open) -> None:
    page = open_decode()
    generate(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    tokens(page).nth(5).click()
    expect(page.get_by_text("Code up to here")).to_be_visible(timeout=LOAD_MS)
    assert not [url for url in asked if "Highlighter" in url], "1.5 MB before any figure"


def test_stop_ends_a_long_run_and_keeps_its_tokens(open_decode: Open, endless: str) -> None:
    page = open_decode()
    start_endless_run(page, endless, "stopped")
    expect(tokens(page).nth(10)).to_be_visible(timeout=LOAD_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("stopped before its end").first).to_be_visible(timeout=LOAD_MS)
    expect(tokens(page).nth(10)).to_be_visible()
    expect(button(page, "Generate")).to_be_enabled()


def test_a_reload_shows_the_same_trace(open_decode: Open) -> None:
    page = open_decode()
    write_prompt(page, "def reloaded(x):\n")
    generate(page)
    strip = page.locator(".strip").first
    expect(tokens(page).nth(3)).to_be_visible()
    before = strip.inner_text()
    page.reload()
    expect(page.get_by_text("Most surprising tokens")).to_be_visible(timeout=LOAD_MS)
    expect(strip).to_have_text(before, use_inner_text=True)
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("def reloaded(x):\n")


def test_a_run_goes_on_while_another_page_is_open(open_decode: Open, endless: str) -> None:
    page = open_decode()
    start_endless_run(page, endless, "elsewhere")
    page.get_by_role("link", name="Metrics").click()
    expect(page.get_by_role("heading", name="What do the numbers mean?")).to_be_visible()
    time.sleep(3)
    page.get_by_role("link", name="Open it").click()
    expect(page.get_by_text(re.compile(r"tokens/s"))).to_be_visible(timeout=LOAD_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("stopped before its end").first).to_be_visible(timeout=LOAD_MS)


def test_markup_in_a_prompt_is_shown_as_text(open_decode: Open) -> None:
    page = open_decode()
    hostile = "# </script><img src=x onerror=\"document.title='owned'\">\n"
    write_prompt(page, hostile)
    generate(page)
    assert "</script><img src=x" in page.locator(".strip").first.inner_text().replace("\n", "")
    assert page.locator(".strip img").count() == 0
    assert page.title() != "owned"


def test_in_a_narrow_window_the_figures_stand_below_the_code(open_decode: Open) -> None:
    page = open_decode()
    generate(page)
    beside = figures_and_strip(page)
    page.set_viewport_size({"width": 800, "height": 900})
    deadline = time.monotonic() + LOAD_MS / 1000
    while not stand_below_each_other(figures_and_strip(page)):
        assert time.monotonic() < deadline, f"as before: {figures_and_strip(page)}"
        page.wait_for_timeout(50)
    expect(tokens(page).first).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 900})
    assert beside[0]["x"] > beside[1]["x"] + beside[1]["width"]


def stand_below_each_other(boxes: list[FloatRect]) -> bool:
    """Whether both are there, begin at the same edge and are as wide."""
    if len(boxes) < 2:
        return False
    one, other = boxes
    return abs(one["x"] - other["x"]) <= 2 and abs(one["width"] - other["width"]) <= 2


def figures_and_strip(page: Page) -> list[FloatRect]:
    columns = page.get_by_test_id("stColumn")
    boxes = [
        columns.filter(has_text="Most surprising tokens").last.bounding_box(),
        columns.filter(has=page.locator(".strip")).last.bounding_box(),
    ]
    return [box for box in boxes if box is not None]


def test_a_deep_link_to_a_page_keeps_the_navigation(open_app: Open) -> None:
    page = open_app(APP, "metrics")
    heading = page.get_by_role("heading", name="What do the numbers mean?")
    expect(heading).to_be_visible(timeout=LOAD_MS)
    expect(page.get_by_role("link", name="Decode")).to_be_visible()


def test_what_a_view_is_drawn_by_stays_chosen_from_page_to_page(open_decode: Open) -> None:
    # The second is answered from the store, so that the page is drawn but once.
    for _ in range(2):
        page = open_decode()
        button(page, "Generate").click()
        expect(page.get_by_text("Most surprising")).to_be_visible(timeout=LOAD_MS)

    def on_syntax_is_chosen(scale: str, unit: str) -> None:
        page.get_by_role("link", name="Syntax", exact=True).click()
        expect(page.get_by_text("Statements, the least sure first")).to_be_visible()
        page.get_by_role("button", name="View").first.click()
        for group, name in (("Scale", scale), ("Unit", unit)):
            radio = page.get_by_role("radiogroup", name=group).get_by_role("radio", name=name)
            expect(radio).to_be_checked()
        # The browser may answer what it was sent with what it took it for.
        page.wait_for_timeout(1_000)
        expect(page.get_by_role("radio", name=unit)).to_be_checked()
        expect(page).not_to_have_url(re.compile("None"))
        page.keyboard.press("Escape")

    on_syntax_is_chosen("absolute", "bits")
    page.get_by_role("link", name="Decode", exact=True).click()
    page.get_by_role("button", name="View").first.click()
    page.get_by_role("radio", name="nats").click()
    expect(page).to_have_url(re.compile("unit=nats"))
    on_syntax_is_chosen("absolute", "nats")


def test_choosing_a_point_of_the_chart_selects_its_token(open_decode: Open) -> None:
    page = open_decode()
    generate(page)
    chart = page.get_by_test_id("stVegaLiteChart").first
    box = chart.bounding_box()
    assert box is not None
    chart.click(position={"x": box["width"] * 0.5, "y": box["height"] * 0.5})
    expect(page.get_by_text(re.compile(r"^Position \d+ "))).to_be_visible(timeout=LOAD_MS)
    expect(page.locator(".strip .selected").first).to_be_visible()


def test_a_run_whose_tab_was_closed_ends(
    open_decode: Open, endless: str, app_server: Callable[[Path], AppServer]
) -> None:
    page = open_decode()
    start_endless_run(page, endless, "abandoned")
    expect(page).to_have_url(re.compile(r"[?&]run=\w{64}"))
    address = page.url.partition("?")[2]
    (job,) = parse_qs(address)["run"]
    page.close()
    # Whoever opens the address before its end takes hold of it: the operator sees when it ends.
    deadline = time.monotonic() + LOAD_MS / 1000
    while f"stopped job={job[:8]} " not in app_server(APP).log:
        assert time.monotonic() < deadline, "the run of the closed tab went on"
        time.sleep(0.1)
    again = open_decode(f"?{address}")
    expect(again.get_by_text("stopped before its end").first).to_be_visible(timeout=LOAD_MS)
    expect(tokens(again).first).to_be_visible()
    assert tokens(again).count() < 30_000


def test_the_strip_is_not_rebuilt_when_a_run_ends(open_decode: Open, endless: str) -> None:
    page = open_decode()
    start_endless_run(page, endless, "unbroken")
    expect(tokens(page).nth(3)).to_be_visible(timeout=LOAD_MS)
    tokens(page).nth(3).evaluate("token => token.seenWhileRunning = true")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Most surprising tokens")).to_be_visible(timeout=LOAD_MS)
    assert tokens(page).nth(3).evaluate("token => token.seenWhileRunning === true")
