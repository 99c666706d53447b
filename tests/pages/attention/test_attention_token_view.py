"""One token on the code: which row or column is read, of which head, with or without the sink."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attention_screen import (
    LAYER,
    captured,
    reader,
    settled,
    sources,
)

import tokenscope_core as ts
from tokenscope_core.attention.heads.sinks import sinks_in, without
from tokenscope_core.attention.on_demand import rollout
from tokenscope_ui.server.server import service

App = Any


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
    settled(page, "its own row")
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
    settled(page, "its own row")
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


def test_rollout_is_that_of_the_core(page: App, trace: ts.Trace) -> None:
    position = len(trace) - 1
    page.open(run=trace.key, view="token", layer="rollout", token=str(position), question="at")
    settled(page, "All layers, rolled out")
    row = rollout(reader(trace), trace)[position]
    np.testing.assert_allclose(sources(page)["weight"].iloc[0], 100 * row.max(), rtol=2e-3)
