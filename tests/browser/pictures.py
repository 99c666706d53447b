"""What a component's buttons save, read back."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from PIL import Image
from playwright.sync_api import Locator, Page

_NAMESPACE = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True, slots=True)
class Saved:
    """The two files of one component: their name without its ending, the painted one, and the
    drawn one's size in pixels of the page and texts."""

    name: str
    painted: Image.Image
    size: tuple[int, int]
    texts: list[str]

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def saved(page: Page, component: Locator) -> Saved:
    """Press both buttons of a component; a file that does not arrive or open raises."""
    with page.expect_download() as painted:
        component.get_by_role("button", name="Save as PNG").click()
    with page.expect_download() as drawn:
        component.get_by_role("button", name="Save as SVG").click()
    name = painted.value.suggested_filename.removesuffix(".png")
    assert drawn.value.suggested_filename == f"{name}.svg"
    picture = Image.open(painted.value.path())
    assert picture.format == "PNG"
    root = ElementTree.parse(drawn.value.path()).getroot()
    assert root.tag == f"{_NAMESPACE}svg"
    return Saved(
        name,
        picture.convert("RGB"),
        (int(root.attrib["width"]), int(root.attrib["height"])),
        [node.text or "" for node in root.iter(f"{_NAMESPACE}text")],
    )
