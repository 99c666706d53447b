"""Code as code: wrapped lines keep their indentation, copies are verbatim, narrow screens too."""

from __future__ import annotations

import pytest
from browser.access.screens import APP, LOAD_MS, OpenApp
from playwright.sync_api import BrowserContext, Page, expect

import tokenscope_core as ts
from tokenscope_core.models.files.names import SHIPPED_FOLDER

LONG = "x = [" + ", ".join(f"number_{n}" for n in range(30)) + "]"
TEXT = (
    f"def f():\n    if True:\n        {LONG}\n\t\t{LONG}\n    return 'שלום'  \r\n# </script>é👋\n\n"
)
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def traces(tiny_folder: str) -> dict[str, ts.Trace]:
    """A scored text, and a run of which some was generated, in the server's store."""
    assert tiny_folder
    lm = ts.load_model(SHIPPED_FOLDER.name)
    made = {"scored": ts.score(lm, TEXT), "run": ts.generate(lm, ts.Request("def f(é):\n", 24))}
    store = ts.Store()
    for trace in made.values():
        store.put(trace)
    session = ts.Session.start(made["scored"]).without_history()
    store.put_session("reading", session.to_bytes())
    store.close()
    return made


def opened(open_app: OpenApp, trace: ts.Trace) -> Page:
    page = open_app(APP, f"?run={trace.key}")
    expect(page.locator(".strip .code [data-i]").first).to_be_visible(timeout=LOAD_MS)
    return page


def row_starts(page: Page, number: int) -> list[float]:
    """Where each row of a line begins, in columns from where the first line's code does; of its
    first row, where its first token that can be seen does."""
    line = page.locator(f".strip .line[data-number='{number}']")
    line.scroll_into_view_if_needed()
    found: list[float] = line.evaluate(
        """line => {
          const zero = line.closest(".code").querySelector(".token").getBoundingClientRect().left;
          const probe = document.createElement("span");
          probe.textContent = "0".repeat(100);
          probe.style.cssText = "position: absolute; white-space: pre";
          line.append(probe);
          const column = probe.getBoundingClientRect().width / 100;
          probe.remove();
          const rows = new Map();
          for (const token of line.querySelectorAll(".token")) {
            if (!token.textContent.trim()) continue;
            for (const box of token.getClientRects()) {
              const row = Math.round(box.top / 6);
              rows.set(row, Math.min(rows.get(row) ?? Infinity, box.left));
            }
          }
          return Array.from(rows.values(), (left) => (left - zero) / column);
        }"""
    )
    return found


@pytest.mark.parametrize("size", [None, PHONE], ids=["wide", "phone"])
def test_a_wrapped_line_keeps_its_indentation(
    open_app: OpenApp, traces: dict[str, ts.Trace], size: dict[str, int] | None
) -> None:
    page = opened(open_app, traces["scored"])
    if size:
        page.set_viewport_size(size)
    for number, columns in [(3, 8), (4, 8)]:
        starts = row_starts(page, number)
        assert len(starts) > 1
        # Tokens have a border of a pixel or two, and begin with the space before them.
        assert all(abs(start - columns) < 1.5 for start in starts), starts


def test_the_code_of_a_branch_hangs_too(open_app: OpenApp, traces: dict[str, ts.Trace]) -> None:
    assert traces
    page = open_app(APP, "branches?session=reading")
    line = page.get_by_role("region", name="The code of").locator(".row").nth(2)
    expect(line).to_be_visible(timeout=LOAD_MS)
    lefts, column = line.evaluate(
        """line => {
          const probe = document.createElement("span");
          probe.style.cssText = "position: absolute; white-space: pre";
          probe.textContent = "0".repeat(100);
          line.append(probe);
          const column = probe.getBoundingClientRect().width / 100;
          probe.remove();
          const rows = new Map();
          for (const { top, left } of line.firstChild.getClientRects()) {
            rows.set(top, Math.min(rows.get(top) ?? Infinity, left));
          }
          return [Array.from(rows.values()), column];
        }"""
    )
    # The first row begins with the white space.
    assert len(lefts) > 1
    assert all(abs((left - lefts[0]) / column - 8) < 0.5 for left in lefts[1:]), (lefts, column)


def test_what_was_generated_and_all_of_it_are_copied_verbatim(
    open_app: OpenApp, context: BrowserContext, traces: dict[str, ts.Trace]
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    run, scored = traces["run"], traces["scored"]
    page = opened(open_app, run)
    generated = run.text_bytes[int(run.byte_start[run.prompt_length]) :]
    for button, copied in [("Copy what was generated", generated), ("Copy all", run.text_bytes)]:
        page.get_by_role("button", name=button).click()
        expect(page.get_by_text("Copied", exact=True)).to_be_visible()
        # A paste into a field would normalise line ends.
        assert page.evaluate("navigator.clipboard.readText()").encode() == copied
    page = opened(open_app, scored)
    expect(page.get_by_role("button", name="Copy all")).to_be_visible()
    expect(page.get_by_role("button", name="Copy what was generated")).to_have_count(0)
    page.get_by_role("button", name="Copy all").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").encode() == TEXT.encode()


def test_a_scored_text_is_no_prompt_and_says_that_it_runs_right_to_left(
    open_app: OpenApp, traces: dict[str, ts.Trace]
) -> None:
    page = opened(open_app, traces["scored"])
    legend = page.locator(".strip .legend")
    expect(legend).to_contain_text("right-to-left text")
    expect(legend).not_to_contain_text("prompt")
    page.locator(".strip .code [data-i]").nth(3).click()
    expect(page.get_by_text("scored · token id")).to_be_visible()


@pytest.mark.parametrize(
    "size", [PHONE, {"width": 640, "height": 450}], ids=["phone", "200 % of 1280 by 900"]
)
def test_code_is_on_the_first_screen(
    open_app: OpenApp, traces: dict[str, ts.Trace], size: dict[str, int]
) -> None:
    page = open_app(APP, f"?run={traces['run'].key}")
    page.set_viewport_size(size)
    expect(page.locator(".strip .code [data-i]").first).to_be_in_viewport(timeout=LOAD_MS)
