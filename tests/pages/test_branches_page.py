"""The page of branches, on trees that a tiny model grew."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tokenscope_core as ts
from tokenscope_core import Edit, Request, Session, Trace
from tokenscope_core.branches.plans import plan
from tokenscope_core.jobs.generation_tasks import Branched
from tokenscope_ui.server.server import service

App = Any
PAGE = "pages/branches.py"
REQUEST = Request("def f(a):\n", max_new_tokens=12, sampling=ts.Sampling(1.0, seed=3))


def run(model: str, wanted: Any) -> Trace:
    view = service().submit(model, wanted, "someone").wait(60.0)
    assert view.trace is not None
    return view.trace


def branch(model: str, parent: Trace, position: int, token_id: int, **more: Any) -> Trace:
    edit = Edit(position, (token_id,))
    return run(model, Branched((plan(parent, edit, **more),)))


@pytest.fixture
def grown(app: App, tiny_folder: str) -> tuple[Session, list[Trace]]:
    """A run, a branch of it, a branch of that, and one more of the run; kept as “made”."""
    root = run(tiny_folder, REQUEST)
    fork = root.prompt_length + 2
    child = branch(tiny_folder, root, fork, 70)
    deeper = branch(tiny_folder, child, fork + 3, 80)
    other = branch(tiny_folder, root, fork + 1, 90, max_new_tokens=3)
    session = Session.start(root).add(child, parent=root).add(deeper, parent=child)
    session = session.add(other, parent=root)
    service().store.put_session("made", session.to_bytes())
    return session, [root, child, deeper, other]


def open_page(app: App, **address: str) -> App:
    for name, value in address.items():
        app.test.query_params[name] = value
    app.test.switch_page(PAGE)
    return app.run()


def lanes(app: App) -> list[dict[str, Any]]:
    """What the drawing is given."""
    for element in app.test.get("bidi_component"):
        message = element.proto.bytes.partition(b"\n")[2]
        if message.startswith(b'{"lanes"'):
            drawn: list[dict[str, Any]] = json.loads(message)["lanes"]
            return drawn
    raise AssertionError("no tree is drawn")


def tree(app: App) -> Session:
    session: Session = app.test.session_state["session_state"].session
    return session


def told(app: App) -> str:
    """What the page says in passing, as it reads."""
    return "\n".join(toast.value for toast in app.test.toast).replace("\\", "")


def field(app: App, kind: str, key: str) -> Any:
    return next(e for e in getattr(app.test, kind) if (e.key or "") == key)


def test_without_a_tree_the_page_says_what_to_do(app: App) -> None:
    open_page(app)
    assert "No branches yet" in app.texts


def test_every_branch_has_a_lane_from_its_fork_to_its_end(
    app: App, grown: tuple[Session, list[Trace]]
) -> None:
    session, traces = grown
    drawn = {lane["key"]: lane for lane in lanes(open_page(app, session="made"))}
    assert len(drawn) == 4
    for trace in traces:
        start = trace.branch[1].position if trace.branch else 0
        lane = drawn[trace.key]
        assert (lane["start"], lane["end"]) == (start, len(trace))
        assert lane["name"] == session.branch(trace.key).name


def test_a_name_is_changed_undone_and_changed_again(
    app: App, grown: tuple[Session, list[Trace]]
) -> None:
    key = grown[1][3].key
    open_page(app, session="made")
    before = tree(app).branch(key).name
    field(app, "text_input", f"branch name {key}").set_value("<b>x</b> 👩‍🚀 *y*")
    app.run()
    assert tree(app).branch(key).name == "<b>x</b> 👩‍🚀 *y*"
    app.press("Undo")
    assert field(app, "text_input", f"branch name {key}").value == before
    assert "Undone: renaming" in told(app)
    app.press("Redo")
    assert tree(app).branch(key).name == "<b>x</b> 👩‍🚀 *y*"


def test_a_blank_name_is_refused_in_words(app: App, grown: tuple[Session, list[Trace]]) -> None:
    key = grown[1][3].key
    open_page(app, session="made")
    before = tree(app).branch(key).name
    field(app, "text_input", f"branch name {key}").set_value("  ")
    app.run()
    assert tree(app).branch(key).name == before
    assert field(app, "text_input", f"branch name {key}").value == before
    assert "at least one character" in told(app)


def test_a_long_note_and_a_colour_are_kept_in_the_store(
    app: App, grown: tuple[Session, list[Trace]]
) -> None:
    key = grown[1][3].key
    open_page(app, session="made")
    field(app, "text_area", f"branch note {key}").set_value("n" * 5_000)
    app.run()
    field(app, "selectbox", f"branch colour {key}").set_value(6)
    app.run()
    blob = service().store.get_session("made")
    assert blob is not None
    kept = Session.from_bytes(blob).branch(key)
    assert (kept.note, kept.colour) == ("n" * 5_000, 6)


def test_a_removed_branch_comes_back_with_what_grew_on_it(
    app: App, grown: tuple[Session, list[Trace]]
) -> None:
    session, traces = grown
    service().store.put_session("made", session.select(traces[1].key).to_bytes())
    open_page(app, session="made").press("Remove, with the 1 that grew on it")
    assert f"Removed “{session.branch(traces[1].key).name}” and the 1" in told(app)
    assert "Undo brings it back" in told(app)
    assert {lane["key"] for lane in lanes(app)} == {traces[0].key, traces[3].key}
    assert tree(app).current == app.state.trace.key == traces[0].key
    app.press("Undo")
    assert len(lanes(app)) == 4
    assert tree(app).current == traces[1].key


def test_the_first_run_cannot_be_removed(app: App, grown: tuple[Session, list[Trace]]) -> None:
    session, traces = grown
    service().store.put_session("made", session.select(traces[0].key).to_bytes())
    open_page(app, session="made")
    assert next(b for b in app.test.button if b.label == "Remove").disabled


def test_the_order_of_the_table_is_picked(app: App, grown: tuple[Session, list[Trace]]) -> None:
    _, traces = grown
    open_page(app, session="made")

    def logprobs() -> list[float]:
        column: list[float] = app.test.dataframe[0].value["logprob"].tolist()
        return column

    assert app.test.dataframe[0].value["order"].tolist() == [1, 2, 3, 4]
    app.test.session_state["branches_sort"] = "sequence log-probability"
    app.run()
    assert logprobs() == sorted(logprobs(), reverse=True)
    service().store.delete(traces[2].key)
    app.run()
    assert app.test.dataframe[0].value["order"].tolist()[-1] == 3


@pytest.mark.parametrize("lost", [[2], [1, 2], [0, 1, 2], [0, 1]])
def test_what_the_store_lost_is_computed_again_to_the_same_keys(
    app: App, grown: tuple[Session, list[Trace]], lost: list[int]
) -> None:
    session, traces = grown
    target = traces[lost[-1]]
    service().store.put_session("made", session.select(target.key).to_bytes())
    for index in lost:
        service().store.delete(traces[index].key)
    open_page(app, session="made")
    assert "no longer stored" in app.texts
    assert "does not hold it" not in app.texts, "it is not the address that is wrong"
    app.press("Compute it again")
    app.until(lambda: app.run().state.trace is not None)
    for index in lost:
        again = service().store.get(traces[index].key)
        assert again is not None
        assert again.token_ids.tolist() == traces[index].token_ids.tolist()
    assert len(tree(app)) == 4
    assert app.state.trace.key == target.key


def test_a_run_that_was_stopped_is_computed_again_as_far_as_it_came(
    app: App, tiny_folder: str
) -> None:
    from tokenscope_core.sessions.traces import cut_short

    whole = run(tiny_folder, REQUEST)
    stopped = cut_short(whole, len(whole) - 4)
    service().store.delete(whole.key)
    service().store.put_session("made", Session.start(stopped).to_bytes())
    open_page(app, session="made").press("Compute it again")
    app.until(lambda: "Compute it again" not in app.run().buttons)
    again = service().store.get(stopped.key)
    assert again is not None
    assert again.token_ids.tolist() == stopped.token_ids.tolist()
    assert len(tree(app)) == 1


def test_a_model_that_is_gone_is_named_and_stored_branches_still_open(
    app: App, grown: tuple[Session, list[Trace]], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, traces = grown
    service().store.put_session("made", session.select(traces[2].key).to_bytes())
    service().store.delete(traces[2].key)
    monkeypatch.delenv("TOKENSCOPE_MODELS")
    open_page(app, session="made").press("Compute it again")
    assert f"by the model “{session.model.name}”" in app.texts
    assert "not available here" in app.texts
    app.press("Undo").press("Undo")
    assert app.state.trace.key == traces[1].key


def test_another_tree_of_the_visit_is_opened_again(
    app: App, grown: tuple[Session, list[Trace]], tiny_folder: str
) -> None:
    elsewhere = run(tiny_folder, Request("elsewhere", max_new_tokens=2))
    service().store.put_session("other", Session.start(elsewhere).to_bytes())
    open_page(app, session="made")
    app.test.query_params["session"] = "other"
    app.test.query_params.pop("run", None)
    app.run()
    assert tree(app).root.key == elsewhere.key
    field(app, "selectbox", "branches_other").set_value("made")
    app.run()
    assert tree(app) == grown[0]
    assert app.test.query_params["session"] == "made"


def test_a_tree_that_another_tab_changed_goes_on_as_a_copy_and_says_so(
    app: App, grown: tuple[Session, list[Trace]]
) -> None:
    session, traces = grown
    key = traces[3].key
    open_page(app, session="made")
    service().store.put_session("made", session.rename(key, "elsewhere").to_bytes())
    field(app, "text_input", f"branch name {key}").set_value("here")
    app.run()
    assert "The same was changed elsewhere" in app.texts
    assert tree(app).branch(key).name == "here"
    blob = service().store.get_session("made")
    assert blob is not None
    assert Session.from_bytes(blob).branch(key).name == "elsewhere"


def test_a_run_opened_by_its_address_has_the_tree_it_grew_in(
    app: App, grown: tuple[Session, list[Trace]]
) -> None:
    _, traces = grown
    open_page(app, run=traces[2].key)
    assert [lane["key"] for lane in lanes(app)] == [trace.key for trace in traces[:3]]
    assert tree(app).current == traces[2].key


def test_turning_to_another_branch_does_not_stop_a_run(
    app: App, grown: tuple[Session, list[Trace]]
) -> None:
    session, _ = grown
    app.open(session="made")
    app.test.session_state["max_new_tokens"] = 400
    app.run().press("Generate")
    assert app.state.busy
    app.test.switch_page(PAGE)
    app.run().press("Undo")
    assert app.state.busy, "otherwise this shows nothing"
    assert tree(app).current != session.current
    app.until_ended()
    assert app.state.outcome.phase == "done"
    assert app.state.trace.finish_reason != "cancelled"


def test_a_change_that_cannot_be_kept_stays_on_screen_and_says_so(
    app: App, grown: tuple[Session, list[Trace]], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = grown[1][3].key
    open_page(app, session="made")

    def full(*_: object, **__: object) -> None:
        raise ts.RecordError(asked="It was to be kept.", found="No space.", action="Make room.")

    monkeypatch.setattr(service().store, "put_session", full)
    field(app, "text_input", f"branch name {key}").set_value("unkept")
    app.run()
    assert "on this screen only" in app.texts
    assert "No space." in app.texts
    assert tree(app).branch(key).name == "unkept"
    monkeypatch.undo()
    app.press("Undo")
    assert "on this screen only" not in app.texts


def test_a_damaged_tree_is_a_named_problem(app: App) -> None:
    service().store.put_session("damaged", b"not a session")
    open_page(app, session="damaged")
    assert "No branches yet" in app.texts
    assert "session" in next(t.value for t in app.test.text).lower()


def test_an_address_of_an_unknown_tree_says_so(app: App) -> None:
    open_page(app, session="nowhere")
    assert "does not hold it" in app.texts
    assert "No branches yet" in app.texts
