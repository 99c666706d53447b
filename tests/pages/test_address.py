"""The address says what is on screen, and going back to one shows it again."""

from __future__ import annotations

from typing import Any

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
