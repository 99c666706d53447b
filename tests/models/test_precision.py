"""Models in half precision: the metrics are exact for the logits that they give."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import oracles
import pytest
import tiny_models
import torch
from numpy.typing import NDArray

import tokenscope_core as ts
from tokenscope_core.decoding import prefill
from tokenscope_core.models.cache_reader import CacheReader
from tokenscope_core.models.language_model import describe

PROMPT = "def add(a, b):\n    return a + b\n"
HALF = (torch.bfloat16, torch.float16)
FAMILIES = ("llama", "gemma2, soft-capped", "mamba", "mistral, windowed")


def half(family: str, precision: torch.dtype) -> ts.LanguageModel:
    model = tiny_models.model(family).to(precision)
    lm = describe(model, tiny_models.tokenizer(), tiny_models.files(family))
    return dataclasses.replace(lm, end_ids=frozenset())


def own_logits(lm: ts.LanguageModel, token_ids: NDArray[np.int64]) -> oracles.Floats:
    """Logits [T, V] of the half-precision model itself, one pass."""
    with torch.inference_mode():
        logits = lm.model(torch.tensor([token_ids.tolist()]), use_cache=False).logits[0]
    result: oracles.Floats = logits.double().numpy()
    return result


@pytest.mark.parametrize("precision", HALF)
@pytest.mark.parametrize("family", FAMILIES)
def test_metrics_do_not_inherit_the_precision(family: str, precision: torch.dtype) -> None:
    """A softmax in bfloat16 would be right to two digits; these are right to five."""
    lm = half(family, precision)
    trace = ts.score(lm, PROMPT)
    logits = own_logits(lm, trace.token_ids)
    for position in range(1, len(trace)):
        expected = oracles.metrics_of(logits[position - 1], trace.token_ids[position], 20)
        for name in ("surprisal", "entropy", "varentropy", "margin", "rank", "top_mass"):
            measured = trace.column(name)[position]
            assert measured == pytest.approx(expected[name], abs=2e-5, rel=2e-5), name


@pytest.mark.parametrize("precision", HALF)
@pytest.mark.parametrize("family", ["llama", "mixtral", "mamba", "jamba", "falcon_h1", "minimax"])
def test_rounding_does_not_hide_what_a_cache_forgets(family: str, precision: torch.dtype) -> None:
    """Nor is it taken for that: each family is read in half precision as in full."""
    expected = tiny_models.language_model(family).capabilities.cache
    assert half(family, precision).capabilities.cache == expected


@pytest.mark.parametrize("precision", HALF)
@pytest.mark.parametrize("piece", [13, 9, 4096])
def test_a_prompt_has_the_same_figures_scored_and_continued(
    precision: torch.dtype, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a product depend in half precision on how many there are, so pieces must agree."""
    monkeypatch.setattr(prefill, "piece_length", lambda lm: piece)
    lm = half("llama", precision)
    length = len(lm.encode(PROMPT))
    assert length == 14, "with pieces of 13 the last one has a single token"
    scored, lengths = ts.score(lm, PROMPT), []
    monkeypatch.setattr(CacheReader, "read_later", _noting(CacheReader.read_later, lengths))
    written = ts.generate(lm, ts.Request(PROMPT, 4))
    reads = lengths.copy()
    again = ts.score(lm, PROMPT)
    assert lengths[len(reads) :] == [n for n in reads if n > 1]
    for name in ("logprob", "entropy", "varentropy", "margin"):
        expected = scored.column(name)
        np.testing.assert_array_equal(written.column(name)[:length], expected)
        np.testing.assert_array_equal(again.column(name), expected)


def _noting(read: Callable[..., Any], lengths: list[int]) -> Callable[..., Any]:
    def noted(reader: CacheReader, token_ids: torch.Tensor) -> Any:
        lengths.append(token_ids.shape[1])
        return read(reader, token_ids)

    return noted


@pytest.mark.parametrize("precision", HALF)
def test_a_draw_is_from_the_distribution_in_full_precision(precision: torch.dtype) -> None:
    lm = half("llama", precision)
    sampling = ts.Sampling(temperature=0.7, seed=3)
    trace = ts.generate(lm, ts.Request(PROMPT, max_new_tokens=1, sampling=sampling))
    logprobs = oracles.log_softmax(own_logits(lm, trace.token_ids[:-1])[-1] / 0.7)
    assert trace.sampled_logprob[-1] == pytest.approx(logprobs[trace.token_ids[-1]], abs=2e-5)


@pytest.mark.parametrize("precision", HALF)
@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_writes_what_generate_writes(family: str, precision: torch.dtype) -> None:
    """Ties, which half precision has, are broken as there: by the lowest id."""
    lm = half(family, precision)
    trace = ts.generate(lm, ts.Request(PROMPT, max_new_tokens=24))
    ids = torch.tensor([lm.encode(PROMPT)])
    lm.model.generation_config.eos_token_id = None
    written = lm.model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24, pad_token_id=0
    )
    assert trace.token_ids.tolist() == written[0].tolist()


def test_each_precision_is_a_model_of_its_own(tmp_path: Path) -> None:
    tiny_models.model("llama").save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
    precisions = (torch.float32, *HALF)
    traces = [ts.score(ts.load_model(tmp_path, dtype=p), PROMPT) for p in precisions]
    assert len({trace.model.fingerprint for trace in traces}) == 3
    assert len({trace.key for trace in traces}) == 3
    for trace in traces[1:]:
        assert not np.array_equal(trace.logprob[1:], traces[0].logprob[1:])
        np.testing.assert_allclose(trace.logprob[1:], traces[0].logprob[1:], atol=0.5)


@pytest.mark.parametrize("precision", HALF)
def test_a_trace_says_how_well_its_figures_repeat(precision: torch.dtype) -> None:
    """The same tokens read in one pass are about as far from those of the run's steps."""
    lm = half("llama", precision)
    trace = ts.generate(lm, ts.Request(PROMPT, 24))
    rounding = ts.Trace.from_bytes(trace.to_bytes()).model.rounding
    assert rounding is not None
    assert rounding == lm.capabilities.rounding
    logprobs = oracles.log_softmax(own_logits(lm, trace.token_ids))[:-1]
    at_once = np.take_along_axis(logprobs, trace.token_ids[1:, None], axis=1)[:, 0]
    apart = np.abs(at_once - trace.logprob[1:])
    assert 0 < apart.max() < 3 * rounding.most
    assert apart.mean() < 10 * rounding.mean


def test_a_trace_of_a_model_in_full_precision_needs_no_such_note() -> None:
    trace = ts.score(tiny_models.language_model(), PROMPT)
    assert trace.model.rounding is None
    assert b'"rounding"' not in trace.to_bytes()
