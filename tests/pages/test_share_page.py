"""Links, files and what others passed on, between two servers with stores of their own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from fake_hub import NAME, FakeHub

import tokenscope_core as ts
from tokenscope_core import Edit, Request, Session, Trace
from tokenscope_core.branches.plans import plan
from tokenscope_core.jobs.generation_tasks import Branched
from tokenscope_core.sharing import links as share
from tokenscope_core.sharing import session_file
from tokenscope_ui.server.server import service
from tokenscope_ui.share import opening

App = Any
PAGE = "pages/share.py"
REQUEST = Request("def f(a):\n", max_new_tokens=12, sampling=ts.Sampling(1.0, seed=3))


def run(model: str, wanted: Any) -> Trace:
    view = service().submit(model, wanted, "someone").wait(60.0)
    assert view.trace is not None
    return view.trace


@pytest.fixture
def grown(app: App, tiny_folder: str) -> tuple[Session, list[Trace]]:
    """A run and a branch of it, selected and named; kept as “made”."""
    root = run(tiny_folder, REQUEST)
    edit = Edit(root.prompt_length + 2, (70,))
    child = run(tiny_folder, Branched((plan(root, edit),)))
    session = Session.start(root).add(child, parent=root).rename(child.key, "what if")
    session = session.note(child.key, "a *note*").without_history()
    service().store.put_session("made", session.to_bytes())
    return session, [root, child]


@pytest.fixture
def elsewhere(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Goes on to a server with an empty store."""

    def move() -> None:
        service().close()
        monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "elsewhere"))
        st.cache_resource.clear()

    return move


def another(app: App, **address: str) -> App:
    """Another visitor, who opens an address."""
    return type(app)("").open(**address)


def open_page(app: App, **address: str) -> App:
    for name, value in address.items():
        app.test.query_params[name] = value
    app.test.switch_page(PAGE)
    return app.run()


def copied(app: App, label: str) -> str:
    """What a copy button puts into the clipboard."""
    for element in app.test.get("bidi_component"):
        data = json.loads(element.proto.json or "{}")
        if data.get("label") == label:
            return str(data["text"])
    raise AssertionError(f"there is no “{label}”")


def payload_of(address: str) -> str:
    return address.partition("?share=")[2]


def tree(app: App) -> Session:
    session: Session = app.test.session_state["session_state"].session
    return session


def named(app: App) -> str:
    """The session that the address names."""
    value = app.test.query_params["session"]
    return value if isinstance(value, str) else str(value[0])


def until_open(app: App) -> App:
    return app.until(lambda: app.run().state.trace is not None)


def test_a_link_opens_on_a_server_that_has_never_seen_the_session(
    app: App, grown: tuple[Session, list[Trace]], elsewhere: Callable[[], None]
) -> None:
    session, (root, child) = grown
    app.open(session="made")
    app.test.session_state["metric"] = "entropy"
    app.jump()
    selected = app.state.selected
    link = copied(open_page(app, session="made"), "Link to this session")
    assert len(link) < share.MAX_LINK

    elsewhere()
    other = another(app, share=payload_of(link))
    assert "2 of its 2 branches must be computed" in other.texts
    assert "is here, in exactly that version" in other.texts
    assert service().store.session_names() == [], "nothing is kept before a click"
    until_open(other.press("Open it here"))
    assert tree(other) == session
    assert other.state.trace.key == child.key
    assert other.state.trace.token_ids.tolist() == child.token_ids.tolist()
    assert other.state.selected == selected
    assert other.test.session_state["metric"] == "entropy"
    assert "share" not in other.test.query_params
    assert root.key in service().store


def test_what_is_all_here_opens_at_once_as_a_copy(
    app: App, grown: tuple[Session, list[Trace]]
) -> None:
    session, traces = grown
    other = another(app, share=share.encode(session))
    assert other.state.trace.key == traces[1].key
    assert tree(other) == session
    assert named(other) != "made"


def test_a_second_click_on_open_makes_no_second_copy(
    app: App,
    grown: tuple[Session, list[Trace]],
    elsewhere: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_here = opening.open_here

    def clicked_twice() -> None:
        open_here()
        open_here()

    monkeypatch.setattr(opening, "open_here", clicked_twice)
    elsewhere()
    other = another(app, share=share.encode(grown[0]))
    until_open(other.press("Open it here"))
    assert service().store.session_names() == [named(other)]


def test_a_branch_that_was_opened_by_its_address_alone_is_shared_with_its_tree(
    app: App, grown: tuple[Session, list[Trace]]
) -> None:
    session, traces = grown
    other = open_page(another(app, run=traces[1].key))
    assert [branch.key for branch in tree(other).branches] == [b.key for b in session.branches]
    assert copied(other, "Link to this session")


def test_a_short_link_opens_for_another_visitor(
    app: App, grown: tuple[Session, list[Trace]]
) -> None:
    open_page(app, session="made").press("Make a short link")
    name = payload_of(copied(app, "Short link"))
    assert len(name) == 22
    assert tree(another(app, share=name)) == grown[0]


def test_a_session_too_large_for_a_link_is_offered_as_a_file_and_a_short_link(
    app: App, grown: tuple[Session, list[Trace]]
) -> None:
    session, traces = grown
    noise = np.random.default_rng(0).integers(0x4E00, 0x9000, 9_000)
    large = session.note(traces[1].key, "".join(map(chr, noise))).without_history()
    service().store.put_session("large", large.to_bytes())
    open_page(app, session="large")
    assert "Too large for a link" in app.texts
    assert "7,750" in app.texts
    app.press("Make a short link")
    assert tree(another(app, share=payload_of(copied(app, "Short link")))) == large


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ts1.eJyrVg", "It is damaged"),
        ("nonsense", "does not begin as TokenScope's links do"),
        ("ts99.abcd", "It has version 99"),
        ("ts1." + "A" * 9_000, "no link more than"),
        ("A" * 22, "This server does not hold it"),
    ],
)
def test_a_link_that_cannot_be_opened_says_why(app: App, text: str, said: str) -> None:
    app.open(share=text)
    assert said in app.texts
    app.press("Go on without it")
    assert "Nothing decoded yet" in app.texts


@pytest.mark.parametrize(
    "view",
    [
        {"page": "server"},
        {"page": "../app", "token": 10**9},
        {"page": "decode", "embed": "true", "embed_options": "dark_theme", "share": "x"},
        {"page": "compare", "a": "x", "b": None},
        {"page": "attention", "view": "nothing", "layer": "99999", "run": "f" * 64},
        {"page": "decode", "tint_metric": "nonsense", "tint_unit": 3, "token": -1},
    ],
)
def test_a_view_that_means_nothing_here_opens_all_the_same(
    app: App, grown: tuple[Session, list[Trace]], view: dict[str, Any]
) -> None:
    app.open(share=share.encode(grown[0], view))
    assert tree(app) == grown[0]
    assert app.state.trace.key == grown[1][1].key


def test_a_link_cut_short_says_so(app: App, grown: tuple[Session, list[Trace]]) -> None:
    app.open(share=share.encode(grown[0])[:-20])
    assert "may have been cut" in app.texts


def test_a_model_that_is_not_allowed_is_not_run(
    app: App,
    grown: tuple[Session, list[Trace]],
    elsewhere: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere()
    monkeypatch.setenv("TOKENSCOPE_ALLOWED_MODELS", "tokenscope-py")
    app.open(share=share.encode(grown[0]))
    assert "does not offer the model" in app.texts
    assert "Open it here" not in app.buttons


def test_the_session_in_hand_stays_among_the_earlier_ones(
    app: App, grown: tuple[Session, list[Trace]], tiny_folder: str
) -> None:
    own = run(tiny_folder, Request("own", max_new_tokens=2))
    service().store.put_session("own", Session.start(own).to_bytes())
    app.open(session="own")
    app.test.query_params["share"] = share.encode(grown[0])
    app.run()
    assert tree(app) == grown[0]
    assert "own" in app.test.session_state["earlier_sessions"]


def forged(trace: Trace) -> Trace:
    """The same recipe, and so the same key, with other figures."""
    from dataclasses import replace

    entropy = np.where(np.isnan(trace.entropy), np.nan, 0.125)
    return replace(trace, metrics={**trace.metrics, "entropy": entropy})


def bring(app: App, name: str, blob: bytes) -> App:
    app.test.file_uploader[0].upload(name, blob)
    return app.run()


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


@pytest.fixture
def far_away(
    app: App,
    grown: tuple[Session, list[Trace]],
    elsewhere: Callable[[], None],
    tiny_folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[FakeHub, str]]:
    """A server that lacks the model of a link, which the hub has; and the link."""
    session = replace(grown[0], model=replace(grown[0].model, name=NAME))
    link = share.encode(session)
    elsewhere()
    monkeypatch.setenv("TOKENSCOPE_MODELS", "")
    hub = FakeHub(Path(tiny_folder))
    hub.go_online(tmp_path / "hub", monkeypatch)
    yield hub, link
    hub.close()


def test_a_model_that_is_not_here_is_downloaded_on_a_word_and_then_opens_the_link(
    app: App, far_away: tuple[FakeHub, str]
) -> None:
    hub, link = far_away
    other = another(app, share=link)
    assert "can be downloaded from the hub" in other.texts
    assert "Open it here" not in other.buttons
    assert not any(name.endswith(".safetensors") for name in hub.served)
    other.press("Download the model")
    other.until(lambda: "Open it here" in other.run().buttons)
    assert "is here, in exactly that version" in other.texts
    assert "Download the model" not in other.buttons
    until_open(other.press("Open it here"))
    assert tree(other).current == other.state.trace.key


def test_a_download_can_be_stopped(app: App, far_away: tuple[FakeHub, str]) -> None:
    hub, link = far_away
    hub.go_on.clear()
    other = another(app, share=link).press("Download the model")
    assert "Stop" in other.buttons
    other.press("Stop")
    hub.go_on.set()
    assert "Stop" not in other.run().buttons
    assert "Download the model" in other.buttons


def test_a_hub_that_does_not_answer_is_said(app: App, far_away: tuple[FakeHub, str]) -> None:
    hub, link = far_away
    other = another(app, share=link)
    hub.close()
    other.press("Download the model").until(lambda: "could not be fetched" in other.run().texts)


def test_a_model_that_the_operator_names_but_has_not_downloaded_can_be(
    app: App, far_away: tuple[FakeHub, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_ALLOWED_MODELS", NAME)
    assert "Download the model" in another(app, share=far_away[1]).buttons
    monkeypatch.setenv("TOKENSCOPE_ALLOWED_MODELS", "tokenscope-py")
    refused = another(app, share=far_away[1])
    assert "does not offer the model" in refused.texts
    assert "Download the model" not in refused.buttons
