"""Files that a visitor brings to the page Share, and those that it offers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from share_screen import another, bring, forged, named, open_page, run, tree, until_open

from tokenscope_core import Request, Session, Trace
from tokenscope_core.sharing import links as share
from tokenscope_core.sharing import session_file
from tokenscope_ui.server.server import service

App = Any


def test_forged_figures_of_a_file_reach_nobody_under_the_true_key(
    app: App, grown: tuple[Session, list[Trace]], elsewhere: Callable[[], None]
) -> None:
    session, (root, child) = grown
    blob = session_file.write(session, [forged(root), forged(child)])
    elsewhere()
    bring(open_page(app), "made.tokenscope", blob)
    assert "as good as whoever wrote it" in app.texts
    app.press("Show the figures of the file")
    assert app.state.trace.entropy[-1] == 0.125
    assert "(from a file)" in app.state.trace.model.name
    assert [b.name for b in tree(app).branches] == [b.name for b in session.branches]
    assert root.key not in service().store
    assert child.key not in service().store

    other = another(app, share=share.encode(session))
    until_open(other.press("Open it here"))
    assert other.state.trace.entropy[-1] == pytest.approx(child.entropy[-1])


def test_a_session_file_opens_with_figures_computed_here(
    app: App, grown: tuple[Session, list[Trace]], elsewhere: Callable[[], None]
) -> None:
    session, traces = grown
    blob = session_file.write(session, traces, {"page": "branches"})
    elsewhere()
    bring(open_page(app), "made.tokenscope", blob)
    until_open(app.press("Open it here"))
    assert tree(app) == session
    assert app.state.trace.key == traces[1].key


ANSWER = {
    "model": "gpt-4o",
    "choices": [
        {
            "finish_reason": "stop",
            "logprobs": {
                "content": [
                    {"token": "x", "logprob": -0.5, "bytes": [120], "top_logprobs": [
                        {"token": "x", "logprob": -0.5, "bytes": [120]},
                        {"token": "y", "logprob": -1.5, "bytes": [121]},
                    ]},
                    {"token": " = 1", "logprob": -0.25, "bytes": [32, 61, 32, 49],
                     "top_logprobs": []},
                ]
            },
        }
    ],
}  # fmt: skip


def test_openai_logprobs_are_shown_and_outlive_the_eviction_of_traces(app: App) -> None:
    bring(open_page(app), "answer.json", json.dumps(ANSWER).encode())
    trace = app.state.trace
    assert trace is not None
    assert trace.text == "x = 1"
    app.test.switch_page("pages/decode.py")
    app.run().jump()
    assert "shown as they stood in the file" in app.texts
    assert "not available" in "\n".join(str(m.value) for m in app.test.metric) + app.texts
    service().store.delete(trace.key)
    later = another(app, session=named(app))
    assert later.state.trace.text == "x = 1"


def test_a_trace_file_alone_is_looked_at_first(
    app: App, grown: tuple[Session, list[Trace]], elsewhere: Callable[[], None]
) -> None:
    root = grown[1][0]
    elsewhere()
    bring(open_page(app), "root.arrow", root.to_bytes())
    assert "Open it here" in app.buttons
    app.press("Show the figures of the file")
    assert app.state.trace.token_ids.tolist() == root.token_ids.tolist()


def test_figures_of_a_file_cannot_be_continued(app: App) -> None:
    bring(open_page(app), "answer.json", json.dumps(ANSWER).encode())
    app.test.switch_page("pages/decode.py")
    app.run().jump()
    before = len(tree(app))
    app.press("Delete")
    assert len(tree(app)) == before
    assert not app.state.busy
    assert app.state.problem is not None


@pytest.mark.parametrize(
    ("name", "blob"),
    [("a.json", b"{}"), ("a.json", b"\x00"), ("a.zip", b"PK\x03\x04"), ("a.arrow", b"ARROW1xx")],
)
def test_a_file_that_cannot_be_used_says_why(app: App, name: str, blob: bytes) -> None:
    bring(open_page(app), name, blob)
    assert "That file cannot be used" in app.texts


def test_every_file_on_offer_can_be_made(app: App, grown: tuple[Session, list[Trace]]) -> None:
    from tokenscope_ui.share import downloads

    session, traces = grown
    held = {trace.key: trace for trace in traces}
    files = (
        *downloads.of_session(session, held, {"page": "decode"}),
        *downloads.of_trace(session, traces[1]),
        *downloads.tables(session, traces[1], held, for_spreadsheet=True),
        *downloads.charts(session, traces[1], "surprisal", "bits", relative=False),
    )
    made = {file.name.partition(".")[2] or file.name: file.make() for file in files}
    assert all(made.values())
    assert {file.name.isascii() and "/" not in file.name for file in files} == {True}
    assert all("tiny_what-if_" in file.name for file in files)
    by_label = {file.label: file.make() for file in files}
    assert Trace.from_bytes(by_label["Arrow"]).key == traces[1].key
    assert by_label["PNG"].startswith(b"\x89PNG")
    assert b"<svg" in by_label["SVG"]
    assert session_file.read(by_label["Session file"]).shared.session == session
    assert json.loads(by_label["Vega-Lite JSON"])["$schema"]


RUST = Request("fn main() {\n    let mut total: u32 = 0;\n}\n", max_new_tokens=2)


@pytest.mark.parametrize(("chosen", "read_as"), [(None, "rust"), ("java", "java")])
def test_the_syntax_table_is_read_in_the_language_chosen_or_else_the_traces_own(
    app: App, tiny_folder: str, chosen: str | None, read_as: str
) -> None:
    from tokenscope_ui.share import downloads

    trace = run(tiny_folder, RUST)
    files = downloads.tables(
        Session.start(trace), trace, {}, for_spreadsheet=False, language=chosen
    )
    table = next(file for file in files if file.label == "Syntax").make()
    assert set(pd.read_csv(io.BytesIO(table))["language"].dropna()) == {read_as}


def test_the_language_chosen_on_syntax_holds_for_its_table_here(app: App, tiny_folder: str) -> None:
    trace = run(tiny_folder, RUST)
    service().store.put_session("rust", Session.start(trace).to_bytes())

    def said(app: App) -> str:
        buttons = app.test.get("download_button")
        return next(str(b.proto.help) for b in buttons if b.proto.label == "Syntax")

    assert "read as Rust" in said(open_page(app, session="rust"))
    app.test.switch_page("pages/syntax.py")
    app.run()
    next(box for box in app.test.selectbox if box.label == "Read as").set_value("java")
    app.run()
    assert "read as Java." in said(open_page(app))
