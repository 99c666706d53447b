"""Looking for places worth a look: begun, drawn, stepped through, stopped, and what it says."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tokenscope_core as ts
from tokenscope_core.branches.marks import marks
from tokenscope_core.display.visible import on_one_line
from tokenscope_ui.share import downloads
from tokenscope_ui.trace import look_here

App = Any
CODE = """def count(values):
    total = 0
    for value in values:
        if value <= 10 and value != 3:
            total = total + value * 2
    return max(total, 0)
"""


@pytest.fixture
def scored(app: App) -> App:
    app.open()
    app.test.session_state["mode"] = "Score code"
    app.test.session_state["prompt"] = CODE
    return app.run().generate("Score")


def look(app: App) -> ts.Hindsight:
    app.test.button(key="look here start").click()
    app.run().until(lambda: "Looked at" in app.run().texts)
    found = app.test.session_state["hindsight_state"].found[app.state.trace.key]
    assert isinstance(found, ts.Hindsight)
    return found


def sentences(app: App) -> list[Any]:
    return [b for b in app.test.button if (b.key or "").startswith("look at ")]


def test_places_are_listed_in_sentences_and_stepped_through(scored: App) -> None:
    start = scored.test.button(key="look here start")
    assert "times what scoring the text takes" in start.help
    found = look(scored)
    trace = scored.state.trace
    expected = marks(trace, found)
    assert 0 < len(expected) <= 3, "one function"
    shown = sentences(scored)
    assert [b.key for b in shown] == [f"look at {mark.position}" for mark in expected]
    clearest = expected[0]
    assert shown[0].label.startswith(f"Line {clearest.line}: ")
    taken = on_one_line(trace.vocabulary.token_bytes[int(trace.token_ids[clearest.position])])
    assert f"fits better here than `{taken}`: the choice" in shown[0].label
    for nats in (clearest.choice, clearest.rest):
        assert f"{abs(nats) / np.log(2):.1f} bits {'more' if nats >= 0 else 'less'}" in (
            shown[0].label
        )
    for mark in [*expected, expected[0]]:
        scored.test.button(key="look here next").click()
        scored.run()
        assert scored.state.selected == mark.position
        assert [b.key for b in sentences(scored)] == [f"look at {mark.position}"]
    assert f"1 of {len(expected)}" in scored.texts


def test_what_it_says_of_itself(scored: App) -> None:
    found = look(scored)
    assert "was not measured for this model" in scored.texts
    assert f"Looked at {len(found.asked)} tokens of {found.askable}" in scored.texts
    assert f"{100 * found.skipped:.0f} % were passed over" in scored.texts
    assert f"{len(found.given_up)} given up early" in scored.texts


def test_a_click_grows_the_branch_of_a_mark(scored: App) -> None:
    found = look(scored)
    parent = scored.state.trace
    mark = marks(parent, found)[0]
    scored.test.button(key=f"grow mark {mark.position}").click()
    scored.run().until_ended()
    child = scored.state.trace
    assert child.parent == (parent.key, mark.position)
    assert child.token_ids[mark.position] == mark.alternative_id


def test_what_was_found_is_there_after_a_reload_and_in_the_files(scored: App) -> None:
    found = look(scored)
    again = type(scored)(scored.test.session_state["model"])
    again.open(**scored.test.query_params)
    assert sentences(again)
    session, trace = again.test.session_state["session_state"].session, again.state.trace
    files = downloads.tables(session, trace, {}, for_spreadsheet=False)
    by_name = {file.label: file.make() for file in files}
    rows = pd.read_csv(io.BytesIO(by_name["Hindsight"]))
    np.testing.assert_allclose(rows["log_odds"], found.log_odds)
    tokens = pd.read_csv(io.BytesIO(by_name["Tokens"]))
    np.testing.assert_allclose(tokens["hindsight"], found.best(len(trace)))
    parquet = next(f.make() for f in downloads.of_trace(session, trace) if f.label == "Parquet")
    np.testing.assert_allclose(
        pd.read_parquet(io.BytesIO(parquet))["hindsight"], found.best(len(trace))
    )


def test_a_look_everywhere_takes_in_names_and_comments(scored: App) -> None:
    scored.test.toggle(key=look_here.EVERYWHERE).set_value(True)
    scored.run()
    scored.test.button(key="look here start").click()
    scored.run().until(lambda: "Looked at" in scored.run().texts)
    found = scored.test.session_state["hindsight everywhere_state"].found[scored.state.trace.key]
    assert found.skipped == 0
    assert "passed over" not in scored.texts


def test_where_nothing_stands_out_it_says_so(scored: App) -> None:
    found = look(scored)
    state = scored.test.session_state["hindsight_state"]
    key = scored.state.trace.key
    state.found[key] = replace(found, choice=found.choice - 100.0)
    scored.run()
    assert "Nothing stands out" in scored.texts
    assert not sentences(scored)
    assert "look here next" not in [b.key for b in scored.test.button]


def test_stopped_it_keeps_its_part_and_can_go_on(scored: App) -> None:
    found = look(scored)
    state = scored.test.session_state["hindsight_state"]
    key = scored.state.trace.key
    state.found[key] = replace(found, partial=True)
    state.partial.add(key)
    scored.run()
    assert "Stopped: the most surprising tokens were looked at first" in scored.texts
    assert sentences(scored)
    scored.test.button(key="look here start").click()
    scored.run().until(
        lambda: key not in scored.run().test.session_state["hindsight_state"].partial
    )


def test_generated_text_is_looked_at_too(app: App) -> None:
    app.open().generate()
    assert look(app).askable
