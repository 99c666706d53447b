"""The address says what is on screen, and going back to one shows it again."""

from __future__ import annotations

from typing import Any

import pytest

from tokenscope_ui.pages import OF_SESSION, SHARE

App = Any


def value(app: App, name: str) -> str:
    found = app.test.query_params[name]
    return found if isinstance(found, str) else str(found[0])


def test_a_reload_keeps_the_selected_token(app: App) -> None:
    app.open().generate()
    position = app.jump()
    later = type(app)(app.test.session_state["model"])
    later.open(run=value(app, "run"), token=value(app, "token"))
    assert later.state.selected == position


def test_a_token_beyond_the_trace_is_left_out(app: App) -> None:
    app.open().generate()
    later = type(app)(app.test.session_state["model"])
    later.open(run=value(app, "run"), token="4000")
    assert later.state.trace.key == app.state.trace.key
    assert later.state.selected is None


@pytest.mark.parametrize("page", [*OF_SESSION, SHARE.name])
def test_every_page_says_that_the_address_is_what_failed(app: App, page: str) -> None:
    app.open()
    app.test.switch_page(f"pages/{page}.py")
    app.open(session="elsewhere")
    assert "What the address names cannot be shown" in app.texts
    assert "names the session “elsewhere”" in app.texts


def test_going_back_during_a_run_keeps_the_run(app: App) -> None:
    app.open().generate()
    first = value(app, "run")
    app.test.session_state["max_new_tokens"] = 400
    app.test.session_state["prompt"] = "another"
    app.run().press("Generate")
    assert app.state.busy, "otherwise this shows nothing"
    running = value(app, "run")
    app.test.query_params["run"] = first
    app.run()
    assert value(app, "run") in (running, app.state.address)
    app.until_ended()
    assert app.state.outcome.phase == "done"
    assert app.state.trace.key != first


def test_going_back_after_a_run_shows_the_one_before(app: App) -> None:
    app.open().generate()
    first, session = value(app, "run"), value(app, "session")
    app.test.session_state["prompt"] = "another"
    app.run().generate()
    assert value(app, "run") != first
    app.test.query_params["run"] = first
    app.test.query_params["session"] = session
    app.run()
    assert app.state.trace.key == first
    assert value(app, "session") == session


def test_going_back_to_what_an_ended_run_was_called_opens_its_tree_and_no_other(app: App) -> None:
    app.open().generate()
    key, session = value(app, "run"), value(app, "session")
    called = app.state.outcome.job_id
    app.test.session_state["prompt"] = "another"
    app.run().generate()
    assert value(app, "session") != session
    app.test.query_params["run"] = called
    del app.test.query_params["session"]
    app.run()
    assert app.state.trace.key == key
    assert value(app, "session") == session


def test_what_a_view_is_drawn_by_is_in_the_address_where_it_differs_from_the_defaults(
    app: App,
) -> None:
    app.open().generate()
    assert "metric" not in app.test.query_params
    app.test.selectbox(key="metric").select("entropy")
    app.test.session_state["unit"] = "nats"
    app.run()
    assert (value(app, "metric"), value(app, "unit")) == ("entropy", "nats")
    later = type(app)(app.test.session_state["model"])
    later.open(run=value(app, "run"), metric="entropy", unit="nats", scale="sideways")
    state = later.test.session_state
    assert (state["metric"], state["unit"], state["scale"]) == ("entropy", "nats", "absolute")
    later.test.selectbox(key="metric").select("rank")
    later.run().run()
    assert value(later, "metric") == "rank"


def test_the_choices_of_the_page_of_syntax_are_in_its_address(app: App) -> None:
    app.open().generate()
    app.test.query_params["by"] = "scope"
    app.test.query_params["code"] = "line"
    app.test.query_params["as"] = "rust"
    app.test.switch_page("pages/syntax.py")
    for name, chosen in (("by", "scope"), ("code", "line"), ("as", "rust")):
        app.test.query_params[name] = chosen
    app.run()
    state = app.test.session_state
    assert state["syntax_level"] == "scope"
    assert state["syntax_kind"] == "line"
    assert state["syntax_language"] == "rust"
    app.test.selectbox(key="syntax_level").select("category")
    app.run()
    assert "by" not in app.test.query_params
    assert value(app, "as") == "rust"


def test_a_choice_made_before_the_browser_knows_the_address_of_the_one_before_stays(
    app: App,
) -> None:
    app.open().generate()
    for chosen in ("entropy", "rank"):
        app.test.selectbox(key="metric").select(chosen)
        app.run()
    app.test.query_params["metric"] = "entropy"
    app.test.selectbox(key="metric").select("margin")
    app.run()
    assert app.test.session_state["metric"] == "margin"
    assert value(app, "metric") == "margin"


def test_going_back_to_an_address_of_another_choice_shows_that_choice(app: App) -> None:
    app.open().generate()
    for chosen in ("entropy", "rank"):
        app.test.selectbox(key="metric").select(chosen)
        app.run()
    app.test.query_params["metric"] = "entropy"
    app.run()
    assert app.test.session_state["metric"] == "entropy"
