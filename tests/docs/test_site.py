"""The documentation as it is built: complete, whole, and read without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import tokenscope_core as ts
from docs_tools import reference
from tokenscope_core.attention.heads.statistics import HEAD_STATISTICS
from tokenscope_core.record.metric_registry import BY_NAME

ROOT = Path(__file__).resolve().parents[2]


class Read(HTMLParser):
    """Ids, what a browser fetches by itself, and pictures without words."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.fetched: list[str] = []
        self.silent: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.add(given.get("id", ""))
        if tag in ("script", "img", "iframe", "source"):
            self.fetched.append(given.get("src", ""))
        if tag == "link" and "canonical" not in given.get("rel", ""):
            self.fetched.append(given.get("href", ""))
        if tag == "img" and not given.get("alt") and "logo" not in given.get("src", ""):
            self.silent.append(given.get("src", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does: a link, an anchor or a reference that leads nowhere fails it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_public_name_is_described_once(site: Path) -> None:
    named = [name for _, _, names in reference.GROUPS.values() for name in names]
    assert sorted(named) == sorted(set(ts.__all__) - {"__version__"})
    ids = set.union(*(Read(page).ids for page in (site / "reference").glob("*.html")))
    missing = {f"tokenscope_core.{name}" for name in named} - ids
    assert not missing


def test_every_metric_and_statistic_has_its_section(site: Path) -> None:
    ids = Read(site / "metrics.html").ids
    assert {
        *BY_NAME,
        "influence",
        "hindsight",
        *(statistic.name for statistic in HEAD_STATISTICS),
    } <= ids
    text = (site / "metrics.html").read_text(encoding="utf-8")
    assert "made:" not in text
    assert BY_NAME["surprisal"].formula in text


def test_nothing_is_fetched_from_elsewhere_and_every_picture_has_words(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        read = Read(page)
        assert not [url for url in read.fetched if re.match(r"(https?:)?//", url)], page.name
        assert not read.silent, page.name


def test_the_drawing_has_every_room_and_an_arc_for_the_table_below_it(site: Path) -> None:
    text = (site / "architecture.html").read_text(encoding="utf-8")
    drawing, table = text.split('class="rooms"')[1].split("The same as a table")
    for room in ("record", "decoding", "attention", "two_models"):
        assert f">{room}</text>" in drawing
        assert f"<code>{room}</code>" in table
    assert "decoding imports from record" in drawing
    assert "record imports from decoding" not in drawing
