"""The views of all rows at once: matrix, all heads, flow between parts of the program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attention_screen import (
    LAYER,
    captured,
    look_of,
    reader,
    settled,
    table_with,
)

import tokenscope_core as ts
from tokenscope_core.attention.flow.sums import flow_in
from tokenscope_core.attention.heads.statistics import HEAD_STATISTICS
from tokenscope_core.attention.on_demand import head_overview
from tokenscope_ui.server.server import service

App = Any


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
    listed = table_with(page, "mean distance")
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
    table = table_with(page, "is attended to")
    named = expected[expected["uniform"] > 0]
    assert len(table) == len(named)
    np.testing.assert_allclose(np.sort(table["share (%)"]), np.sort(100 * named["mean"]), atol=0.05)


def test_the_flow_of_a_single_token_says_why_there_is_none(page: App, tiny_folder: str) -> None:
    request = ts.Request("", max_new_tokens=0)
    single = service().submit(tiny_folder, request, "someone").wait(60.0).trace
    assert single is not None
    page.open(run=single.key, view="flow", layer="1")
    settled(page, "which has nothing to choose from")


@pytest.mark.parametrize("parts", ["statement", "unit", "function"])
def test_the_flow_can_be_between_statements_and_functions(
    page: App, trace: ts.Trace, parts: str
) -> None:
    page.open(run=trace.key, view="flow", layer="1", parts=parts, tint="share", mask="1")
    settled(page, "Colour: the share itself.")
    assert "Each row sums to 100 %." in page.texts


def test_the_flow_of_all_layers_can_be_masked(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="flow", whole="1")
    settled(page, "From the part on the left")
    page.test.toggle(key="attention_mask").set_value(True)
    settled(page, "sinks masked")
