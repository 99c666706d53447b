"""What is said of one token beside its row: what it leans on, one pair in all heads, several tokens
together, what tokens receive and who attends to one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attention_screen import LAYER, captured, look_of, reader, settled, sources, table_with

import tokenscope_core as ts
from tokenscope_core.display.formatting import metric_text

App = Any


def test_the_sink_is_set_apart_until_somebody_wants_it(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, token=str(len(trace) - 1))
    settled(page, "sink masked")
    assert "taken out here" in page.texts
    assert page.test.query_params["mask"] == "auto"
    page.test.toggle(key="attention_mask").set_value(False)
    settled(page, "sink shown")
    assert page.test.query_params["mask"] == "0"


def test_what_a_token_leans_on_is_that_of_the_core(page: App, trace: ts.Trace) -> None:
    position = len(trace) - 1
    page.open(run=trace.key, view="token", layer="1", head="2", token=str(position), mask="0")
    settled(page, "What it leans on")
    found = captured(trace)
    expected = ts.leaning(found, trace, layer=LAYER, head=2, positions=[position - 1])
    table = next(t.value for t in page.test.table if "weighted" in t.value)
    assert table["of what it attends to"].tolist() == [
        "probability", "margin", "entropy", "surprisal",
    ]  # fmt: skip
    bits = float(expected.values["surprisal"][0]) / np.log(2)
    assert table["weighted"].tolist()[3] == metric_text("surprisal", bits)
    prompt = 100 * float(expected.prompt_share[0])
    assert f"{prompt:.0f} % of the rest is on the prompt" in page.texts


def test_one_pair_is_shown_in_every_head_and_the_key_can_be_chosen(
    page: App, trace: ts.Trace
) -> None:
    position = len(trace) - 1
    page.open(run=trace.key, view="token", layer="1", head="2", token=str(position), mask="0")
    settled(page, "Most in layer")
    row = ts.attention(reader(trace), trace, queries=(position - 1, position))
    key = int(captured(trace).of(LAYER, 2)[position - 1].argmax())
    grid = ts.pair_grid(row, position - 1, key)
    at, head = np.unravel_index(int(np.nanargmax(grid.weights)), grid.weights.shape)
    assert f"Most in layer {grid.layers[at]}, head {head}" in page.texts
    other = next(k for k in sources(page)["at"].tolist() if k != key)
    page.test.selectbox(key="attention_pair_key").select(other)
    page.run()
    assert look_of(page).key == other
    grid = ts.pair_grid(row, position - 1, other)
    at, head = np.unravel_index(int(np.nanargmax(grid.weights)), grid.weights.shape)
    assert f"Most in layer {grid.layers[at]}, head {head}" in page.texts


def test_several_tokens_attend_to_the_mean_of_their_rows(page: App, trace: ts.Trace) -> None:
    page.open(
        run=trace.key, view="token", layer="1", head="1", question="at", mask="0",
        together="picked", picked="5-8",
    )  # fmt: skip
    settled(page, "the mean of the")
    expected = captured(trace).of(LAYER, 1)[[5, 8]].mean(axis=0)
    table = sources(page)
    assert table["at"].tolist()[0] == int(expected.argmax())
    np.testing.assert_allclose(table["weight"].iloc[0], 100 * expected.max(), rtol=2e-3)
    assert "2 tokens" in page.texts


def test_tokens_are_added_one_by_one_and_cleared(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="token", layer="1", head="1", together="picked", token="6")
    settled(page, "None is picked yet")
    page.press("Add the selected token")
    settled(page, "1 token")
    assert look_of(page).picked == (6,)
    page.press("Take it out")
    settled(page, "None is picked yet")
    page.open(run=trace.key, view="token", layer="1", together="picked", picked="2-900-4")
    settled(page, "2 tokens")


def test_all_of_a_line_is_looked_at_together_and_by_the_column(page: App, trace: ts.Trace) -> None:
    page.open(
        run=trace.key, view="token", layer="1", head="1", token="4", together="line",
        direction="to", question="at", mask="0",
    )  # fmt: skip
    settled(page, "What attends to any of")
    line = [p for p in range(len(trace)) if trace.text_bytes[: trace.byte_start[p]].count(b"\n")
            == trace.text_bytes[: trace.byte_start[4]].count(b"\n")
            and trace.byte_end[p] > trace.byte_start[p]]  # fmt: skip
    expected = captured(trace).of(LAYER, 1)[:, line].sum(axis=1)
    table = sources(page)
    np.testing.assert_allclose(table["weight"].iloc[0], 100 * expected.max(), rtol=2e-3)


def test_what_every_token_receives_is_that_of_the_core(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="received", mask="0")
    settled(page, "What receives most")
    found = ts.received(reader(trace), trace)
    table = table_with(page, "even", "rows")
    expected = found.of()
    assert table["at"].tolist() == np.argsort(-expected, kind="stable")[: len(table)].tolist()
    assert "Mean of 2 layers and their heads" in page.texts
    page.test.toggle(key="attention_mask").set_value(True)
    settled(page, "set apart")
    apart = table_with(page, "even", "rows")["at"].tolist()
    assert not {*found.sinks.positions} & {*apart}


@pytest.mark.parametrize("rows", ["all", "predicting"])
def test_what_is_received_in_one_head(page: App, trace: ts.Trace, rows: str) -> None:
    page.open(
        run=trace.key, view="received", layer="1", head="3", one_head="1", received_rows=rows,
        received="ratio", mask="0",
    )  # fmt: skip
    settled(page, "Layer 1, head 3")
    frame = ts.received(reader(trace), trace, rows=rows).frame(1, 3)  # type: ignore[arg-type]
    best = frame.dropna(subset="ratio").sort_values("ratio", ascending=False, kind="stable")
    best = best[best["received"] > 0]
    table = table_with(page, "even", "rows")
    assert table["at"].tolist() == best["position"].tolist()[: len(table)]


@pytest.mark.parametrize("columns", ["layer", "head"])
def test_who_attends_to_a_token_opens_from_what_it_receives(
    page: App, trace: ts.Trace, columns: str
) -> None:
    page.open(run=trace.key, view="received", token="3", columns=columns)
    settled(page, "Who attends to it")
    settled(page, "Click a cell to see that row on the code")
    assert "Receives" in page.texts
    page.open(run=trace.key, view="received", token=str(len(trace) - 1))
    settled(page, "No later token")
