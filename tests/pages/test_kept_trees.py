"""What a visitor finds where there is no room for more, and how it is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tokenscope_core import Session
from tokenscope_core.settings import StorageBounds
from tokenscope_ui.server import visitors
from tokenscope_ui.server.server import service

App = Any
SHARE, BRANCHES = "pages/share.py", "pages/branches.py"
ANSWER = {"model": "m", "logprobs": {"content": [{"token": "x = 1", "logprob": -0.5}]}}
ON_SCREEN_ONLY = "on this screen only"


@pytest.fixture
def one_each(monkeypatch: pytest.MonkeyPatch, app: App) -> None:
    """A server that keeps one record for each visitor."""
    monkeypatch.setenv("TOKENSCOPE_KEPT_PER_VISITOR", "1")


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    person: dict[str, object] = {"is_logged_in": True, "iss": "i", "sub": "ada"}
    monkeypatch.setattr(visitors, "_user", lambda: person)
    return person


def prompted(app: App, prompt: str) -> App:
    app.test.session_state["prompt"] = prompt
    return app.run().generate()


def to_page(app: App, page: str) -> App:
    app.test.switch_page(page)
    return app.run()


def choose_to_delete(app: App, *names: str) -> App:
    (box,) = (m for m in app.test.multiselect if m.key == "branches_deleted")
    box.set_value(list(names))
    app.run()
    next(b for b in app.test.button if b.key == "delete sessions").click()
    return app.run()


def copied(app: App, label: str) -> str:
    """What a copy button puts into the clipboard."""
    data = (json.loads(e.proto.json or "{}") for e in app.test.get("bidi_component"))
    return next(str(one["text"]) for one in data if one.get("label") == label)


def tree(app: App) -> Session:
    session: Session = app.test.session_state["session_state"].session
    return session


def name_in_address(app: App) -> str:
    value = app.test.query_params["session"]
    return value if isinstance(value, str) else str(value[0])


def test_a_run_beyond_the_bound_stays_on_screen_and_says_what_to_do(
    app: App, one_each: None
) -> None:
    first = prompted(app.open(), "def f():").state.trace
    assert ON_SCREEN_ONLY not in app.texts
    prompted(app, "def g():")
    assert app.state.trace.key != first.key
    assert ON_SCREEN_ONLY in app.texts
    assert "You keep 1 sessions, short links and imports; a visitor may keep 1" in app.texts
    assert "Delete sessions" in app.texts
    assert "session" not in app.test.query_params, "an address would lead nowhere"
    assert len(service().store.session_names()) == 1
    to_page(app, SHARE)
    assert ON_SCREEN_ONLY in app.texts
    labels = [button.proto.label for button in app.test.get("download_button")]
    assert "Session file" in labels


def test_deleting_an_earlier_session_keeps_the_one_on_screen(app: App, one_each: None) -> None:
    prompted(app.open(), "def f():")
    earlier = name_in_address(app)
    prompted(app, "def g():")
    to_page(app, BRANCHES)
    assert "1 of 1 sessions" in app.texts
    choose_to_delete(app, earlier)
    assert ON_SCREEN_ONLY not in app.texts
    assert service().store.session_names() == [name_in_address(app)] != [earlier]
    assert tree(app).root.request.prompt == "def g():"


def test_deleting_the_session_in_hand_leaves_nothing_of_it(app: App) -> None:
    prompted(app.open(), "def f():")
    to_page(app, SHARE).press("Make a short link")
    assert next(iter(service().store.usage_by_owner().values())).records == 2
    link = copied(app, "Short link").partition("?share=")[2]
    to_page(app, BRANCHES)
    choose_to_delete(app, name_in_address(app))
    assert "No branches yet" in app.texts
    other = type(app)(app.test.session_state["model"]).open(share=link)
    assert "until their session or comparison is deleted" in other.texts
    assert service().store.usage_by_owner() == {}
    assert "session" not in app.test.query_params


def test_what_was_refused_is_kept_once_the_operator_allows_more(app: App, one_each: None) -> None:
    prompted(app.open(), "def f():")
    prompted(app, "def g():")
    for name in service().store.session_names():
        service().store.delete_session(name)
    app.press("Try to keep it again")
    assert ON_SCREEN_ONLY not in app.texts
    assert service().store.session_names() == [name_in_address(app)]


def test_imported_figures_count_with_their_session_and_go_with_it(app: App) -> None:
    to_page(app.open(), SHARE)
    app.test.file_uploader[0].upload("answer.json", json.dumps(ANSWER).encode())
    trace = app.run().state.trace
    (kept,) = service().store.usage_by_owner().values()
    assert kept.records == 2
    assert kept.bytes > len(trace.to_bytes())
    to_page(app, BRANCHES)
    choose_to_delete(app, name_in_address(app))
    assert service().store.usage_by_owner() == {}


def test_an_import_beyond_the_bound_is_shown_all_the_same(app: App, one_each: None) -> None:
    to_page(app.open(), SHARE)
    app.test.file_uploader[0].upload("answer.json", json.dumps(ANSWER).encode())
    app.run()
    assert app.state.trace.text == "x = 1"
    assert ON_SCREEN_ONLY in app.texts
    assert service().store.usage_by_owner() == {}, "not half of it"


def test_a_short_link_beyond_the_bound_is_refused_by_name(app: App, one_each: None) -> None:
    prompted(app.open(), "def f():")
    to_page(app, SHARE).press("Make a short link")
    assert "There is no short link" in app.texts
    assert "a visitor may keep 1" in app.texts


def test_there_is_no_short_link_of_what_is_not_kept(app: App) -> None:
    """The link, which is compressed, would find room where its session does not."""
    prompted(app.open(), "def f():")
    store = service().store

    def bound_to(bounds: StorageBounds) -> None:
        store._protected.do(lambda protected: setattr(protected, "bounds", bounds))

    (used,) = store.usage_by_owner().values()
    bound_to(StorageBounds(bytes_per_visitor=used.bytes + 650))
    prompted(app, "x = 1\n" * 60)
    assert ON_SCREEN_ONLY in app.texts
    to_page(app, SHARE).press("Make a short link")
    assert "There is no short link" in app.texts
    assert len(store.sessions()) == 1
    bound_to(StorageBounds())
    app.press("Make a short link")
    assert copied(app, "Short link")
    assert ON_SCREEN_ONLY not in app.texts


def test_a_short_link_that_was_deleted_with_its_session_is_not_shown_for_an_equal_one(
    app: App,
) -> None:
    prompted(app.open(), "def f():")
    to_page(app, SHARE).press("Make a short link")
    assert copied(to_page(app, "pages/decode.py") and to_page(app, SHARE), "Short link")
    to_page(app, BRANCHES)
    choose_to_delete(app, name_in_address(app))
    prompted(to_page(app, "pages/decode.py"), "def f():")
    assert "Make a short link" in to_page(app, SHARE).buttons


def test_a_short_link_of_a_session_that_another_tab_has_deleted_can_be_deleted_again(
    app: App,
) -> None:
    prompted(app.open(), "def f():")
    service().store.delete_session(name_in_address(app))
    to_page(app, SHARE).press("Make a short link")
    assert copied(app, "Short link")
    assert service().store.session_names() == [name_in_address(app)]
    to_page(app, BRANCHES)
    choose_to_delete(app, name_in_address(app))
    assert service().store.usage_by_owner() == {}


def test_signed_in_the_bound_is_the_persons_in_all_visits(
    app: App, one_each: None, signed_in: dict[str, object]
) -> None:
    prompted(app.open(), "def f():")
    other = prompted(type(app)(app.test.session_state["model"]).open(), "def g():")
    assert ON_SCREEN_ONLY in other.texts
    signed_in["sub"] = "eve"
    eve = prompted(type(app)(app.test.session_state["model"]).open(), "def h():")
    assert ON_SCREEN_ONLY not in eve.texts
    assert [kept.records for kept in service().store.usage_by_owner().values()] == [1, 1]


def test_nobody_is_offered_what_is_anothers(app: App, signed_in: dict[str, object]) -> None:
    prompted(app.open(), "def f():")
    name = name_in_address(app)
    signed_in["sub"] = "eve"
    eve = prompted(type(app)(app.test.session_state["model"]).open(), "def h():")
    to_page(eve, BRANCHES)
    (box,) = (m for m in eve.test.multiselect if m.key == "branches_deleted")
    assert [name[:4] in option for option in box.options] == [False]


def test_what_can_no_longer_be_opened_can_still_be_deleted(
    app: App, signed_in: dict[str, object]
) -> None:
    prompted(app.open(), "def f():")
    owner = str(visitors.owner())
    service().store.put_session(f"{owner}/damaged", b"no session", owner=owner)
    to_page(app, BRANCHES)
    (box,) = (m for m in app.test.multiselect if m.key == "branches_deleted")
    assert any(option.startswith("Cannot be opened · dama") for option in box.options)
    assert "Other trees" not in [one.label for one in app.test.selectbox]
    choose_to_delete(app, "damaged")
    assert service().store.session_names() == [f"{owner}/{name_in_address(app)}"]


def test_a_bound_that_is_no_number_is_named_on_the_page(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENSCOPE_KEPT_MB", "plenty")
    assert "TOKENSCOPE_KEPT_MB was set to “plenty”" in app.open().texts
    monkeypatch.delenv("TOKENSCOPE_KEPT_MB")


def test_the_operator_sees_how_much_is_kept(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENSCOPE_OPERATOR_PAGE", "on")
    prompted(app.open(), "def f():")
    to_page(app, "pages/server.py")
    assert "Sessions are kept for 1 visitor" in app.texts
    tables = "\n".join(frame.value.to_string() for frame in app.test.dataframe)
    assert "new ones are refused" in tables
    assert "4.1 GB" in tables
