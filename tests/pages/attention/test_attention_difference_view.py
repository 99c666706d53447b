"""Two patterns laid over each other: heads, layers, branches."""

from __future__ import annotations

from typing import Any

import numpy as np
from attention_screen import (
    LAYER,
    captured,
    settled,
    table_with,
)

import tokenscope_core as ts
from tokenscope_core.branches.plans import plan
from tokenscope_core.jobs.generation_tasks import Branched
from tokenscope_ui.server.server import service

App = Any


def test_two_heads_are_laid_over_each_other(page: App, trace: ts.Trace) -> None:
    position = len(trace) - 2
    page.open(
        run=trace.key, view="compare", layer="1", head="0", layer_b="1", head_b="3",
        token=str(position), question="at",
    )  # fmt: skip
    settled(page, "Orange: B attends more")
    found = captured(trace)
    moved = found.of(LAYER, 3)[position] - found.of(LAYER, 0)[position]
    table = table_with(page, "B − A")
    assert table["at"].tolist()[0] == int(np.abs(moved).argmax())


def test_the_same_twice_is_said_to_differ_nowhere(page: App, trace: ts.Trace) -> None:
    page.open(run=trace.key, view="compare", layer="1", layer_b="1")
    assert "every difference is 0" in page.texts


def test_without_a_row_on_both_sides_none_are_said_to_be_the_same(
    page: App, trace: ts.Trace
) -> None:
    """The first row is all on the sink, and gone where that is masked."""
    page.open(run=trace.key, view="compare", layer="1", token="0", question="at", mask="1")
    settled(page, "One of the two rows is not there")
    assert "The two rows are the same" not in page.texts


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
    # Until somebody chose: another layer of the same branch.
    page.open(session="tree", run=trace.key, view="compare", layer="1", token=str(position + 2))
    settled(page, "Orange: B attends more")
    branch = page.test.selectbox(key="attention_branch_b")
    assert branch.options[branch.index] == "this branch"
    assert "**B** · **Layer 0, mean of heads**" in page.texts
    branch.select(child.key)
    settled(page, "**B** · **Layer 1, mean of heads**")
    assert page.test.query_params["branch_b"] == child.key
    page.test.selectbox(key="attention_branch_b").select("")
    settled(page, "**B** · **Layer 0, mean of heads**")
    page.open(branch_b=child.key)
    settled(page, "Orange: B attends more")
    assert "The rows that differ most" in [e.label for e in page.test.expander]
