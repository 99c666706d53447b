"""Links, files and what others passed on, between two servers with stores of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from share_screen import another, copied, named, open_page, payload_of, run, tree, until_open

from tokenscope_core import Request, Session, Trace
from tokenscope_core.sharing import links as share
from tokenscope_ui.server.server import service
from tokenscope_ui.share import opening

App = Any


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
