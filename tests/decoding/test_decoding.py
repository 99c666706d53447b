"""The decode loop against transformers itself: the same tokens, the same distributions."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import oracles
import pytest
import tiny_models
import torch
from transformers import MistralConfig, MistralForCausalLM

import tokenscope_core as ts
from tokenscope_core.decoding import prefill
from tokenscope_core.models.language_model import describe
from tokenscope_core.record.metric_registry import BY_NAME

PROMPT = "def add(a, b):\n    return a + b\n"


def generated_by_transformers(lm: ts.LanguageModel, new_tokens: int, **settings: Any) -> list[int]:
    ids = torch.tensor([lm.encode(PROMPT)])
    output = lm.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=new_tokens,
        pad_token_id=0,
        **settings,
    )
    token_ids: list[int] = output[0].tolist()
    return token_ids


def without_end(lm: ts.LanguageModel) -> ts.LanguageModel:
    """The model as it would go on past its end token."""
    return dataclasses.replace(lm, end_ids=frozenset())


def ending_at(lm: ts.LanguageModel, token_id: int) -> ts.LanguageModel:
    """The model with one more token that ends a generation."""
    return dataclasses.replace(lm, end_ids=lm.end_ids | {token_id})


def assert_same_numbers(a: ts.Trace, b: ts.Trace, atol: float = 2e-4) -> None:
    assert a.token_ids.tolist() == b.token_ids.tolist()
    for metric in ts.METRICS:
        if metric.name not in {"elapsed_ms", "rank"}:
            np.testing.assert_allclose(
                a.column(metric.name), b.column(metric.name), atol=atol, err_msg=metric.name
            )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"repetition_penalty": 1.3},
        {"repetition_penalty": 0.8},
        {"no_repeat_ngram_size": 1},
        {"no_repeat_ngram_size": 2},
        {"no_repeat_ngram_size": 3, "repetition_penalty": 1.3},
    ],
)
def test_greedy_writes_what_generate_writes(
    any_lm: ts.LanguageModel, settings: dict[str, Any]
) -> None:
    request = ts.Request(PROMPT, max_new_tokens=60, sampling=ts.Sampling(**settings))
    trace = ts.generate(any_lm, request)
    assert trace.token_ids.tolist() == generated_by_transformers(any_lm, 60, **settings)


def test_greedy_with_frequency_and_presence_penalty_writes_what_generate_writes(
    any_lm: ts.LanguageModel,
) -> None:
    """transformers takes such a penalty as a caller's own processor."""

    def penalised(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        counts = torch.bincount(ids[0, length:], minlength=scores.shape[1])
        return scores - 0.7 * counts - 0.4 * (counts > 0)

    length = len(any_lm.encode(PROMPT))
    sampling = ts.Sampling(
        frequency_penalty=0.7, presence_penalty=0.4, repetition_penalty=1.1, no_repeat_ngram_size=3
    )
    trace = ts.generate(any_lm, ts.Request(PROMPT, max_new_tokens=60, sampling=sampling))
    assert trace.token_ids.tolist() == generated_by_transformers(
        any_lm, 60, repetition_penalty=1.1, no_repeat_ngram_size=3, logits_processor=[penalised]
    )


def test_a_stop_token_ends_the_run_and_is_kept(lm: ts.LanguageModel) -> None:
    whole = ts.generate(without_end(lm), ts.Request(PROMPT, max_new_tokens=20))
    written = whole.token_ids[whole.prompt_length :].tolist()
    stop_at = written[5]
    request = ts.Request(PROMPT, max_new_tokens=20, stop_token_ids=(289, stop_at))
    stopped = ts.generate(without_end(lm), request)
    assert stopped.finish_reason == "stop"
    assert (
        stopped.token_ids[stopped.prompt_length :].tolist() == written[: written.index(stop_at) + 1]
    )


def test_a_stop_token_in_the_prompt_stops_nothing(lm: ts.LanguageModel) -> None:
    request = ts.Request("x" * 5, max_new_tokens=0, stop_token_ids=(lm.encode("x")[-1],))
    assert ts.generate(lm, request).finish_reason == "length"


def test_a_stop_token_beyond_the_vocabulary_is_refused(lm: ts.LanguageModel) -> None:
    size = lm.identity.vocabulary_size
    with pytest.raises(ts.RequestError, match=f"vocabulary has {size} tokens: ids 0 to {size - 1}"):
        ts.generate(lm, ts.Request(PROMPT, stop_token_ids=(3, size)))


def test_stepping_through_the_cache_agrees_with_one_full_pass(any_lm: ts.LanguageModel) -> None:
    sampling = ts.Sampling(temperature=1.0, seed=5)
    trace = ts.generate(
        without_end(any_lm), ts.Request(PROMPT, max_new_tokens=40, sampling=sampling)
    )
    logits = oracles.full_pass(any_lm, trace.token_ids)
    for position in range(1, len(trace)):
        expected = oracles.metrics_of(logits[position - 1], trace.token_ids[position], 20)
        for name in ("surprisal", "entropy", "varentropy", "margin", "top_mass"):
            assert trace.column(name)[position] == pytest.approx(expected[name], abs=5e-4), name


def test_score_gives_each_token_its_probability_after_those_before_it(
    any_lm: ts.LanguageModel,
) -> None:
    trace = ts.score(any_lm, PROMPT)
    logprobs = oracles.log_softmax(oracles.full_pass(any_lm, trace.token_ids))
    assert np.isnan(trace.logprob[0])
    for position in range(1, len(trace)):
        expected = logprobs[position - 1][trace.token_ids[position]]
        assert trace.logprob[position] == pytest.approx(expected, abs=2e-4)


def test_scoring_what_was_generated_gives_the_same_numbers(any_lm: ts.LanguageModel) -> None:
    lm = without_end(any_lm)
    generated = ts.generate(lm, ts.Request(PROMPT, max_new_tokens=30, candidates=4))
    with torch.inference_mode():
        logits = lm.model(torch.tensor([generated.token_ids.tolist()])).logits[0]
    ranked = logits.topk(4).indices[:-1].numpy()
    np.testing.assert_array_equal(generated.candidate_ids[1:], ranked)
    np.testing.assert_array_equal(generated.rank[-30:], 1)


@pytest.mark.parametrize("chunk", [1, 5, 21, 22, 23])
def test_a_prompt_read_in_chunks_has_the_same_numbers(
    any_lm: ts.LanguageModel, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    lm = without_end(any_lm)
    request = ts.Request(PROMPT * 2, max_new_tokens=5)
    at_once = ts.generate(lm, request)
    monkeypatch.setattr(prefill, "piece_length", lambda lm: chunk)
    assert_same_numbers(ts.generate(lm, request), at_once)


def test_a_long_prompt_of_a_windowed_model_has_the_same_numbers() -> None:
    """Mistral's cache keeps only its window; chunks must still see all of it."""
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=len(tiny_models.tokenizer()), hidden_size=32, intermediate_size=64,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, sliding_window=7,
        initializer_range=0.3, bos_token_id=0, eos_token_id=None,
    )  # fmt: skip
    model = MistralForCausalLM(config).eval()
    lm = describe(model, tiny_models.tokenizer(), tiny_models.files("windowed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefill, "piece_length", lambda lm: 5)
        trace = ts.generate(lm, ts.Request(PROMPT, max_new_tokens=20))
    logprobs = oracles.log_softmax(oracles.full_pass(lm, trace.token_ids))
    expected = logprobs[np.arange(len(trace) - 1), trace.token_ids[1:]]
    np.testing.assert_allclose(trace.logprob[1:], expected, atol=5e-4)


@pytest.mark.parametrize("tokens", [1, 2, 4, 5, 6, 10, 11])
def test_the_last_step_of_a_scored_text_says_it_is_the_last(
    lm: ts.LanguageModel, monkeypatch: pytest.MonkeyPatch, tokens: int
) -> None:
    monkeypatch.setattr(prefill, "piece_length", lambda lm: 5)
    steps = list(ts.stream(lm, ts.Request("x" * (tokens - 1), max_new_tokens=0)))
    assert len(steps) == tokens
    assert [step.finish_reason for step in steps] == [None] * (tokens - 1) + ["length"]


def test_stream_yields_what_generate_records(any_lm: ts.LanguageModel) -> None:
    request = ts.Request(PROMPT, max_new_tokens=12, sampling=ts.Sampling(temperature=0.9, seed=3))
    trace = ts.generate(any_lm, request)
    steps = list(ts.stream(any_lm, request))
    assert [s.position for s in steps] == list(range(len(trace)))
    assert [s.token_id for s in steps] == trace.token_ids.tolist()
    assert [s.source for s in steps] == trace.source.tolist()
    assert b"".join(s.token_bytes for s in steps if not s.special) == trace.text_bytes
    assert steps[-1].finish_reason == trace.finish_reason
    for name, column in trace.metrics.items():
        if name != "elapsed_ms":
            np.testing.assert_array_equal([s.metrics[name] for s in steps], column)
    np.testing.assert_array_equal([s.candidate_ids for s in steps], trace.candidate_ids)
    np.testing.assert_array_equal([s.candidate_logprobs for s in steps], trace.candidate_logprobs)


def test_a_stream_can_be_left_early_and_started_again(lm: ts.LanguageModel) -> None:
    request = ts.Request(PROMPT, max_new_tokens=20)
    steps = ts.stream(lm, request)
    first = list(itertools.islice(steps, 30))
    steps.close()  # type: ignore[attr-defined]
    assert next(steps, None) is None
    again = list(itertools.islice(ts.stream(lm, request), 30))
    assert [s.token_id for s in first] == [s.token_id for s in again]


def test_generated_tokens_are_told_from_the_prompt(lm: ts.LanguageModel) -> None:
    trace = ts.generate(without_end(lm), ts.Request(PROMPT, max_new_tokens=3))
    assert trace.source.tolist() == ["prompt"] * trace.prompt_length + ["sampled"] * 3
    assert np.isnan(trace.sampled_logprob[: trace.prompt_length]).all()
    assert np.isnan(trace.elapsed_ms[: trace.prompt_length]).all()
    assert (trace.elapsed_ms[trace.prompt_length :] > 0).all()
    assert trace.finish_reason == "length"


def test_no_new_tokens_only_scores_the_prompt(lm: ts.LanguageModel) -> None:
    trace = ts.generate(lm, ts.Request(PROMPT, max_new_tokens=0))
    assert len(trace) == trace.prompt_length == len(lm.encode(PROMPT))
    assert trace.finish_reason == "length"
    assert trace.text == PROMPT


def test_nothing_but_the_beginning_token_can_be_continued(lm: ts.LanguageModel) -> None:
    trace = ts.generate(without_end(lm), ts.Request("", max_new_tokens=3))
    assert trace.prompt_length == 1
    assert trace.token_ids.tolist()[1:] == trace.candidate_ids[1:, 0].tolist()
    scored = ts.score(lm, "")
    assert len(scored) == 1
    assert scored.text == ""


def test_an_empty_text_needs_a_beginning_token() -> None:
    with pytest.raises(ts.RequestError, match="at least one character"):
        ts.score(tiny_models.language_model(bos=False), "")


def test_a_one_token_prompt_is_continued() -> None:
    lm = without_end(tiny_models.language_model(bos=False))
    trace = ts.generate(lm, ts.Request("x", max_new_tokens=4))
    assert trace.prompt_length == 1
    assert len(trace) == 5
    assert not np.isnan(trace.logprob[1:]).any()


def test_an_end_token_ends_the_run_and_is_recorded(lm: ts.LanguageModel) -> None:
    request = ts.Request(PROMPT, max_new_tokens=50, sampling=ts.Sampling(temperature=1.0, seed=1))
    full = ts.generate(without_end(lm), request)
    end_id = int(full.token_ids[full.prompt_length + 7])
    trace = ts.generate(ending_at(lm, end_id), request)
    assert trace.finish_reason == "eos"
    assert trace.token_ids[-1] == end_id
    assert trace.token_ids.tolist() == full.token_ids[: len(trace)].tolist()
    assert not np.isnan(trace.surprisal[-1])


def test_the_models_own_end_token_adds_no_bytes(lm: ts.LanguageModel) -> None:
    for seed in range(200):
        sampling = ts.Sampling(temperature=3.0, seed=seed)
        trace = ts.generate(lm, ts.Request("x", max_new_tokens=60, sampling=sampling))
        if trace.finish_reason == "eos":
            break
    assert trace.token_ids[-1] == lm.tokenizer.eos_token_id
    assert trace.special[-1]
    assert trace.byte_start[-1] == trace.byte_end[-1] == len(trace.text_bytes)


def test_a_stop_string_across_tokens_ends_the_run(lm: ts.LanguageModel) -> None:
    full = ts.generate(without_end(lm), ts.Request(PROMPT, max_new_tokens=40))
    generated = full.text_bytes[len(PROMPT.encode()) :]
    start = next(i for i in range(20, 60) if generated[i : i + 4].isascii())
    stop = generated[start : start + 4].decode()
    trace = ts.generate(without_end(lm), ts.Request(PROMPT, max_new_tokens=40, stop=(stop,)))
    assert trace.finish_reason == "stop"
    assert stop in trace.text[len(PROMPT) :]
    last = trace.text_bytes[: trace.byte_start[-1]]
    assert stop.encode() not in last[len(PROMPT.encode()) :], "it should have stopped earlier"


def test_a_stop_string_in_the_prompt_does_not_count(lm: ts.LanguageModel) -> None:
    trace = ts.generate(without_end(lm), ts.Request(PROMPT, max_new_tokens=3, stop=("return",)))
    assert trace.finish_reason == "length"


def test_too_long_a_request_says_by_how_much(lm: ts.LanguageModel) -> None:
    assert lm.context_length == tiny_models.CONTEXT
    prompt = "x" * 500  # one token each, and one to begin with
    ts.generate(lm, ts.Request(prompt, max_new_tokens=11))
    with pytest.raises(ts.ContextLengthError) as caught:
        ts.generate(lm, ts.Request(prompt, max_new_tokens=21))
    error = caught.value
    assert (error.prompt_tokens, error.max_new_tokens, error.context_length) == (501, 21, 512)
    assert "10 too many" in str(error)


@pytest.mark.parametrize("prompt", ["x\n" * 400, "x" * 600, "é" * 600, "x = 1\n" + "é" * 600])
def test_the_tail_offered_for_too_long_a_prompt_fits(lm: ts.LanguageModel, prompt: str) -> None:
    with pytest.raises(ts.ContextLengthError) as caught:
        ts.generate(lm, ts.Request(prompt, max_new_tokens=64))
    tail = caught.value.tail
    assert tail
    assert prompt.endswith(tail)
    assert len(lm.encode(tail)) + 64 <= tiny_models.CONTEXT


def test_the_name_of_a_special_token_is_plain_text(any_lm: ts.LanguageModel) -> None:
    text = "a <|endoftext|> b"
    trace = ts.score(any_lm, text)
    assert trace.text == text
    assert trace.special.tolist() == [True] + [False] * (len(trace) - 1)


def test_every_generated_metric_is_finite(any_lm: ts.LanguageModel) -> None:
    sampling = ts.Sampling(temperature=1.2, top_k=40, top_p=0.9, seed=9)
    trace = ts.generate(any_lm, ts.Request(PROMPT, max_new_tokens=20, sampling=sampling))
    for name in BY_NAME:
        assert np.isfinite(trace.column(name)[trace.prompt_length :]).all(), name


def test_half_precision_models_are_traced() -> None:
    half = tiny_models.model("llama").bfloat16()
    lm = without_end(describe(half, tiny_models.tokenizer(), tiny_models.files("half")))
    trace = ts.generate(lm, ts.Request(PROMPT, max_new_tokens=10))
    assert not np.isnan(trace.entropy[1:]).any()
    assert trace.token_ids.tolist() == generated_by_transformers(lm, 10)
