"""The report opens from a file with the network off, and shows what it holds as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_traces import forked, made
from playwright.sync_api import Browser, Page, expect

import tokenscope_core as ts
from tokenscope_core import export
from tokenscope_core.record.metric_registry import NATS_PER_BIT

EVIL = "<img src=x onerror=\"document.title='run'\"></script><script>document.title='run'</script>"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page without a network; whatever it complains of fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, offline=True)
    opened, problems = context.new_page(), []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("request", lambda request: problems.append(request.url)
              if not request.url.startswith("file:") else None)  # fmt: skip
    yield opened
    context.close()
    assert not problems


def open_report(page: Page, folder: Path, blob: bytes) -> None:
    file = folder / "report.html"
    file.write_bytes(blob)
    page.goto(file.as_uri())


@pytest.fixture(scope="module")
def grown() -> tuple[ts.Session, list[ts.Trace]]:
    lm = ts.load_model()
    root = ts.generate(lm, ts.Request("def f(a):\n    return", 8))
    fork = ts.fork(lm, root, root.prompt_length, text=" not")
    session = ts.Session.start(root).add(fork, parent=root).note(fork.key, "what if?")
    return session, [root, fork]


def test_hover_click_and_arrow_keys_show_a_token(
    page: Page, tmp_path: Path, grown: tuple[ts.Session, list[ts.Trace]]
) -> None:
    session, (root, fork) = grown
    open_report(page, tmp_path, export.report(session, [root, fork]))
    tokens = page.locator("#strip [role=option]")
    expect(tokens).to_have_count(len(fork))
    position = fork.prompt_length + int(fork.surprisal[fork.prompt_length : -1].argmax())
    bits = float(fork.surprisal[position]) / NATS_PER_BIT
    shown = f"{bits:.3f}" if bits < 10 else f"{bits:.1f}"
    source = fork.source[position]
    tokens.nth(position).hover()
    expect(page.locator("#tooltip")).to_contain_text(f"surprisal: {shown} bits")
    tokens.nth(position).click()
    expect(page.locator("#chosen")).to_contain_text(f"at {position}, {source}")
    listed = fork.token_ids[position] in fork.candidate_ids[position]
    expect(page.locator("#candidates tbody tr")).to_have_count(20 if listed else 21)
    expect(page.locator("#candidates tr.taken")).to_have_count(1)
    expect(page.locator("#figures tbody tr")).to_have_count(len(ts.METRICS))
    page.keyboard.press("ArrowRight")
    expect(page.locator("#chosen")).to_contain_text(f"at {position + 1}, sampled")
    page.keyboard.press("Home")
    expect(page.locator("#figures")).to_contain_text("not available")
    expect(page.locator("#candidates")).to_contain_text("no distribution here")


def test_a_small_probability_is_not_shown_as_none(
    page: Page, tmp_path: Path, grown: tuple[ts.Session, list[ts.Trace]]
) -> None:
    session, (root, fork) = grown
    open_report(page, tmp_path, export.report(session, [root, fork]))
    position = int(fork.candidate_logprobs[1:, -1].argmin()) + 1
    assert fork.candidate_logprobs[position, -1] < -10
    page.locator("#strip [role=option]").nth(position).click()
    cells = page.locator("#candidates tbody td:nth-child(2)")
    assert cells.count() >= 20
    assert not {"0.00 %", "0 %", "100.00 %"} & set(cells.all_inner_texts())


def test_candidates_say_what_their_figures_are_and_what_the_filters_did(
    page: Page, tmp_path: Path
) -> None:
    lm = ts.load_model()
    trace = ts.generate(
        lm, ts.Request("def f(a):\n    return", 4, ts.Sampling(1.0, top_k=3, seed=1))
    )
    open_report(page, tmp_path, export.report(trace))
    explained = page.get_by_text("Struck through: the sampling filters had removed it")
    page.locator("#strip [role=option]").nth(1).click()
    expect(explained).to_be_hidden()
    page.locator("#strip [role=option]").nth(trace.prompt_length).click()
    expect(page.locator("#candidates thead")).to_contain_text("log-probability, bits")
    expect(page.locator("#candidates tr.removed")).to_have_count(17)
    expect(explained).to_be_visible()
    figures = page.locator("#candidates td:nth-child(3)").all_inner_texts()
    assert all(re.fullmatch(r"−\d+\.\d+", figure) for figure in figures)


def test_a_long_name_of_a_deep_branch_is_shown_whole(page: Page, tmp_path: Path) -> None:
    traces = [made(["a", "b", "c", "d", "e"])]
    session = ts.Session.start(traces[0])
    for position in (1, 2, 3):
        traces.append(forked(traces[-1], position, [f"x{position}"], ["e"]))
        session = session.add(traces[-1], parent=traces[-2])
    session = session.rename(traces[-1].key, "name_without_blanks_" * 8)
    open_report(page, tmp_path, export.report(session, traces))
    tree = page.locator("nav")
    assert tree.evaluate("nav => nav.scrollWidth <= nav.clientWidth")


def test_the_tint_and_the_unit_can_be_chosen(
    page: Page, tmp_path: Path, grown: tuple[ts.Session, list[ts.Trace]]
) -> None:
    session, traces = grown
    open_report(page, tmp_path, export.report(session, traces))
    token = page.locator("#strip [role=option]").nth(3)
    before = token.evaluate("token => getComputedStyle(token).backgroundColor")
    assert before
    page.select_option("#metric", label="margin")
    assert token.evaluate("token => getComputedStyle(token).backgroundColor") != before
    expect(page.locator("#meaning")).to_contain_text("p(1) − p(2)")
    page.select_option("#metric", label="entropy")
    expect(page.locator("#high")).to_have_text("10 bits")
    page.select_option("#unit", "nats")
    expect(page.locator("#high")).to_have_text("6.931 nats")


def test_switching_the_branch_shows_its_code_and_recipe(
    page: Page, tmp_path: Path, grown: tuple[ts.Session, list[ts.Trace]]
) -> None:
    session, (root, _) = grown
    open_report(page, tmp_path, export.report(session, [root]))
    expect(page.locator("#absent")).to_be_visible()
    branches = page.locator("#tree button")
    expect(branches).to_have_count(2)
    expect(branches.nth(1)).to_contain_text("what if?")
    expect(branches.nth(1)).to_contain_text("recipe only")
    page.locator("summary").click()
    expect(page.locator("#recipe")).to_contain_text('"position"')
    branches.nth(0).click()
    expect(page.locator("#absent")).to_be_hidden()
    expect(page.locator("#strip [role=option]")).to_have_count(len(root))
    expect(page.locator("#key")).to_contain_text(root.key)


def test_markup_in_prompts_names_and_notes_is_text(page: Page, tmp_path: Path) -> None:
    root = made([EVIL, "\u202eabc\x00", EVIL], request=ts.Request(EVIL, 1))
    session = ts.Session.start(root).rename(root.key, EVIL[:200]).note(root.key, EVIL)
    open_report(page, tmp_path, export.report(session, [root], title=EVIL))
    tokens = page.locator("#strip [role=option]")
    expect(tokens.nth(0)).to_have_text(EVIL)
    expect(tokens.nth(1)).to_have_text("U+202EabcNUL")
    tokens.nth(2).click()
    tokens.nth(0).hover()
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    expect(page).to_have_title(re.compile(r"^<img"))


def test_nothing_but_its_own_program_may_run(page: Page, tmp_path: Path) -> None:
    blob = export.report(made(["a", "b"]))
    added = blob.replace(b"</body>", b"<script>document.title='run'</script></body>")
    file = tmp_path / "report.html"
    file.write_bytes(added)
    other = page.context.new_page()
    other.goto(file.as_uri())
    expect(other.locator("#strip [role=option]")).to_have_count(2)
    assert other.title() != "run"


def test_five_thousand_tokens_are_painted_and_answer(page: Page, tmp_path: Path) -> None:
    trace = made([f" w{i % 900}" for i in range(5000)])
    open_report(page, tmp_path, export.report(trace))
    expect(page.locator("#strip [role=option]")).to_have_count(5000)
    page.locator("#strip [role=option]").nth(4321).click()
    expect(page.locator("#chosen")).to_contain_text("at 4321, sampled")


def test_a_branch_by_itself_and_a_dark_page_are_shown(page: Page, tmp_path: Path) -> None:
    root = made(["a", "b"])
    page.emulate_media(color_scheme="dark")
    open_report(page, tmp_path, export.report(forked(root, 1, ["c"])))
    expect(page.locator("#strip")).to_have_text("ac")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 22)"
