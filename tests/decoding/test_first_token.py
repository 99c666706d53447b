"""The first token is drawn before the prompt is measured, and the record is the same."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import tiny_families
import tiny_models
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import tokenscope_core as ts
from tokenscope_core.decoding import prefill
from tokenscope_core.decoding.request_run import rows
from tokenscope_core.jobs.generation_jobs import Job, Ticket
from tokenscope_core.jobs.generation_tasks import Prompted
from tokenscope_core.models.language_model import describe
from tokenscope_core.record.steps import Rows, as_measured, latest

REQUEST = ts.Request("def add(a, b):\n    return a + b\n", max_new_tokens=5)
# Their body is not one module that the model calls, or the model asks it for more than states.
HEAD_NOT_APART = {"opt, offset positions", "llama4, attention in blocks", "falcon_h1"}


def text_of(lm: ts.LanguageModel) -> torch.Tensor:
    return torch.arange(23).unsqueeze(0) * 11 % lm.identity.vocabulary_size


def without_head_apart(lm: ts.LanguageModel) -> ts.LanguageModel:
    return dataclasses.replace(
        lm, capabilities=dataclasses.replace(lm.capabilities, head_apart=False)
    )


@pytest.mark.parametrize("family", tiny_families.FAMILIES)
def test_the_head_in_pieces_gives_the_models_own_logits(family: str) -> None:
    lm = tiny_models.language_model(family)
    assert lm.capabilities.head_apart == (family not in HEAD_NOT_APART)
    expected = without_head_apart(lm).new_reader().read(text_of(lm))
    later = lm.new_reader().read_later(text_of(lm))
    assert len(later) == 23
    pieces = [later.rows(start, min(start + 5, 23)) for start in (15, 0, 10, 20, 5)]
    got = torch.cat([pieces[i] for i in (1, 4, 2, 0, 3)])
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "family", ["gemma2, soft-capped", "granite, scaled logits", "cohere, scaled logits"]
)
def test_what_a_model_does_after_its_head_is_not_left_out(family: str) -> None:
    lm = tiny_models.language_model(family)
    with torch.inference_mode():
        states = lm.model.base_model(text_of(lm)).last_hidden_state
        by_hand = lm.model.get_output_embeddings()(states)[0]
    later = lm.new_reader().read_later(text_of(lm)).rows(0, 23)
    assert (later - by_hand).abs().max() > 0.1


class LogitsOfTheInput(LlamaForCausalLM):  # type: ignore[misc]
    """Its head looks at more than the body's states: a bonus for repeating the token just read."""

    def forward(self, input_ids: torch.Tensor, **settings: Any) -> Any:
        output = super().forward(input_ids=input_ids, **settings)
        rows = output.logits.shape[1]
        output.logits += 3 * torch.nn.functional.one_hot(input_ids[:, -rows:], self.vocab_size)
        return output


def own_model(kind: type[LlamaForCausalLM]) -> LlamaForCausalLM:
    torch.manual_seed(0)
    vocabulary_size = len(tiny_models.tokenizer())
    config = LlamaConfig(
        vocab_size=vocabulary_size, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, initializer_range=0.3, eos_token_id=None,
    )  # fmt: skip
    return kind(config).eval()


def test_a_head_that_needs_more_than_states_is_not_taken_apart() -> None:
    model = own_model(LogitsOfTheInput)
    lm = describe(model, tiny_models.tokenizer(), tiny_models.files("of the input"))
    assert not lm.capabilities.head_apart
    trace = ts.score(lm, REQUEST.prompt)
    with torch.inference_mode():
        logits = model(torch.tensor([trace.token_ids.tolist()])).logits[0]
    logprobs = logits.log_softmax(-1).numpy()
    expected = logprobs[np.arange(len(trace) - 1), trace.token_ids[1:]]
    np.testing.assert_allclose(trace.logprob[1:], expected, atol=1e-5)


def test_a_forward_that_was_wrapped_is_run_as_it_is() -> None:
    """As accelerate wraps it where a model is spread over devices."""
    model = own_model(LlamaForCausalLM)
    original = model.forward
    model.forward = lambda **settings: original(**settings)
    model.forward.__dict__["__wrapped__"] = original
    lm = describe(model, tiny_models.tokenizer(), tiny_models.files("wrapped"))
    assert not lm.capabilities.head_apart
    plain = describe(own_model(LlamaForCausalLM), tiny_models.tokenizer(), tiny_models.files("x"))
    wrapped, alone = (ts.generate(each, REQUEST) for each in (lm, plain))
    assert wrapped.token_ids.tolist() == alone.token_ids.tolist()
    np.testing.assert_allclose(wrapped.logprob, alone.logprob, atol=1e-5)


def parts_of(lm: ts.LanguageModel) -> list[Rows]:
    return list(rows(dataclasses.replace(lm, end_ids=frozenset()), REQUEST))


def test_the_first_token_comes_before_the_figures_of_the_prompt(any_lm: ts.LanguageModel) -> None:
    parts = parts_of(any_lm)
    first = next(i for i, part in enumerate(parts) if part.source == "sampled")
    prompt = [part for part in parts[:first] if part.start]
    assert prompt
    assert not any(part.measured for part in prompt)
    assert all(np.isnan(part.metrics["logprob"]).all() for part in prompt)
    assert [part.start for part in parts[first + 1 :] if part.source == "prompt"] == [
        part.start for part in prompt
    ]
    assert all(part.measured for part in latest(parts))


def test_the_record_is_that_of_a_prompt_measured_first(any_lm: ts.LanguageModel) -> None:
    lm = dataclasses.replace(any_lm, end_ids=frozenset())
    generated, scored = ts.generate(lm, REQUEST), ts.score(lm, REQUEST.prompt)
    length = scored.prompt_length
    for name in ("logprob", "entropy", "varentropy", "margin", "rank"):
        np.testing.assert_array_equal(generated.column(name)[:length], scored.column(name))
    np.testing.assert_array_equal(generated.candidate_ids[:length], scored.candidate_ids)
    np.testing.assert_array_equal(generated.candidate_logprobs[:length], scored.candidate_logprobs)


def test_rows_come_in_order_once_they_have_their_figures(lm: ts.LanguageModel) -> None:
    parts = parts_of(lm)
    in_order = list(as_measured(parts))
    starts = [0, *itertools.accumulate(len(part) for part in in_order)]
    assert [part.start for part in in_order] == starts[:-1]
    assert [part.start for part in in_order] == [part.start for part in latest(parts)]
    assert all(part.measured for part in in_order)
    assert in_order[-1].finish_reason == "length"


def test_a_prompt_longer_than_a_piece_is_measured_as_it_is_read(
    lm: ts.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that little waits in memory, and most of it is on record when the run is stopped."""
    monkeypatch.setattr(prefill, "piece_length", lambda lm: 10)
    parts = itertools.takewhile(lambda part: part.source == "prompt", parts_of(lm))
    measured = [part.measured for part in parts if part.start]
    assert measured.count(False) == 1
    assert not measured[-1]


def job_after(lm: ts.LanguageModel, new_tokens: int) -> Job:
    """A run as its subscribers find it once so many tokens are drawn."""
    job = Job("id", ts.ModelChoice("tiny"), Prompted(REQUEST), clock=lambda: 0.0)
    job.running(lm.identity, lm.vocabulary, len(lm.encode(REQUEST.prompt)))
    for part in parts_of(lm):
        job.append(part)
        if job.view().new_tokens == new_tokens:
            break
    return job


def test_a_page_shows_the_first_token_behind_a_prompt_without_figures(
    lm: ts.LanguageModel,
) -> None:
    job = job_after(lm, 1)
    whole = ts.generate(dataclasses.replace(lm, end_ids=frozenset()), REQUEST)
    (shown,) = job.traces_so_far()
    assert shown.token_ids.tolist() == whole.token_ids[: whole.prompt_length + 1].tolist()
    assert np.isnan(shown.surprisal[: whole.prompt_length]).all()
    assert shown.surprisal[-1] == whole.surprisal[whole.prompt_length]
    assert job.view().prompt_tokens == job.view().prompt_length == whole.prompt_length


def test_what_a_stopped_run_keeps_has_all_its_figures(lm: ts.LanguageModel) -> None:
    kept: list[ts.Trace] = []
    ticket = Ticket(job_after(lm, 1), "tab", place=lambda job: None, save=kept.append)
    view = ticket.stop()
    assert [trace.key for trace in view.traces] == [trace.key for trace in kept]
    assert not any(np.isnan(trace.surprisal[1:]).any() for trace in kept)
    later: list[ts.Trace] = []
    job_after(lm, 2).stop(later.append)
    assert len(later[0]) == later[0].prompt_length + 2
    assert not np.isnan(later[0].surprisal[1:]).any()


@pytest.mark.parametrize("family", ["mamba", "recurrent_gemma"])
def test_a_prompt_is_read_once_whatever_the_cache_can_do(family: str) -> None:
    lm = tiny_models.language_model(family)
    passes: list[int] = []

    def count(_module: torch.nn.Module, arguments: Any, settings: dict[str, Any]) -> None:
        passes.append((arguments[0] if arguments else settings["input_ids"]).shape[1])

    hook = lm.model.base_model.register_forward_pre_hook(count, with_kwargs=True)
    length = len(ts.score(lm, "x = 1\n" * 80))
    hook.remove()
    assert passes == [length]
