"""How far distributions lie apart: against plain float64 formulae, whatever the cache can do."""

from __future__ import annotations

import functools
import math

import numpy as np
import oracles
import pytest
import tiny_models
import torch
from hypothesis import given
from hypothesis import strategies as st

import tokenscope_core as ts
from tokenscope_core.comparison import divergence
from tokenscope_core.comparison.comparison import compare
from tokenscope_core.comparison.divergence import divergences_of

A = (
    "def add(a, b):\n    return a + b\nfor i in range(10):\n    print(i)\n"
    "while 12345 < x:\n    y = 67\n"
)
B = A.replace(", b", ", é").replace("+", "-").replace("print", "x\n    print")
# A model each whose cache can branch, only be read on from, only by single tokens, not at all.
BY_CACHE = {"branches": "llama", "chunks": "mamba2", "steps": "mamba", "none": "xlstm"}


@pytest.fixture(params=BY_CACHE)
def each_lm(request: pytest.FixtureRequest) -> ts.LanguageModel:
    lm = tiny_models.language_model(BY_CACHE[request.param])
    assert lm.capabilities.cache == request.param
    lm.prefixes.clear()
    return lm


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(divergence, "chunk_length", lambda vocabulary_size: 5)


@pytest.fixture
def reads(lm: ts.LanguageModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each pass of the model was given."""
    counts: list[int] = []
    body = lm.model.base_model
    forward = body.forward

    @functools.wraps(forward)
    def counted(*, input_ids: torch.Tensor, **settings: object) -> object:
        counts.append(input_ids.numel())
        return forward(input_ids=input_ids, **settings)

    monkeypatch.setattr(body, "forward", counted)
    lm.prefixes.clear()
    return counts


def expected(p: oracles.Floats, q: oracles.Floats) -> tuple[float, float, float]:
    """KL(p||q), KL(q||p) and JSD of two distributions [V], from their definitions."""

    def kl(x: oracles.Floats, y: oracles.Floats) -> float:
        return sum(u * math.log(u / v) for u, v in zip(x, y, strict=True) if u > 0)

    mixture = (p + q) / 2
    return kl(p, q), kl(q, p), (kl(p, mixture) + kl(q, mixture)) / 2


@pytest.mark.usefixtures("short_chunks")
def test_divergences_are_those_of_full_passes_in_float64(each_lm: ts.LanguageModel) -> None:
    a, b = ts.score(each_lm, A), ts.score(each_lm, B)
    frame = compare(a, b, each_lm).frame()
    probs = {
        side: np.exp(oracles.log_softmax(oracles.full_pass(each_lm, trace.token_ids)))
        for side, trace in (("a", a), ("b", b))
    }
    pairs = frame[(frame["kind"] == "same") & (frame["position_a"] > 0)]
    assert len(pairs) > 30
    assert pairs["jsd"].max() > 0.01
    for row in pairs.itertuples():
        wanted = expected(probs["a"][row.position_a - 1], probs["b"][row.position_b - 1])
        np.testing.assert_allclose((row.kl_ab, row.kl_ba, row.jsd), wanted, atol=2e-4, rtol=1e-3)


def test_a_trace_does_not_diverge_from_itself(each_lm: ts.LanguageModel) -> None:
    trace = ts.generate(each_lm, ts.Request(A, max_new_tokens=6))
    comparison = compare(trace, trace, each_lm)
    columns = np.stack((comparison.kl_ab, comparison.kl_ba, comparison.jsd))
    assert np.isnan(columns[:, 0]).all(), "nothing precedes the first token"
    assert (columns[:, 1:] == 0).all()
    assert comparison.measured == "all"


def test_exchanging_the_traces_exchanges_the_divergences(lm: ts.LanguageModel) -> None:
    a, b = ts.score(lm, A), ts.score(lm, B)
    there, back = compare(a, b, lm), compare(b, a, lm)
    pairs = {
        tuple(pair): values
        for *pair, values in zip(
            back.alignment.position_b.tolist(),
            back.alignment.position_a.tolist(),
            zip(back.kl_ba, back.kl_ab, back.jsd, strict=True),
            strict=True,
        )
    }
    compared = 0
    for i, j, *values in zip(
        there.alignment.position_a.tolist(), there.alignment.position_b.tolist(),
        there.kl_ab, there.kl_ba, there.jsd, strict=True,
    ):  # fmt: skip
        if (i, j) in pairs and not np.isnan(values).any() and not np.isnan(pairs[i, j]).any():
            np.testing.assert_allclose(values, pairs[i, j], atol=1e-5)
            compared += 1
    assert compared > 30


def test_the_first_difference_stands_after_the_same_text(lm: ts.LanguageModel) -> None:
    a = ts.generate(lm, ts.Request(A, max_new_tokens=6))
    other = int(a.candidate_ids[a.prompt_length, 1])
    b = ts.fork(lm, a, a.prompt_length, token_id=other)
    comparison = compare(a, b, lm)
    assert comparison.divergence == a.prompt_length
    assert comparison.jsd[a.prompt_length] == 0


@pytest.mark.usefixtures("short_chunks")
def test_a_shared_prefix_is_read_once_and_by_chunks(lm: ts.LanguageModel, reads: list[int]) -> None:
    a, b = ts.score(lm, A), ts.score(lm, A.replace("print", "x"))
    lm.prefixes.clear()
    reads.clear()
    comparison = compare(a, b, lm)
    assert max(reads) <= 5
    assert sum(reads) <= len(a) + len(b) - comparison.shared_prefix


def test_what_was_kept_from_a_run_is_not_read_again(lm: ts.LanguageModel, reads: list[int]) -> None:
    a, b = ts.score(lm, A), ts.score(lm, A.replace("while", "x"))
    lm.prefixes.clear()
    reads.clear()
    cold = compare(a, b, lm)
    tokens_read_cold = sum(reads)
    ts.score(lm, A)
    reads.clear()
    warm = compare(a, b, lm)
    assert 0 < sum(reads) <= tokens_read_cold - warm.shared_prefix
    np.testing.assert_allclose(warm.jsd, cold.jsd, atol=1e-5)


def test_at_an_insertion_there_is_no_pair_to_compare(each_lm: ts.LanguageModel) -> None:
    a = ts.score(each_lm, "x = 1\ny = 2\nz = 3\n")
    at = len(a) // 2
    put_in = ts.fork(each_lm, a, at, text="é", removed=0, kept=len(a) - at, max_new_tokens=0)
    comparison = compare(a, put_in, each_lm)
    first = comparison.shared_prefix
    assert comparison.alignment.kind[first] == "only b"
    row = comparison.frame().iloc[first]
    assert row[["kl_ab", "kl_ba", "jsd"]].isna().all()
    assert comparison.jsd[first - 1] == 0.0
    assert comparison.measured == "all"


def test_distributions_rejoin_from_the_pair_on_that_all_further_ones_agree_with(
    lm: ts.LanguageModel,
) -> None:
    a, b = ts.score(lm, A), ts.score(lm, B)
    comparison = compare(a, b, lm, threshold=0.3)
    same = comparison.alignment.kind == "same"
    after = same & (np.arange(len(comparison)) >= comparison.shared_prefix)
    jsd = comparison.jsd[after]
    exceeding = np.flatnonzero(jsd > 0.3)
    assert 0 < len(exceeding) < len(jsd)
    assert comparison.rejoin_distribution is not None
    first = np.flatnonzero(comparison.alignment.position_a == comparison.rejoin_distribution[0])
    assert np.flatnonzero(after).tolist().index(first[0]) == exceeding[-1] + 1
    assert compare(a, b, lm, threshold=0.0).rejoin_distribution is None
    wide = compare(a, b, lm, threshold=math.log(2))
    start = np.flatnonzero(after)[0]
    assert wide.rejoin_distribution == (
        wide.alignment.position_a[start], wide.alignment.position_b[start],
    )  # fmt: skip


@pytest.mark.usefixtures("short_chunks")
def test_progress_is_told_and_a_stop_keeps_what_was_measured(lm: ts.LanguageModel) -> None:
    a, b = ts.score(lm, A), ts.score(lm, B)
    told: list[tuple[int, int]] = []
    whole = compare(a, b, lm, progress=lambda done, total: told.append((done, total)))
    done, total = told[-1]
    assert done == total > 0
    assert [d for d, _ in told] == sorted(d for d, _ in told)
    assert whole.measured == "all"

    told.clear()
    stopped = compare(
        a, b, lm,
        progress=lambda done, total: told.append((done, total)),
        cancelled=lambda: told[-1][0] >= total // 2,
    )  # fmt: skip
    assert stopped.measured == "some"
    assert stopped.rejoin_distribution is None
    known = ~np.isnan(stopped.jsd)
    assert 0 < known.sum() < (~np.isnan(whole.jsd)).sum()
    np.testing.assert_allclose(stopped.jsd[known], whole.jsd[known], atol=1e-5)


@pytest.mark.parametrize("family", BY_CACHE.values())
def test_texts_that_share_no_beginning_are_compared(family: str) -> None:
    lm = tiny_models.language_model(family, bos=False)
    comparison = compare(ts.score(lm, "x = 1\n"), ts.score(lm, "y = 1\n"), lm)
    assert comparison.divergence == 0
    assert np.isnan(comparison.jsd[0])
    assert (comparison.jsd[1:] > 0).all()


def test_another_model_cannot_read_the_traces(lm: ts.LanguageModel) -> None:
    trace = ts.score(lm, A)
    with pytest.raises(ts.RequestError, match="tiny-gpt2"):
        compare(trace, trace, tiny_models.language_model("gpt2"))


def test_output_that_is_not_a_number_is_named(
    lm: ts.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = ts.score(lm, A), ts.score(lm, B)
    monkeypatch.setattr(
        divergence, "divergences_of", lambda x, y: torch.full((len(x), 3), math.nan)
    )
    with pytest.raises(ts.ModelError, match="not a number"):
        compare(a, b, lm)


def test_distributions_that_exclude_each_other_are_as_far_apart_as_can_be() -> None:
    one, other = torch.tensor([[0.0, -math.inf]]), torch.tensor([[-math.inf, 0.0]])
    assert divergences_of(one, other).tolist() == [[math.inf, math.inf, math.log(2)]]
    assert divergences_of(one, one).tolist() == [[0.0, 0.0, 0.0]]


_LOGITS = st.lists(st.floats(-40, 40, width=32), min_size=5, max_size=5)


@given(_LOGITS, _LOGITS)
def test_divergences_keep_their_bounds(a: list[float], b: list[float]) -> None:
    kl_ab, kl_ba, jsd = divergences_of(torch.tensor([a]), torch.tensor([b]))[0].tolist()
    back = divergences_of(torch.tensor([b]), torch.tensor([a]))[0].tolist()
    assert min(kl_ab, kl_ba, jsd) >= 0
    assert jsd <= math.log(2)
    assert jsd <= min(kl_ab, kl_ba) + 1e-12 or jsd <= (kl_ab + kl_ba) / 4 + 1e-12
    assert back == pytest.approx([kl_ba, kl_ab, jsd], abs=1e-12)
