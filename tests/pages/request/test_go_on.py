"""Going on with a run on the decode page, and looking at tokens while others arrive."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tokenscope_core import Session, Trace
from tokenscope_ui.runs import session_changes, sessions
from tokenscope_ui.server.server import service

App = Any
GO_ON = "go on button"


@pytest.fixture
def finished(app: App) -> App:
    app.open().generate()
    return app


def trace(app: App) -> Trace:
    shown = app.state.trace
    assert isinstance(shown, Trace)
    return shown


def session(app: App) -> Session:
    held = app.test.session_state["session_state"].session
    assert isinstance(held, Session)
    return held


def go_on(app: App, more: int) -> Trace:
    app.test.number_input(key="go on for").set_value(more)
    app.run()
    app.test.button(key=GO_ON).click()
    app.run().until_ended()
    assert app.state.problem is None, app.state.problem
    return trace(app)


def test_a_run_that_goes_on_takes_its_own_place_and_undo_brings_it_back(finished: App) -> None:
    short = trace(finished)
    assert short.finish_reason == "length"
    longer = go_on(finished, 9)
    assert len(longer) == len(short) + 9
    np.testing.assert_array_equal(longer.token_ids[: len(short)], short.token_ids)
    assert longer.request == replace(short.request, max_new_tokens=21)
    assert [branch.key for branch in session(finished).branches] == [longer.key]
    assert session_changes.undo_words(session(finished)) == "going on with “original”"
    assert finished.test.query_params["run"] == longer.key
    finished.test.button(key="icon undo branch").click()
    finished.run()
    assert trace(finished).key == short.key


def test_what_grew_on_it_stays_on_it(finished: App) -> None:
    short = trace(finished)
    finished.test.session_state["run_state"] = replace(
        finished.state, selected=short.prompt_length + 2
    )
    finished.run().test.button(key="put candidate").click()
    finished.run().until_ended()
    child = trace(finished)
    finished.test.selectbox(key="branch_shown").set_value(short.key)
    finished.run()
    longer = go_on(finished, 5)
    tree = session(finished)
    assert [branch.parent for branch in tree.branches] == [None, longer.key]
    moved = service().store.get(tree.branches[1].key)
    assert moved is not None
    assert moved.token_ids.tolist() == child.token_ids.tolist()
    assert sessions.stored(short.key) is not None, "the shorter one can be undone to"


def test_a_stopped_run_goes_on(finished: App) -> None:
    from tokenscope_core.sessions.traces import cut_short

    whole = trace(finished)
    stopped = cut_short(whole, whole.prompt_length + 4)
    service().store.put(stopped)
    finished.open(run=stopped.key)
    assert "Ended: stopped before its end." in finished.texts
    assert go_on(finished, 8).key == whole.key


def test_past_an_end_of_its_own_a_branch_is_written(app: App) -> None:
    app.open()
    app.test.session_state["stop"] = "\n".join(map(chr, range(ord("a"), ord("z") + 1))) + "\n "
    app.run().generate()
    ended = trace(app)
    assert ended.finish_reason == "stop"
    assert app.test.button(key=GO_ON).label == "Go on past the end"
    past = go_on(app, 3)
    assert past.parent == (ended.key, len(ended))
    assert past.token_ids[: len(ended)].tolist() == ended.token_ids.tolist()
    assert session(app).branch(past.key).name == f"past the end at {len(ended):,}"


def test_the_number_offered_fits_the_context(finished: App) -> None:
    from tokenscope_core.models.files.facts import facts_of
    from tokenscope_core.models.files.model_files import find

    files = find(finished.test.session_state["model"])
    assert files is not None
    context = facts_of(files).context
    assert context is not None
    room = context - len(trace(finished))
    assert finished.test.number_input(key="go on for").max == room
    full = go_on(finished, room)
    if full.finish_reason == "length":
        assert "It fills the model’s context" in finished.texts
        assert GO_ON not in [button.key for button in finished.test.button]


def test_a_token_can_be_looked_at_while_others_arrive(app: App) -> None:
    app.test.session_state["max_new_tokens"] = 200
    app.open().press("Generate")
    app.until(lambda: app.run().state.ticket is None or "Click" in app.texts or _growing(app))
    growing = app.state.ticket and app.state.ticket.trace_so_far(measured=True)
    assert growing, "it is still being written"
    position = growing.prompt_length - 1
    app.test.session_state["run_state"] = replace(app.state, selected=position)
    app.run()
    assert app.state.busy
    assert f"Position {position:,} (0 to" in app.texts
    assert "The model’s own distribution" in app.texts
    app.press("Stop")
    assert app.state.selected == position, "it stays selected"


def _growing(app: App) -> bool:
    ticket = app.state.ticket
    found = ticket and ticket.trace_so_far(measured=True)
    return bool(found) and len(found) > found.prompt_length
