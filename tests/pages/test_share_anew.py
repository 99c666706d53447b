"""Links made under a name by samples of large files, which no model is known to have any more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import tokenscope_core as ts
from tokenscope_core import Request, Session, Trace
from tokenscope_core.models.files import identity as model_identity
from tokenscope_core.models.files.digests import Digests
from tokenscope_core.models.files.model_files import ModelFiles, find, identify
from tokenscope_core.sessions.traces import cut_short
from tokenscope_core.sharing import links as share
from tokenscope_core.sharing import readings as share_readings
from tokenscope_core.sharing.readings import SharedReadings
from tokenscope_ui.server.server import service

App = Any
REQUEST = Request("def f(a):\n", max_new_tokens=6, sampling=ts.Sampling(1.0, seed=3))


@pytest.fixture
def files(app: App, tiny_folder: str, monkeypatch: pytest.MonkeyPatch) -> ModelFiles:
    """The tiny model, whose weights count as large."""
    monkeypatch.setattr(model_identity, "_LARGE_BYTES", 100_000)
    monkeypatch.setattr(model_identity, "_SAMPLE_BYTES", 1000)
    monkeypatch.setattr(model_identity, "_digests", Digests())
    model_identity.sampled_hash.cache_clear()
    found = find(tiny_folder)
    assert found is not None
    return identify(found)


@pytest.fixture
def named_by_samples(files: ModelFiles) -> ts.LanguageModel:
    lm = ts.load_model(files)
    fingerprint = files.sampled_fingerprint_in()
    assert fingerprint is not None
    return replace(lm, identity=replace(lm.identity, fingerprint=fingerprint))


@pytest.fixture
def former(named_by_samples: ts.LanguageModel) -> tuple[Session, list[Trace]]:
    """What an earlier release made: a run, a branch, and a branch that was stopped."""
    lm = named_by_samples
    root = ts.generate(lm, REQUEST)
    at = root.prompt_length + 1
    grown = ts.fork(lm, root, at, text="x")
    stopped = cut_short(ts.fork(lm, root, at, text="y"), at + 2)
    session = Session.start(root).add(grown, stopped, parent=root).rename(grown.key, "what if")
    return session.select(grown.key).without_history(), [root, grown, stopped]


def test_an_earlier_link_is_computed_anew_on_a_word(
    app: App, files: ModelFiles, former: tuple[Session, list[Trace]]
) -> None:
    session, (root, grown, _) = former
    app.open(share=share.encode(session))
    assert "agrees with that one in all that earlier releases compared" in app.texts
    assert "Open it here" not in app.buttons
    app.press("Compute it anew")
    assert "is here, in exactly that version" in app.texts
    assert "Computed anew by the model that is here" in app.texts
    app.press("Open it here").until(lambda: app.run().state.trace is not None)
    trace = app.state.trace
    assert trace.model.fingerprint == files.fingerprint_in() != grown.model.fingerprint
    assert trace.key != grown.key
    assert trace.token_ids.tolist() == grown.token_ids.tolist(), "the files are the same"
    made = app.test.session_state["session_state"].session
    assert [branch.name for branch in made.branches] == [b.name for b in session.branches]
    assert made.branch(made.current).name == "what if"
    assert [branch.stopped_after for branch in made.branches] == [None] * 3
    assert root.key not in service().store


def test_an_earlier_link_whose_traces_are_stored_opens_as_it_was(
    app: App, former: tuple[Session, list[Trace]]
) -> None:
    session, traces = former
    for trace in traces:
        service().store.put(trace)
    app.open(share=share.encode(session))
    assert app.state.trace.key == session.current
    assert app.state.trace.model == session.model


def test_an_earlier_comparison_of_two_models_is_computed_anew(
    app: App, files: ModelFiles, named_by_samples: ts.LanguageModel
) -> None:
    read = ts.score(named_by_samples, "x = 1\n")
    shipped = ts.score(ts.load_model(), "x = 1\n")
    shared: SharedReadings = share_readings.of_traces(read, shipped, {}, (None, None))
    app.open(share=share_readings.write(shared))
    assert "agrees with that one" in app.texts
    app.press("Compute it anew")
    assert "agrees with that one" not in app.texts
    assert app.texts.count("is here, in exactly that version") == 2
    assert "Open it here" in app.buttons
