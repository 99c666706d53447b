"""What the store has lost of a session is computed again, to the very same keys."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny_models

import tokenscope_core as ts
from tokenscope_core.decoding import prefill
from tokenscope_core.decoding.request_run import rows
from tokenscope_core.record.steps import as_measured
from tokenscope_core.sessions.session import Session
from tokenscope_core.sessions.traces import trace_of

REQUEST = ts.Request("def f(a):\n", 8, ts.Sampling(1.0, seed=3))


@pytest.fixture
def grown(lm: ts.LanguageModel, store: ts.Store) -> tuple[Session, list[ts.Trace]]:
    """A run, a fork of it and a fork of that, all stored, and read back from bytes."""
    root = ts.generate(lm, REQUEST)
    child = ts.fork(lm, root, root.prompt_length + 1, text="x")
    deeper = ts.fork(lm, child, 3, text="y", seed=8)
    traces = [root, child, deeper]
    for trace in traces:
        store.put(trace)
    session = Session.start(root).add(child, parent=root).add(deeper, parent=child)
    return Session.from_bytes(session.to_bytes()), traces


def assert_same(a: ts.Trace, b: ts.Trace) -> None:
    assert a.key == b.key
    assert a.token_ids.tolist() == b.token_ids.tolist()
    assert (a.source == b.source).all()
    assert (a.prompt_length, a.finish_reason) == (b.prompt_length, b.finish_reason)
    np.testing.assert_allclose(a.logprob, b.logprob, atol=1e-4)


def test_stored_traces_open_without_a_model(
    store: ts.Store, grown: tuple[Session, list[ts.Trace]]
) -> None:
    session, traces = grown
    for trace in traces:
        assert_same(trace_of(session, trace.key, store), trace)


@pytest.mark.parametrize("lost", [[0], [2], [1, 2], [0, 1, 2]])
def test_lost_traces_are_computed_again_and_kept(
    lm: ts.LanguageModel, store: ts.Store, grown: tuple[Session, list[ts.Trace]], lost: list[int]
) -> None:
    session, traces = grown
    for index in lost:
        store.delete(traces[index].key)
    for trace in reversed(traces):
        assert_same(trace_of(session, trace.key, store, lm), trace)
        assert store.get(trace.key) is not None


def test_what_is_stored_is_not_run_for(
    lm: ts.LanguageModel, store: ts.Store, grown: tuple[Session, list[ts.Trace]]
) -> None:
    session, traces = grown
    store.delete(traces[0].key)
    trace_of(session, traces[2].key, store, lm)
    assert store.get(traces[0].key) is None


def test_a_lost_trace_asks_for_its_model(
    store: ts.Store, grown: tuple[Session, list[ts.Trace]]
) -> None:
    session, traces = grown
    store.delete(traces[1].key)
    with pytest.raises(ts.RequestError, match="Load “tiny-llama”"):
        trace_of(session, traces[1].key, store)
    with pytest.raises(ts.RequestError, match="“tiny-gpt2” is another"):
        trace_of(session, traces[1].key, store, tiny_models.language_model("gpt2"))


@pytest.mark.parametrize("tokens", [1, 3, 9])
def test_a_stopped_run_is_computed_up_to_where_it_was_stopped(
    lm: ts.LanguageModel, store: ts.Store, tokens: int
) -> None:
    running, parts = as_measured(rows(lm, REQUEST)), []
    while sum(len(part) for part in parts) < tokens:
        parts.append(next(running))
    stopped = ts.Trace.from_rows(REQUEST, lm.identity, lm.vocabulary, parts, "cancelled")
    child = ts.fork(lm, stopped, 1, text="z", max_new_tokens=2)
    session = Session.start(stopped).add(child, parent=stopped)
    assert_same(trace_of(session, child.key, store, lm), child)
    assert_same(trace_of(session, stopped.key, store), stopped)


def test_a_run_stopped_in_its_prompt_is_cut_there_whatever_the_chunks(
    lm: ts.LanguageModel, store: ts.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as short_chunks:
        short_chunks.setattr(prefill, "piece_length", lambda lm: 2)
        running = rows(lm, REQUEST)
        parts = [next(running), next(running)]
    stopped = ts.Trace.from_rows(REQUEST, lm.identity, lm.vocabulary, parts, "cancelled")
    assert len(stopped) == 3
    assert_same(trace_of(Session.start(stopped), stopped.key, store, lm), stopped)


def test_a_stopped_run_that_comes_out_otherwise_is_named(
    lm: ts.LanguageModel, store: ts.Store
) -> None:
    trace = ts.generate(lm, REQUEST)
    ids = trace.token_ids.copy()
    ids[-1] = ids[0]
    elsewhere = dataclasses.replace(trace, token_ids=ids, finish_reason="cancelled")
    session = Session.start(elsewhere)
    with pytest.raises(ts.RecordError, match="comes out otherwise"):
        trace_of(session, elsewhere.key, store, lm)
