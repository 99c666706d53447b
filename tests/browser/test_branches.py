"""The tree of branches in a real browser: clicks, keys, reload, two tabs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import tokenscope_core as ts
from browser.pictures import saved
from tokenscope_core import Request, Sampling, Session

APP = Path(__file__).resolve().parents[2] / "app.py"
LOAD_MS = 90_000
NASTY = '<b>x</b> 👩‍🚀 <img src=x onerror="document.title=1">'

Open = Callable[..., Page]


@pytest.fixture(scope="module", autouse=True)
def kept(tiny_folder: str) -> Iterator[ts.Store]:
    """The server's store, with a run, a branch at 20, one at 12, and one of that at 16."""
    store, lm = ts.Store(), ts.load_model(tiny_folder)
    root = ts.generate(lm, Request("def f(a):\n", 24, Sampling(1.0, seed=2)))
    late = ts.fork(lm, root, 20, token_id=70)
    early = ts.fork(lm, root, 12, token_id=80)
    deeper = ts.fork(lm, early, 16, token_id=90)
    session = Session.start(root).add(late, early, parent=root).add(deeper, parent=early)
    session = session.rename(late.key, "late").rename(early.key, "early")
    session = session.rename(deeper.key, "deeper").select(root.key).without_history()
    for trace in (root, late, early, deeper):
        store.put(trace)
    for name in ("walk", "clicks", "changes", "tabs", "code", "saved"):
        store.put_session(name, session.to_bytes())
    yield store
    store.close()


@pytest.fixture
def open_tree(open_app: Open) -> Callable[..., Page]:
    def open_page(name: str, color_scheme: str = "light") -> Page:
        page = open_app(APP, f"branches?session={name}", color_scheme=color_scheme)
        expect(lane(page, "original")).to_be_visible(timeout=LOAD_MS)
        return page

    return open_page


def lane(page: Page, name: str) -> Locator:
    rows = page.get_by_role("treeitem")
    return rows.filter(has=page.locator(".name .text", has_text=name))


def places(page: Page) -> dict[str, tuple[dict[str, float], dict[str, float] | None]]:
    """Of each lane by its name: where its bar is, and its connection. All are looked up at one
    moment, as the page may still move while it is drawn."""
    expect(lane(page, "deeper")).to_be_visible()
    found = page.get_by_role("treeitem").evaluate_all(
        """rows => rows.map(row => [
            row.querySelector(".name .text").textContent,
            ...[".bar", ".connection"].map(part => row.querySelector(part))
                .map(part => part && part.getBoundingClientRect().toJSON())
        ])"""
    )
    return {name: (bar, line) for name, bar, line in found}


def name_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Name", exact=True)


def test_a_clicked_lane_is_shown_and_opens_in_decode(open_tree: Open) -> None:
    page = open_tree("clicks")
    lane(page, "early").click()
    expect(name_field(page)).to_have_value("early")
    expect(lane(page, "early")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("region", name="The code of early")).to_be_visible()
    compare = page.get_by_role("link", name="Compare with its parent")
    assert re.search(
        r"session=.*&a=[0-9a-f]{64}&b=[0-9a-f]{64}", compare.get_attribute("href") or ""
    )
    page.get_by_role("link", name="Open in Decode").click()
    expect(page.locator(".strip .forced").first).to_be_visible(timeout=LOAD_MS)


def test_keys_walk_the_tree(open_tree: Open) -> None:
    page = open_tree("walk")
    lane(page, "original").click()
    page.get_by_role("tree").focus()
    for key, name in [
        ("ArrowDown", "late"),
        ("ArrowDown", "early"),
        ("ArrowRight", "deeper"),
        ("ArrowLeft", "early"),
        ("Shift+ArrowUp", "late"),
        ("Shift+ArrowDown", "early"),
        ("ArrowLeft", "original"),
        ("End", "deeper"),
        ("Home", "original"),
    ]:
        page.keyboard.press(key)
        expect(lane(page, name)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("End")
    expect(name_field(page)).to_have_value("deeper")
    expect(lane(page, "deeper")).to_have_attribute("aria-selected", "true")


def test_lanes_begin_at_their_forks_and_connections_reach_their_parents(open_tree: Open) -> None:
    placed = places(open_tree("walk"))
    bars = {name: bar for name, (bar, _) in placed.items()}
    left = {name: bar["x"] for name, bar in bars.items()}
    assert left["original"] < left["early"] < left["deeper"] < left["late"]
    for name, parent in [("late", "original"), ("early", "original"), ("deeper", "early")]:
        line, above, own = placed[name][1], bars[parent], bars[name]
        assert line is not None
        assert above["y"] <= line["y"] <= above["y"] + above["height"]
        assert own["y"] <= line["y"] + line["height"] <= own["y"] + own["height"]
        assert line["x"] == pytest.approx(own["x"], abs=1)


def test_a_name_a_note_and_a_removal_survive_a_reload(open_tree: Open) -> None:
    page = open_tree("changes")
    lane(page, "late").click()
    expect(name_field(page)).to_have_value("late")
    name_field(page).fill(NASTY)
    name_field(page).press("Enter")
    expect(lane(page, NASTY)).to_be_visible()
    note = page.get_by_role("textbox", name="Note", exact=True)
    note.fill("n" * 5_000)
    note.press("Control+Enter")
    expect(lane(page, NASTY).locator(".noted")).to_be_visible()
    lane(page, "early").click()
    expect(name_field(page)).to_have_value("early")
    page.get_by_role("button", name="Remove, with the 1").click()
    expect(page.get_by_text("Removed “early” and the 1 that grew on it")).to_be_visible()
    expect(page.get_by_role("treeitem")).to_have_count(2)
    page.reload()
    expect(page.get_by_role("treeitem")).to_have_count(2, timeout=LOAD_MS)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("treeitem")).to_have_count(4)
    lane(page, NASTY).click()
    expect(name_field(page)).to_have_value(NASTY)
    expect(note).to_have_value("n" * 5_000)
    assert page.title() != "1"


def test_a_second_tab_goes_on_with_a_copy(open_tree: Open) -> None:
    first, second = open_tree("tabs"), open_tree("tabs")
    for page in (first, second):
        lane(page, "late").click()
        expect(name_field(page)).to_have_value("late")
    for page, name in ((first, "one"), (second, "two")):
        name_field(page).fill(name)
        name_field(page).press("Enter")
        expect(lane(page, name)).to_be_visible()
    expect(second.get_by_text("goes on in a copy of its own")).to_be_visible()
    assert "session=tabs" not in second.url
    first.reload()
    expect(lane(first, "one")).to_be_visible(timeout=LOAD_MS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_overview_reads_all_branches_at_the_pointer(open_tree: Open, scheme: str) -> None:
    page = open_tree("code", scheme)
    rows = page.locator(".spark-row")
    expect(rows).to_have_count(4)
    rows.first.locator(".spark").scroll_into_view_if_needed()
    rows.first.locator(".spark").hover()
    readouts = page.locator(".readout").all_inner_texts()
    assert all(re.match(r"\d+: ", text) for text in readouts)
    assert any("bits" in text for text in readouts)
    assert any("shared" in text for text in readouts)


def test_the_tree_is_saved_as_a_picture_with_every_branch(open_tree: Open) -> None:
    page = open_tree("saved", color_scheme="dark")
    files = saved(page, page.locator(".tree").filter(has=page.get_by_role("tree")))
    assert files.name == "branches_original"
    assert {"original", "late", "early", "deeper", "branch", "ends"} <= set(files.texts)
    assert files.painted.size == (2 * files.size[0], 2 * files.size[1])
    assert files.painted.getpixel((400, 60)) == (255, 255, 255), "on white, from a dark page"
