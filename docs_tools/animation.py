"""The animation of the README: one token is replaced, and its branch compared with the first run.

    python -m docs_tools.animation    # writes docs/pictures/replace.webp

The app is driven like a person would, and photographed on the way; the pointer and the line below
each picture are drawn here.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Locator, Page, expect

from docs_tools.pictures import FOLDER, body
from docs_tools.stage import LOAD_MS, REPLACEMENT, RUN, Stage, stage
from tests.browser.server import ROOT

FILE = FOLDER / "replace.webp"
WIDTH, HEIGHT, CAPTION_PX = 960, 680, 44
INK, PAPER = (255, 255, 255), (28, 31, 38)
POINTER = ((0, 0), (0, 17), (4, 13), (7, 19), (10, 18), (7, 12), (12, 12))
FONT = "DejaVuSans.ttf"
NAVIGATION = "[data-testid=stHeader]"


@dataclass
class Film:
    """Frames and how long each is seen, in milliseconds."""

    page: Page
    caption: str = ""
    pointer: tuple[float, float] = (WIDTH * 0.75, HEIGHT * 0.8)
    frames: list[Image.Image] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def show(self, milliseconds: int) -> None:
        """Photograph the page as it is."""
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        frame = Image.new("RGB", (WIDTH, HEIGHT + CAPTION_PX), PAPER)
        frame.paste(picture, (0, 0))
        draw = ImageDraw.Draw(frame)
        corner = self.pointer
        draw.polygon([(corner[0] + x, corner[1] + y) for x, y in POINTER], "black", "white")
        draw.text((20, HEIGHT + 11), self.caption, INK, ImageFont.truetype(FONT, 17))
        if self.frames and frame.tobytes() == self.frames[-1].tobytes():
            self.times[-1] += milliseconds
            return
        self.frames.append(frame)
        self.times.append(milliseconds)

    def move_to(self, target: Locator, *, steps: int = 6) -> None:
        """Lead the pointer onto something, which is brought into view."""
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box is not None, "it is visible, so it has a place"
        begin = self.pointer
        end = (box["x"] + min(box["width"] / 2, 60), box["y"] + box["height"] / 2)
        for step in range(1, steps + 1):
            share = step / steps
            self.pointer = (
                begin[0] + (end[0] - begin[0]) * share,
                begin[1] + (end[1] - begin[1]) * share,
            )
            self.show(45)

    def click(self, target: Locator) -> None:
        """Lead the pointer onto something and click it."""
        self.move_to(target)
        target.click()

    def save(self) -> None:
        """Write all frames as one animated picture, which begins anew when it has ended."""
        self.frames[0].save(
            FILE, save_all=True, append_images=self.frames[1:], duration=self.times, loop=0,
            quality=82, method=6, minimize_size=True,
        )  # fmt: skip


def main() -> None:
    """Play and save it."""
    expect.set_options(timeout=LOAD_MS)
    with stage() as made:
        film = _play(made)
        film.save()
    seconds = sum(film.times) / 1_000
    print(
        f"{FILE.relative_to(ROOT)}  {len(film.frames)} frames, {seconds:.0f} s, "
        f"{FILE.stat().st_size:,} B"
    )


def _play(made: Stage) -> Film:
    page = made.open(f"?session={RUN}", width=WIDTH, height=HEIGHT, scale=1)
    film = Film(page)
    code = page.locator(".strip .code")
    token = code.locator(f"[data-i='{made.fork}']").first
    expect(token).to_be_visible()
    # The picture is small, and the navigation says nothing here.
    page.add_style_tag(content=f"{NAVIGATION} {{ display: none !important; }}")
    page.wait_for_timeout(1_000)
    _bring_up(page, page.locator(".strip").first)

    film.caption = (
        "What the model wrote, tinted by how surprised it was. After “else:” it chose “return”."
    )
    film.show(2_600)
    film.click(token)
    expect(page.get_by_text("Code up to here")).to_be_visible()
    film.caption = "“return” had 33 %. What if something else stood there?"
    film.show(2_400)
    candidate = page.get_by_role("combobox", name="A candidate")
    film.click(candidate)
    option = page.get_by_role("option").filter(has_text=re.compile(rf"^.{REPLACEMENT.strip()}\s"))
    film.show(700)
    film.click(option.first)
    page.wait_for_timeout(600)
    film.caption = "1 · Replace: “ a” (11 %) takes its place, and the model goes on from there."
    film.show(1_400)
    film.click(page.get_by_role("button", name="Put it here"))
    _bring_up(page, page.locator(".strip").first)
    grown = page.get_by_text("Branch, of 2")
    while not grown.is_visible():
        film.show(160)
        page.wait_for_timeout(120)
    page.wait_for_timeout(1_500)
    _bring_up(page, page.locator(".strip").first)
    film.caption = "The recursion has become a loop. Everything else was kept as it was."
    film.show(3_200)

    page.get_by_role("link", name="Tree").click()
    lanes = page.get_by_role("treeitem")
    expect(lanes).to_have_count(2)
    page.wait_for_timeout(1_500)
    film.caption = (
        "2 · Branch: every edit is a branch of a tree, drawn from where it leaves its parent."
    )
    film.show(1_600)
    film.click(lanes.nth(1))
    page.wait_for_timeout(1_500)
    film.show(2_400)

    film.click(page.get_by_role("link", name="Compare with its parent"))
    expect(page.get_by_text(re.compile("They share the first"))).to_be_visible()
    expect(page.locator(".strip .code").nth(1)).to_be_visible()
    page.wait_for_timeout(1_500)
    film.caption = "3 · Compare: where both part and meet again, what it cost, token by token."
    film.show(2_800)
    page.wait_for_timeout(1_500)
    _bring_up(page, page.locator(".strip").first, above=60)
    film.show(4_500)
    return film


def _bring_up(page: Page, part: Locator, *, above: int = 12) -> None:
    """Scroll until something is near the upper edge."""
    box = part.bounding_box()
    assert box is not None, "it is visible, so it has a place"
    main = body(page)
    main.evaluate("(main, by) => main.scrollBy(0, by)", box["y"] - above)
    page.wait_for_timeout(500)


if __name__ == "__main__":
    main()
