"""Hindsight, against whole passes in float64 over every text with another token in it."""

from __future__ import annotations

import dataclasses

import numpy as np
import oracles
import pytest
import tiny_models

import tokenscope_core as ts
from tokenscope_core.branches.exchanges import Exchange
from tokenscope_core.branches.rescoring import Rescorer
from tokenscope_core.models.packed_reader import packs

TEXT = """def add(a, b):
    # some words
    return max(a, b) * 2 - 1
for k in range(10):
    x = k
"""
# One that packs, grouped heads, learned positions; windows, ALiBi: batches; recurrent: alone.
FAMILIES = (
    "llama", "gpt2", "gemma", "opt, offset positions", "mixtral", "granite, scaled logits",
    "mistral, windowed", "gemma3", "bloom, alibi", "mamba", "qwen3_next", "recurrent_gemma",
)  # fmt: skip


def by_hand(
    lm: ts.LanguageModel, trace: ts.Trace, position: int, other: int, horizon: int
) -> tuple[float, float]:
    """Choice and rest of one exchange, nats, from two passes over the whole text."""
    ids = trace.token_ids
    changed = ids.copy()
    changed[position] = other
    before, after = (oracles.log_softmax(oracles.full_pass(lm, row)) for row in (ids, changed))
    rest = np.arange(position + 1, min(position + 1 + horizon, len(ids)))
    choice = before[position - 1, other] - before[position - 1, ids[position]]
    lost = after[rest - 1, ids[rest]] - before[rest - 1, ids[rest]]
    return choice, lost.sum()


@pytest.mark.parametrize("family", FAMILIES)
def test_choice_and_rest_are_those_of_whole_passes(family: str) -> None:
    lm = tiny_models.language_model(family)
    trace = ts.score(lm, TEXT)
    asked = [3, 20, 21, 30, len(trace) - 4]
    frame = ts.hindsight(lm, trace, asked, top=3, horizon=12, give_up=None).frame()
    assert sorted(set(frame["position"])) == asked
    for row in frame.itertuples():
        choice, rest = by_hand(lm, trace, row.position, row.alternative_id, 12)
        assert row.choice == pytest.approx(choice, abs=1e-3)
        assert row.rest == pytest.approx(rest, abs=2e-3)
        assert row.log_odds == pytest.approx(choice + rest, abs=3e-3)
        assert row.at_most == pytest.approx(row.log_odds)
        assert row.token_id == trace.token_ids[row.position]
        assert row.read == min(12, len(trace) - row.position - 1)
    first = frame[frame["position"] == 20]["alternative_id"].tolist()
    recorded = [i for i in trace.candidate_ids[20].tolist() if i != trace.token_ids[20]]
    assert first == recorded[:3]


def test_the_shipped_model_agrees_with_whole_passes() -> None:
    lm = ts.load_model()
    trace = ts.score(lm, TEXT)
    assert packs(lm.model, 600)
    frame = ts.hindsight(lm, trace, [4, 9], top=2, horizon=16, give_up=None).frame()
    for row in frame.itertuples():
        expected = by_hand(lm, trace, row.position, row.alternative_id, 16)
        assert (row.choice, row.rest) == pytest.approx(expected, abs=0.02)


def test_generated_and_prompt_tokens_are_computed_alike() -> None:
    lm = dataclasses.replace(tiny_models.language_model(), end_ids=frozenset())
    trace = ts.generate(lm, ts.Request("def add(a, b):\n", 20, ts.Sampling(temperature=1, seed=3)))
    found = ts.hindsight(lm, trace, "all", give_up=None)
    assert found.asked.tolist() == list(range(1, len(trace) - 1))
    assert found.skipped == 0
    position = trace.prompt_length + 2
    row = found.frame().set_index("position").loc[position].iloc[0]
    expected = by_hand(lm, trace, position, int(row["alternative_id"]), 32)
    assert (row["choice"], row["rest"]) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("family", ["llama", "bloom, alibi", "qwen3_next", "mamba"])
def test_influence_is_the_runner_up_and_all_of_the_rest(family: str) -> None:
    lm = tiny_models.language_model(family)
    trace = ts.generate(lm, ts.Request("for i", 12, ts.Sampling(temperature=1, seed=1)))
    influence = ts.influence(lm, trace)
    generated = range(trace.prompt_length, len(trace) - 1)
    found = ts.hindsight(lm, trace, list(generated), top=1, horizon=len(trace), give_up=None)
    np.testing.assert_allclose(-found.rest, influence.total[found.position], atol=1e-4)
    np.testing.assert_array_equal(found.alternative_id, influence.runner_up[found.position])


@pytest.mark.parametrize("family", ["llama", "bloom, alibi", "qwen3_next"])
def test_what_is_given_up_has_bounds_and_no_value(family: str) -> None:
    lm = tiny_models.language_model(family)
    trace = ts.score(lm, TEXT)
    whole = ts.hindsight(lm, trace, "all", give_up=None).frame()
    found = ts.hindsight(lm, trace, "all", give_up=0.0).frame()
    assert whole["read"].max() == 32 and not whole["given_up"].any()
    up = found["given_up"]
    assert 0 < up.sum() < len(found)
    assert found["log_odds"][up].isna().all() and set(found["read"][up]) <= {8, 16}
    assert (found["at_most"][up] >= whole["log_odds"][up] - 1e-3).all()
    np.testing.assert_allclose(found["log_odds"][~up], whole["log_odds"][~up], atol=1e-3)


def test_by_default_only_the_surprising_are_computed_and_it_says_how_many_are_not() -> None:
    lm = tiny_models.language_model()
    trace = ts.score(lm, TEXT)
    found = ts.hindsight(lm, trace, language="python")
    categories = ts.syntax_frame(trace, language="python")["category"]
    surprising = trace.typicality >= 1.0
    code = ~categories.isin(["comment", "function name", "parameter"]).to_numpy()
    surprising[-1] = False
    assert found.asked.tolist() == np.flatnonzero(surprising & code).tolist()
    assert found.skipped == pytest.approx(1 - len(found.asked) / (len(trace) - 2))
    with_prose = ts.hindsight(lm, trace, language="python", prose=True)
    assert with_prose.asked.tolist() == np.flatnonzero(surprising).tolist()
    assert len(with_prose.asked) > len(found.asked)


def test_an_alternative_that_breaks_the_code_is_marked() -> None:
    lm = tiny_models.language_model()
    trace = ts.score(lm, TEXT)
    position = trace.text.index("return") - 4
    frame = ts.hindsight(lm, trace, "all", top=20, language="python").frame()
    judged = frame.dropna(subset="breaks")
    assert set(judged["breaks"]) == {True, False}
    from tokenscope_core.syntax.judging.validity import breaking_candidates

    verdicts = breaking_candidates(trace, position, "python")
    rows = frame[frame["position"] == position].set_index("alternative_id")["breaks"]
    for token_id, verdict in zip(trace.candidate_ids[position].tolist(), verdicts, strict=True):
        if token_id in rows.index and verdict is not None:
            assert bool(rows[token_id]) == verdict


def test_a_planted_token_is_found_with_its_repair_first() -> None:
    lm = tiny_models.language_model()
    lm = dataclasses.replace(lm, end_ids=frozenset())
    written = ts.generate(lm, ts.Request("def add(a", 40, ts.Sampling(temperature=0)))
    position = written.prompt_length + 8
    planted = int(written.candidate_ids[position, 3])
    child = ts.fork(
        lm, written, position, token_id=planted, kept=len(written) - position - 1, max_new_tokens=0
    )
    frame = ts.hindsight(lm, child, "all", give_up=None).frame()
    best = frame.loc[frame["log_odds"].idxmax()]
    assert best["position"] == position
    assert best["alternative_id"] == written.token_ids[position]


def test_stopping_keeps_what_there_is() -> None:
    lm = tiny_models.language_model("bloom, alibi")
    trace = ts.score(lm, TEXT)
    told: list[tuple[int, int]] = []
    found = ts.hindsight(
        lm, trace, "all", progress=lambda *far: told.append(far), cancelled=lambda: len(told) > 5
    )
    assert found.partial and 0 < len(found.position) < told[0][1]
    assert told[0][0] == 0 and told[-1][0] == len(found.position)
    assert not ts.hindsight(lm, trace, [5]).partial


def test_a_text_in_windows_is_read_up_to_the_end_of_each() -> None:
    lm = tiny_models.language_model()
    trace = ts.score(lm, TEXT * 10, overlap=40)
    seam = int(trace.seams[0])
    found = ts.hindsight(lm, trace, [seam - 5, seam + 3, seam - 1], horizon=20, give_up=None)
    assert sorted(set(found.position.tolist())) == [seam - 5, seam + 3]
    frame = found.frame().set_index("position")
    assert set(frame.loc[seam - 5, "read"]) == {4} and set(frame.loc[seam + 3, "read"]) == {20}
    for position in (seam - 5, seam + 3):
        unread = trace.unread(position)
        lead = 1
        ids = np.concatenate((trace.token_ids[:lead], trace.token_ids[unread + lead :]))[:512]
        row = frame.loc[position].iloc[0]
        place, read = position - unread, int(row["read"])
        other = ids.copy()
        other[place] = row["alternative_id"]
        before, after = (oracles.log_softmax(oracles.full_pass(lm, text)) for text in (ids, other))
        rest = np.arange(place + 1, place + 1 + read)
        expected = (after[rest - 1, ids[rest]] - before[rest - 1, ids[rest]]).sum()
        assert row["rest"] == pytest.approx(expected, abs=2e-3)


def test_many_exchanges_need_few_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = tiny_models.language_model()
    trace = ts.score(lm, TEXT)
    passes = []
    forward = type(lm.model).forward

    def counted(*given: object, **settings: object) -> object:
        passes.append(1)
        return forward(*given, **settings)

    monkeypatch.setattr(type(lm.model), "forward", counted)
    exchanges = [Exchange(p, int(trace.candidate_ids[p, 0])) for p in range(5, 35)]
    read = dict(Rescorer(lm, trace, horizon=8).read(exchanges))
    assert len(read) == 30 and len(passes) < 10


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"positions": [10**6]}, "The trace has"),
        ({"top": 0}, "at least one"),
        ({"horizon": 0}, "at least one"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, int], words: str) -> None:
    lm = tiny_models.language_model()
    with pytest.raises(ts.RequestError, match=words):
        ts.hindsight(lm, ts.score(lm, TEXT), **settings)


def test_another_model_is_refused() -> None:
    trace = ts.score(tiny_models.language_model(), TEXT)
    with pytest.raises(ts.RequestError, match="Load the model"):
        ts.hindsight(tiny_models.language_model("gpt2"), trace)
