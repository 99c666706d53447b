"""The page of attention in each of its states, on a tiny model."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import tiny_models
from made_traces import made
from streamlit.testing.v1 import AppTest
from tiny_models import language_model

import tokenscope_core as ts
from tokenscope_core.attention.flow_sums import flow_in
from tokenscope_core.attention.head_statistics import HEAD_STATISTICS
from tokenscope_core.attention.on_demand import attention, rollout
from tokenscope_core.attention.selection import Selection
from tokenscope_core.attention.sinks import sinks_in, without
from tokenscope_core.attention.summaries import head_overview
from tokenscope_core.attention.tasks import AttentionOf
from tokenscope_core.branches import plan
from tokenscope_core.tasks import Branched
from tokenscope_ui.attention.look import Look
from tokenscope_ui.server import service

App = Any
PAGE = "pages/attention.py"
ROOT = Path(__file__).resolve().parents[2]
PROMPT = "def add(a, b):\n"
LAYER = 1
CAPTURE = f"Capture layer {LAYER}"


@pytest.fixture
def page(app: App) -> App:
    app.test.switch_page(PAGE)
    return app


@pytest.fixture
def trace(page: App, tiny_folder: str) -> ts.Trace:
    """A run of a model that this server has, and has in memory."""
    request = ts.Request(PROMPT, max_new_tokens=20)
    made_here = service().submit(tiny_folder, request, "someone").wait(60.0).trace
    assert made_here is not None
    return made_here


def captured(trace: ts.Trace, layer: int = LAYER) -> Any:
    """What the page has to show, from the same weights."""
    return attention(reader(trace), trace, layers=[layer])


def reader(trace: ts.Trace) -> Any:
    """The same weights under the name that the trace knows them by."""
    lm = language_model()
    return replace(lm, identity=trace.model)


def look_of(page: App) -> Look:
    look: Look = page.test.session_state["attention"]
    return look


def sources(page: App) -> Any:
    return next(t.value for t in page.test.dataframe if "even" in t.value and "token" in t.value)


def settled(page: App, wanted: str) -> App:
    return page.until(lambda: wanted in page.run().texts)


def test_without_a_trace_the_page_says_how_to_begin(page: App) -> None:
    page.open()
    assert "Nothing to look at yet" in page.texts


def test_an_unknown_address_is_explained(page: App) -> None:
    page.open(run="feedface")
    assert "This server does not hold it" in page.texts


def test_a_small_capture_of_a_loaded_model_begins_unasked(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key)
    settled(page, "sink shown")
    assert "Layer 1, mean of heads" in page.texts
    assert "Pick a token on the code" in page.texts


def test_the_sources_are_those_of_the_row_that_predicts_the_token(
    page: App, trace: ts.Trace
) -> None:
    position = len(trace) - 2
    page.open(run=trace.key, view="token", layer="1", head="2", token=str(position))
    settled(page, "row that predicts it")
    row = captured(trace).of(LAYER, 2)[position - 1]
    table = sources(page)
    best = np.argsort(-row, kind="stable")[: len(table)]
    assert table["at"].tolist() == best.tolist()
    np.testing.assert_allclose(table["weight"], 100 * row[best], rtol=2e-3)


def test_the_row_at_the_token_is_another_question(page: App, trace: ts.Trace) -> None:
    position = len(trace) - 2
    page.open(run=trace.key, view="token", layer="1", head="2", token=str(position), question="at")
    settled(page, "row at it")
    row = captured(trace).of(LAYER, 2)[position]
    assert sources(page)["at"].tolist()[0] == int(row.argmax())


def test_what_attends_to_a_token_is_its_column(page: App, trace: ts.Trace) -> None:
    page.open(
        run=trace.key, view="token", layer="1", head="0", token="3", question="at", direction="to"
    )
    settled(page, "What attends to")
    column = captured(trace).of(LAYER, 0)[:, 3]
    table = sources(page)
    assert table["at"].tolist()[0] == int(column.argmax())
    assert min(table["at"]) >= 3


def test_by_the_rows_that_predict_a_column_is_painted_one_token_on(
    page: App, trace: ts.Trace
) -> None:
    page.open(run=trace.key, view="token", layer="1", head="0", token="3", direction="to")
    settled(page, "rows that predict")
    column = captured(trace).of(LAYER, 0)[:-1, 3]
    assert sources(page)["at"].tolist()[0] == int(column.argmax()) + 1


def test_changing_the_head_asks_no_model(
    page: App, trace: ts.Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    position = len(trace) - 1
    page.open(run=trace.key, view="token", layer="1", head="0", token=str(position))
    settled(page, "row that predicts it")

    def refuse(*_: Any) -> None:
        raise AssertionError("the model was asked")

    monkeypatch.setattr(service(), "analyse", refuse)
    page.test.selectbox(key="attention_head").select(3)
    page.run()
    row = captured(trace).of(LAYER, 3)[position - 1]
    np.testing.assert_allclose(sources(page)["weight"].iloc[0], 100 * row.max(), rtol=2e-3)
    assert page.test.query_params["head"] == "3"


def test_the_first_token_has_no_row_that_predicts_it(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="token", layer="1", token="0")
    settled(page, "Nothing precedes the first token")
    page.open(run=trace.key, view="token", layer="1", token="0", question="at")
    settled(page, "row at it")
    assert sources(page)["weight"].tolist() == [100.0]


def test_the_sink_is_masked_by_one_switch_and_said_to_be(page: App, trace: ts.Trace) -> None:
    position = len(trace) - 1
    page.open(run=trace.key, view="token", layer="1", head="1", token=str(position))
    settled(page, "sink shown")
    page.test.toggle(key="attention_mask").set_value(True)
    settled(page, "sink masked")
    found = captured(trace)
    kept = without(found, sinks_in(found).positions).of(LAYER, 1)[position - 1]
    np.testing.assert_allclose(sources(page)["weight"].iloc[0], 100 * kept.max(), rtol=5e-3)
    assert page.test.query_params["mask"] == "1"


def test_a_copied_link_shows_the_same(page: App, trace: ts.Trace, tiny_folder: str) -> None:
    address = {
        "run": trace.key, "view": "token", "layer": "0", "head": "2", "token": "9",
        "question": "at", "scale": "log", "mask": "1", "weighting": "value norms",
    }  # fmt: skip
    page.open(**address)
    settled(page, "masked")
    before = sources(page)
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30.0)
    other.switch_page(PAGE)
    for name in [*address]:
        other.query_params[name] = page.test.query_params[name]
    other.run()
    assert not other.exception
    again = next(t.value for t in other.dataframe if "even" in t.value)
    assert again.equals(before)


def test_an_address_that_means_nothing_is_as_by_default(page: App, trace: ts.Trace) -> None:
    page.open(
        run=trace.key, view="moon", layer="-3", head="99", token="1000000", crop="?", lines="b-a",
        key="x", scale="2", question="why", queries="9-2",
    )  # fmt: skip
    settled(page, "sink shown")
    assert look_of(page).view == "token"
    assert look_of(page).head == "mean"


def test_a_layer_that_the_model_does_not_have_gives_way(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="token", layer="77")
    settled(page, "sink shown")
    assert look_of(page).layer == 1


def test_rollout_is_that_of_the_core(page: App, trace: ts.Trace) -> None:
    position = len(trace) - 1
    page.open(run=trace.key, view="token", layer="rollout", token=str(position), question="at")
    settled(page, "All layers, rolled out")
    row = rollout(reader(trace), trace)[position]
    np.testing.assert_allclose(sources(page)["weight"].iloc[0], 100 * row.max(), rtol=2e-3)


def test_a_model_out_of_memory_is_loaded_on_request_only(
    page: App, trace: ts.Trace, tiny_folder: str
) -> None:
    assert service().unload(tiny_folder)
    page.open(run=trace.key, view="token", layer="1")
    assert "The model is not in memory" in page.texts
    assert CAPTURE in page.buttons
    page.press(CAPTURE)
    settled(page, "sink shown")


def test_what_was_captured_once_needs_no_model(
    page: App, trace: ts.Trace, tiny_folder: str
) -> None:
    analysis = AttentionOf(trace, Selection(layers=(0,)))
    assert service().analyse(tiny_folder, analysis, "someone").wait(60.0).result is not None
    assert service().unload(tiny_folder)
    page.open(run=trace.key, view="token", layer="0")
    settled(page, "sink shown")
    assert service().loaded_model(tiny_folder) is None


def test_without_its_model_the_page_says_what_it_takes(page: App) -> None:
    trace = made(["def", " f", "()", ":", "👋", "</script>"], prompt_length=2)
    service().store.put(trace)
    page.open(run=trace.key, token="3")
    assert "not on this machine" in page.texts
    assert "TOKENSCOPE_MODELS" in page.texts


def test_another_version_of_the_model_is_refused(page: App, trace: ts.Trace) -> None:
    other = replace(trace, model=replace(trace.model, fingerprint="f" * 64))
    service().store.put(other)
    page.open(run=other.key)
    assert "another version of it" in page.texts
    assert CAPTURE not in page.buttons


def test_a_capture_can_be_stopped_and_taken_up_again(
    page: App, trace: ts.Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Event()

    def endless(self: AttentionOf, lm: Any, report: Any, cancelled: Any) -> None:
        report(0, 1)
        begun.set()
        while not cancelled():
            time.sleep(0.01)

    with monkeypatch.context() as patch:
        patch.setattr(AttentionOf, "run", endless)
        page.open(run=trace.key, view="token", layer="1")
        assert begun.wait(30.0)
        page.run().press("Stop")
        assert "Stopped" in page.texts
    page.press("Capture the rest")
    settled(page, "sink shown")


@pytest.mark.parametrize(("head", "offered"), [("mean", "head 0"), ("2", "head 2")])
def test_what_does_not_fit_is_refused_with_less_as_buttons(
    page: App, tiny_folder: str, monkeypatch: pytest.MonkeyPatch, head: str, offered: str
) -> None:
    request = ts.Request(PROMPT * 20, max_new_tokens=0)
    trace = service().submit(tiny_folder, request, "someone").wait(60.0).trace
    assert trace is not None
    # All four heads are too much; one of them fits, and so do 64 rows.
    limits = replace(service().limits, capture_mb=0.6)
    monkeypatch.setattr(service(), "limits", limits)
    page.open(run=trace.key, view="token", layer="1", token="150", head=head)
    assert "too much at once" in page.texts
    less = [button for button in page.buttons if button.startswith("Capture layer 1")]
    assert any(offered in button for button in less)
    assert any("rows" in button for button in less)
    page.press(next(button for button in less if "rows" in button))
    settled(page, "Only the rows")
    assert "row that predicts it" in page.texts
    page.press("Ask for all of the layer")
    assert "too much at once" in page.texts
    page.press(next(button for button in page.buttons if offered in button))
    settled(page, "Only this head")


def test_the_matrix_view_names_what_it_is_cut_to(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="matrix", layer="1", crop="line")
    settled(page, "Select a token to cut the matrix")
    page.open(run=trace.key, view="matrix", layer="1", crop="function", token="0")
    settled(page, "outside of functions")
    for crop in ("prompt", "generated", "statement", "lines"):
        page.open(run=trace.key, view="matrix", layer="1", crop=crop, token="6", key="2")
        settled(page, "A row is a query")
    assert "goes to" in page.texts


def test_all_heads_are_listed_with_their_figures_and_open(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="heads", layer="1", head="2", statistic="mean_distance")
    settled(page, "All heads of 2 layers")
    expected = head_overview(reader(trace), trace)
    listed = next(t.value for t in page.test.dataframe if "mean distance" in t.value)
    assert len(listed) == 2 * 4
    best = np.unravel_index(
        np.argmax(expected.statistic("mean_distance")), expected.statistic("mean_distance").shape
    )
    assert (listed["layer"][0], listed["head"][0]) == (expected.layers[best[0]], best[1])
    table = next(t.value for t in page.test.table if "statistic" in t.value)
    assert table["statistic"].tolist() == [s.label for s in HEAD_STATISTICS]
    page.press("As a matrix")
    settled(page, "Layer 1, head 2")
    assert look_of(page).view == "matrix"


def test_heads_beyond_a_threshold_leave_the_list(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="heads", statistic="previous_token")
    settled(page, "8 heads, by previous-token score")
    values = np.sort(head_overview(reader(trace), trace).statistic("previous_token").ravel())
    page.test.slider(key="attention_threshold_previous_token").set_value(
        round(float(values[3] + values[4]) / 2, 4)
    )
    settled(page, "4 heads, by previous-token score")


def test_without_the_sink_all_heads_are_measured_anew(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="heads", mask="1", layer="1", head="0")
    settled(page, "sinks masked")


def test_the_flow_is_that_of_the_core(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="flow", layer="1", head="2")
    settled(page, "From the part on the left")
    expected = flow_in(captured(trace), trace, layer=LAYER, head=2).frame()
    table = next(t.value for t in page.test.dataframe if "is attended to" in t.value)
    named = expected[expected["uniform"] > 0]
    assert len(table) == len(named)
    np.testing.assert_allclose(np.sort(table["share (%)"]), np.sort(100 * named["mean"]), atol=0.05)


@pytest.mark.parametrize("parts", ["statement", "unit", "function"])
def test_the_flow_can_be_between_statements_and_functions(
    page: App, trace: ts.Trace, parts: str
) -> None:
    page.open(run=trace.key, view="flow", layer="1", parts=parts, tint="share", mask="1")
    settled(page, "From the part on the left")


def test_the_flow_of_all_layers_can_be_masked(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="flow", whole="1")
    settled(page, "From the part on the left")
    page.test.toggle(key="attention_mask").set_value(True)
    settled(page, "sinks masked")


def test_two_heads_are_laid_over_each_other(page: App, trace: ts.Trace) -> None:
    position = len(trace) - 2
    page.open(
        run=trace.key, view="compare", layer="1", head="0", layer_b="1", head_b="3",
        token=str(position), question="at",
    )  # fmt: skip
    settled(page, "Orange: B attends more")
    found = captured(trace)
    moved = found.of(LAYER, 3)[position] - found.of(LAYER, 0)[position]
    table = next(t.value for t in page.test.dataframe if "B − A" in t.value)
    assert table["at"].tolist()[0] == int(np.abs(moved).argmax())


def test_the_same_twice_is_said_to_differ_nowhere(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="compare", layer="1", layer_b="1")
    assert "every difference is 0" in page.texts


def test_two_branches_are_laid_over_each_other(
    page: App, trace: ts.Trace, tiny_folder: str
) -> None:
    position = trace.prompt_length + 4
    other = next(
        i for i in trace.candidate_ids[position].tolist() if i != trace.token_ids[position]
    )
    task = Branched((plan(trace, ts.Edit(position, (other,)), max_new_tokens=6),))
    child = service().submit(tiny_folder, task, "someone").wait(60.0).trace
    assert child is not None
    session = ts.Session.start(trace).add(child, parent=trace).select(trace.key)
    service().store.put_session("tree", session.to_bytes())
    page.open(
        session="tree", run=trace.key, view="compare", layer="1", branch_b=child.key,
        token=str(position + 2),
    )  # fmt: skip
    settled(page, "Orange: B attends more")
    assert "The rows that differ most" in [e.label for e in page.test.expander]


def test_a_long_text_of_a_missing_model_is_drawn(page: App) -> None:
    trace = made(["def"] + [f" x{i % 50}" for i in range(4999)], prompt_length=10)
    service().store.put(trace)
    page.open(run=trace.key, view="token", token="4999")
    assert "not on this machine" in page.texts


def test_a_model_without_attention_is_said_to_have_none(
    page: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models" / "mamba"
    tiny_models.model("mamba").save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    monkeypatch.setenv("TOKENSCOPE_MODELS", str(folder.parent))
    request = ts.Request(PROMPT, max_new_tokens=4)
    trace = service().submit(str(folder), request, "someone").wait(60.0).trace
    assert trace is not None
    page.open(run=trace.key, view="token", layer="0", token="3")
    page.until(lambda: "could not be captured" in page.run().texts or bool(page.test.button))
    if "Capture layer 0" in page.buttons:
        page.press("Capture layer 0")
    settled(page, "could not be captured")
    assert "None of its layers gives any" in page.texts
    assert "Try again" not in page.buttons
