"""Changing a token on the decode page: every way makes a branch, and none overwrites another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tokenscope_core import ContextLengthError, Influence, Session, Trace
from tokenscope_core.branches.influence import Effect
from tokenscope_core.jobs.analysis_tasks import InfluenceOf
from tokenscope_core.sessions import session as session_module
from tokenscope_ui.request import controls, model_picker
from tokenscope_ui.runs import runs
from tokenscope_ui.server.server import service
from tokenscope_ui.trace import what_if

App = Any


@pytest.fixture
def drawn(app: App) -> App:
    """The app with a finished run and its sixth generated token selected."""
    app.open().generate()
    return select(app, trace(app).prompt_length + 5)


def trace(app: App) -> Trace:
    shown = app.state.trace
    assert shown is not None
    return shown


def session(app: App) -> Session:
    held = app.test.session_state["session_state"].session
    assert isinstance(held, Session)
    return held


def select(app: App, position: int | None) -> App:
    app.test.session_state["run_state"] = replace(app.state, selected=position)
    return app.run()


def grow(app: App, key: str) -> Trace:
    app.test.button(key=key).click()
    app.run().until_ended()
    assert app.state.problem is None, app.state.problem
    return trace(app)


def test_a_candidate_put_in_place_makes_a_branch(drawn: App) -> None:
    parent, position = trace(drawn), drawn.state.selected
    other = next(
        i for i in parent.candidate_ids[position].tolist() if i != parent.token_ids[position]
    )
    child = grow(drawn, "put candidate")
    assert child.parent == (parent.key, position)
    assert child.token_ids[position] == other
    assert len(child) == len(parent)
    assert [branch.key for branch in session(drawn).branches] == [parent.key, child.key]
    assert drawn.state.selected == position, "the place stays in view"
    assert drawn.test.query_params["run"] == child.key


def test_typed_text_says_its_tokens_and_replaces(drawn: App) -> None:
    parent, position = trace(drawn), drawn.state.selected
    drawn.test.text_input(key="what if text").set_value("while é:\\n")
    drawn.run()
    assert "tokens: `" in drawn.texts
    child = grow(drawn, "put text")
    start = int(parent.byte_start[position])
    assert child.text_bytes[start:].startswith("while é:\n".encode())
    assert child.text_bytes[:start] == parent.text_bytes[:start]


def test_a_backslash_that_means_nothing_is_said_where_it_is_typed(drawn: App) -> None:
    drawn.test.text_input(key="what if text").set_value("\\x")
    drawn.run()
    assert "backslash there means nothing" in drawn.texts
    assert drawn.test.button(key="put text").disabled


def test_no_token_replaced_inserts(drawn: App) -> None:
    parent, position = trace(drawn), drawn.state.selected
    drawn.test.text_input(key="what if text").set_value("x")
    drawn.test.number_input(key=f"what if removed {position}").set_value(0)
    drawn.run()
    assert drawn.test.button(key="put text").label == "Insert"
    child = grow(drawn, "put text")
    assert child.branch is not None
    assert child.branch[1].removed == 0
    np.testing.assert_array_equal(child.token_ids[:position], parent.token_ids[:position])


def test_deleting_and_rescoring_keeps_all_that_follows(drawn: App) -> None:
    parent, position = trace(drawn), drawn.state.selected
    drawn.test.selectbox(key="what if then").set_value(what_if.RESCORE)
    drawn.run()
    child = grow(drawn, "delete tokens")
    np.testing.assert_array_equal(child.token_ids, np.delete(parent.token_ids, position))
    assert set(child.source[position:].tolist()) == {"forced"}


def test_the_prompt_can_be_changed_and_kept(drawn: App) -> None:
    parent = trace(drawn)
    select(drawn, 1)
    child = grow(drawn, "put candidate")
    assert child.prompt_length == parent.prompt_length
    np.testing.assert_array_equal(
        child.token_ids[2 : child.prompt_length], parent.token_ids[2 : parent.prompt_length]
    )


def test_several_alternatives_grow_at_once(drawn: App) -> None:
    position = drawn.state.selected
    drawn.test.number_input(key="what if several").set_value(3)
    drawn.run()
    grow(drawn, "grow likeliest")
    tree = session(drawn)
    assert len(tree) == 4
    assert {b.edit.position for b in tree.branches[1:] if b.edit} == {position}


def test_drawing_anew_shows_the_spread(drawn: App) -> None:
    drawn.test.number_input(key="what if several").set_value(3)
    drawn.run()
    grow(drawn, "draw anew")
    seeds = {branch.request.sampling.seed for branch in session(drawn).branches}
    assert len(seeds) == 4


def test_open_positions_are_forked_in_one_go(app: App) -> None:
    app.open().generate()
    app.test.number_input(key="fork count").set_value(2)
    app.run()
    grow(app, "grow turning points")
    assert len(session(app)) == 3


def test_undo_takes_a_branch_back_and_redo_restores_the_very_key(drawn: App) -> None:
    parent = trace(drawn)
    child = grow(drawn, "put candidate")
    drawn.test.button(key="icon undo branch").click()
    drawn.run()
    assert trace(drawn).key == parent.key
    assert len(session(drawn)) == 1
    drawn.test.button(key="icon redo branch").click()
    drawn.run()
    assert child.key in session(drawn)


def test_the_tree_is_there_after_a_reload(drawn: App, app: App) -> None:
    child = grow(drawn, "put candidate")
    name = drawn.test.query_params["session"]
    again = type(app)(app.test.session_state["model"])
    again.open(session=name, run=child.key)
    assert trace(again).key == child.key
    assert len(session(again)) == 2
    assert again.test.text_area(key="prompt").value == app.test.text_area(key="prompt").value


def test_a_session_that_is_not_here_is_named(app: App) -> None:
    app.open(session="nowhere")
    assert "does not hold it" in app.texts


def test_changes_of_two_tabs_come_together_and_nothing_is_lost(drawn: App, app: App) -> None:
    first = grow(drawn, "put candidate")
    name = drawn.test.query_params["session"]
    other = type(app)(app.test.session_state["model"])
    other.open(session=name, run=first.key)
    select(other, trace(other).prompt_length + 7)
    grow(other, "put candidate")
    select(drawn, trace(drawn).prompt_length + 8)
    grow(drawn, "put candidate")
    assert drawn.test.query_params["session"] == name
    assert len(session(drawn)) == 4
    other.open(session=name)
    assert len(session(other)) == 4


def test_influence_is_measured_and_tints_the_code(app: App) -> None:
    app.open().generate()
    app.test.button(key="measure influence").click()
    app.run().until(lambda: "Tint by" in app.run().texts)
    app.test.selectbox(key="metric").set_value("influence")
    app.run()
    jumps = [b for b in app.test.button if (b.key or "").startswith("jump influence")]
    assert jumps
    assert "bits" in jumps[0].label


@pytest.mark.parametrize(("dtype", "said"), [("as stored", False), ("bfloat16", True)])
def test_influence_in_half_precision_says_that_it_holds_rounding(
    app: App, dtype: str, said: bool
) -> None:
    app.test.session_state["dtype"] = dtype
    app.open().generate()
    app.test.button(key="measure influence").click()
    app.run().until(lambda: "Tint by" in app.run().texts)
    assert ("rounding is in these figures" in app.texts) == said


def test_influence_that_was_measured_is_there_after_a_reload(app: App) -> None:
    app.open().generate()
    app.test.button(key="measure influence").click()
    app.run().until(lambda: "Tint by" in app.run().texts)
    again = type(app)(app.test.session_state["model"])
    again.open(**app.test.query_params)
    assert "Tint by" in again.texts


def test_influence_that_was_stopped_says_so_and_can_be_measured_to_its_end(app: App) -> None:
    app.open().generate()
    shown = trace(app)
    state = app.test.session_state["influence_state"]
    position = shown.prompt_length
    state.found[shown.key] = Influence.of(shown, [Effect(position, 1, np.array([0.5]))])
    state.partial.add(shown.key)
    app.run()
    assert "Stopped: 1 token measured, the rest is missing" in app.texts
    app.test.button(key="measure influence").click()
    app.run().until(
        lambda: shown.key not in app.run().test.session_state["influence_state"].partial
    )
    found = app.test.session_state["influence_state"].found[shown.key]
    assert np.isfinite(found.total).sum() > 1
    assert "Stopped" not in app.texts


def test_turning_to_a_branch_takes_over_what_another_tab_has_grown(drawn: App, app: App) -> None:
    root = trace(drawn)
    first = grow(drawn, "put candidate")
    name = drawn.test.query_params["session"]
    other = type(app)(app.test.session_state["model"])
    other.open(session=name, run=first.key)
    select(other, trace(other).prompt_length + 7)
    grow(other, "put candidate")
    drawn.test.selectbox(key="branch_shown").set_value(root.key)
    drawn.run()
    assert drawn.test.query_params["session"] == name
    assert len(session(drawn)) == 3
    assert trace(drawn).key == root.key


def test_a_reload_while_a_branch_grows_leaves_the_controls_as_the_run_began(
    drawn: App, app: App
) -> None:
    parent = trace(drawn)
    drawn.test.selectbox(key="what if then").set_value(what_if.RESCORE)
    drawn.run()
    child = grow(drawn, "put candidate")
    job = drawn.state.outcome.job_id
    again = type(app)(app.test.session_state["model"]).open(run=job)
    assert trace(again).key == child.key
    assert "Generate" in again.buttons, "rescoring a branch is not scoring a prompt"
    assert again.test.number_input(key="max_new_tokens").value == parent.request.max_new_tokens
    assert {parent.key, child.key} == {branch.key for branch in session(again).branches}


def test_pressing_generate_twice_does_not_begin_again(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.test.session_state["max_new_tokens"] = 200
    tickets = []

    def twice() -> None:
        for _ in range(2):
            controls.runs.start(model_picker.chosen(), controls._request())
            tickets.append(runs.current().ticket)
            while not tickets[-1].view().new_tokens:
                tickets[-1].wait(0.01)

    monkeypatch.setattr(controls, "submit", twice)
    app.open().press("Generate")
    app.until_ended()
    assert tickets[0].view().phase == "done"
    assert app.state.outcome.phase == "done"


def test_growing_where_nothing_was_open_says_so(app: App) -> None:
    app.open().generate()
    shown = trace(app)
    # Another trace has another key: what is read of one is remembered by that.
    only = replace(
        shown,
        candidate_ids=np.full((len(shown), 1), -1),
        request=replace(shown.request, candidates=1),
    )
    app.test.session_state["run_state"] = replace(app.state, trace=only)
    app.run()
    app.test.button(key="grow turning points").click()
    app.run()
    assert "more candidates recorded" in str(app.state.problem)


def test_a_tree_that_is_full_says_so_and_shows_the_branch(
    drawn: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = trace(drawn)
    monkeypatch.setattr(session_module, "MAX_BRANCHES", 1)
    drawn.test.button(key="put candidate").click()
    drawn.run().until_ended()
    assert "remove some" in str(drawn.state.problem)
    assert trace(drawn).parent == (root.key, drawn.state.selected)


def test_influence_that_ended_while_another_branch_was_shown_is_not_lost(drawn: App) -> None:
    root = trace(drawn)
    child = grow(drawn, "put candidate")
    ticket = service().analyse(drawn.test.session_state["model"], InfluenceOf(root), "tab")
    assert ticket.wait(30.0).phase == "done"
    measuring = drawn.test.session_state["influence measuring"]
    measuring.ticket, measuring.subject = ticket, root.key
    select(drawn, None)
    drawn.test.button(key="measure influence").click()
    drawn.run()
    assert trace(drawn).key == child.key
    assert root.key in drawn.test.session_state["influence_state"].found


def test_a_branch_too_long_for_the_model_is_not_offered_as_another_run(drawn: App) -> None:
    problem = ContextLengthError(
        prompt_tokens=100, max_new_tokens=50, context_length=120, tail="", branch=True
    )
    drawn.test.session_state["run_state"] = replace(drawn.state, problem=problem)
    drawn.run()
    assert "The branch begins by reading 100 tokens" in drawn.texts
    assert not [label for label in drawn.buttons if "instead" in label or "tail" in label]


def test_a_prompt_that_a_person_changed_is_not_blamed_on_the_tokenizer(drawn: App) -> None:
    select(drawn, 2)
    grow(drawn, "put candidate")
    assert "as typed" not in drawn.texts


def test_influence_chosen_here_gives_way_on_a_page_that_does_not_have_it(app: App) -> None:
    app.open().generate()
    app.test.button(key="measure influence").click()
    app.run().until(lambda: "Tint by" in app.run().texts)
    app.test.selectbox(key="metric").set_value("influence")
    app.run()
    app.test.switch_page("pages/syntax.py")
    app.run()
    assert app.test.selectbox(key="metric").value == "surprisal"
