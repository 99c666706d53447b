"""The pictures of the tour, made by driving the app.

    python -m docs_tools.pictures             # all, into docs/pictures
    python -m docs_tools.pictures syntax      # those named

Each is made in the light theme, and in the dark one where `DARK` names it.
"""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Callable

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from docs_tools.stage import LOAD_MS, SESSION, Stage, stage
from tests.browser.server import ROOT

FOLDER = ROOT / "docs" / "pictures"
DARK = ("decode", "branches", "attention")
SETTLE_MS, SCALE, ABOVE_PX = 1_500, 1.5, 58
TEXT = '''\
from pathlib import Path


def read_lines(path: str) -> list[str]:
    """Return the lines of a text file."""
    with Path(path).open(encoding="utf-8") as file:
        return [line.rstrip("\\n") for line in file]
'''

Show = Callable[[Stage, Callable[..., Page]], tuple[Page, Locator | None]]


def main() -> None:
    """Make the pictures named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="which; all by default")
    names = parser.parse_args().names or list(PICTURES)
    FOLDER.mkdir(exist_ok=True)
    expect.set_options(timeout=LOAD_MS)
    with stage() as made:
        for name in names:
            for dark in (False, True) if name in DARK else (False,):
                _take(made, name, dark=dark)


def _take(made: Stage, name: str, *, dark: bool) -> None:
    show, height = PICTURES[name]
    page, part = show(
        made, lambda address: made.open(address, height=height, scale=SCALE, dark=dark)
    )
    page.mouse.move(2, 2)
    page.wait_for_timeout(SETTLE_MS)
    taken = page.screenshot() if part is None else part.screenshot()
    picture = Image.open(io.BytesIO(taken)).convert("RGB")
    if part is not None and picture.height == round(height * SCALE):
        # The navigation, which says nothing about the page.
        picture = picture.crop((2, round(ABOVE_PX * SCALE), picture.width, picture.height))
    file = FOLDER / f"{name}{'-dark' if dark else ''}.webp"
    picture.save(file, quality=82, method=6)
    page.context.close()
    print(f"{file.relative_to(ROOT)}  {picture.width} x {picture.height}, {file.stat().st_size} B")


def decode(made: Stage, open_page: Callable[..., Page]) -> tuple[Page, None]:
    """The whole page: the prompt, the tinted code, one token's figures."""
    page = open_page(f"?session={SESSION}")
    pick(page, made.fork)
    return page, None


def what_if(made: Stage, open_page: Callable[..., Page]) -> tuple[Page, Locator]:
    """What else to put in place of a token."""
    page = open_page(f"?session={SESSION}")
    pick(page, made.fork)
    box = page.locator("[class*='st-key-what-if']").filter(has_text="What if").last
    expect(box).to_be_visible()
    box.scroll_into_view_if_needed()
    return page, box


def branches(made: Stage, open_page: Callable[..., Page]) -> tuple[Page, Locator]:
    """The tree."""
    page = open_page(f"branches?session={SESSION}")
    expect(page.get_by_role("treeitem")).to_have_count(4)
    page.get_by_role("treeitem").nth(1).click()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("a loop")
    return page, body(page)


def compare(made: Stage, open_page: Callable[..., Page]) -> tuple[Page, Locator]:
    """Two branches, with the divergence measured."""
    page = open_page(f"compare?session={SESSION}&a={made.root.key}&b={made.child.key}")
    measure = page.get_by_role("button", name=re.compile("^Measure how far"))
    heading = page.get_by_text("How far the model’s distributions moved")
    expect(measure.or_(heading).first).to_be_visible()
    if measure.count():
        measure.click()
    expect(heading).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").last.locator("canvas, svg").first).to_be_visible()
    return page, body(page)


def syntax(made: Stage, open_page: Callable[..., Page]) -> tuple[Page, Locator]:
    """The figures folded onto the program's tree."""
    page = open_page(f"syntax?session={SESSION}&scale=relative")
    tree = page.locator(".icicle .rows .node")
    expect(tree.first).to_be_visible()
    tree.filter(has_text="else").first.click()
    expect(page.locator(".icicle .selected")).to_be_visible()
    page.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 0)")
    return page, body(page)


def attention(made: Stage, open_page: Callable[..., Page]) -> tuple[Page, Locator]:
    """What one token attended to, painted on the code."""
    return look_at(made, open_page, f"view=token&layer=20&head=mean&mask=1&token={made.fork + 1}")


def matrix(made: Stage, open_page: Callable[..., Page]) -> tuple[Page, Locator]:
    """One head as a matrix."""
    page, part = look_at(
        made, open_page, f"view=matrix&layer=20&head=mean&mask=1&token={made.fork + 1}"
    )
    expect(page.locator("canvas").last).to_be_visible()
    return page, part


def heads(made: Stage, open_page: Callable[..., Page]) -> tuple[Page, Locator]:
    """All heads by what they do."""
    page = open_page(f"attention?session={SESSION}&view=heads")
    capture = page.get_by_role("button", name=re.compile("^Capture "))
    shown = page.get_by_text(re.compile(r"^\d+ heads, by "))
    expect(capture.or_(shown).first).to_be_visible()
    if capture.count():
        capture.first.click()
    expect(shown).to_be_visible()
    return page, body(page)


def two_models(made: Stage, open_page: Callable[..., Page]) -> tuple[Page, Locator]:
    """One text, read by two models with different tokenizers."""
    page = open_page("models")
    text = page.get_by_label("Text to score with both")
    text.fill(TEXT)
    text.blur()
    page.get_by_test_id("stBaseButton-primary").filter(has_text="Compare").click()
    expect(page.get_by_text("Lines, where they differ most first")).to_be_visible(timeout=LOAD_MS)
    page.locator(".strip .code [data-i]").filter(has_text="encoding").first.click()
    expect(page.get_by_text(re.compile(r"^Span \d+ \(0 to "))).to_be_visible()
    return page, body(page)


def share(made: Stage, open_page: Callable[..., Page]) -> tuple[Page, Locator]:
    """Links, files and exports."""
    page = open_page(f"share?session={SESSION}")
    expect(page.get_by_label("Link to this session", exact=True)).to_be_visible()
    return page, body(page)


def pick(page: Page, position: int) -> None:
    """Click a token of the code on Decode, and wait for all that is said of it."""
    token = page.locator(f".strip .code [data-i='{position}']").first
    expect(token).to_be_visible(timeout=LOAD_MS)
    token.click()
    expect(page.get_by_text("Code up to here")).to_be_visible(timeout=LOAD_MS)
    page.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 0)")


def look_at(made: Stage, open_page: Callable[..., Page], address: str) -> tuple[Page, Locator]:
    """The page of attention with what the address names captured."""
    page = open_page(f"attention?session={SESSION}&{address}")
    button = page.get_by_role("button", name=re.compile("^Capture "))
    shown = page.get_by_text(re.compile("sink (shown|masked)"))
    expect(button.or_(shown).first).to_be_visible(timeout=LOAD_MS)
    if button.count():
        button.first.click()
    expect(shown.first).to_be_visible(timeout=LOAD_MS)
    return page, body(page)


def body(page: Page) -> Locator:
    """What scrolls below the navigation, as far as it is in the window."""
    return page.get_by_test_id("stMain")


PICTURES: dict[str, tuple[Show, int]] = {
    "decode": (decode, 1_330),
    "what-if": (what_if, 1_330),
    "branches": (branches, 880),
    "compare": (compare, 970),
    "syntax": (syntax, 1_330),
    "attention": (attention, 900),
    "matrix": (matrix, 1_050),
    "heads": (heads, 900),
    "two-models": (two_models, 1_000),
    "share": (share, 1_000),
}

if __name__ == "__main__":
    main()
