"""Every architecture against transformers itself, whatever its positions, caches and heads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import oracles
import pytest
import tiny_families
import tiny_models
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

import tokenscope_core as ts
from tokenscope_core.decoding import prefill
from tokenscope_core.models.language_model import describe

PROMPT = "def add(a, b):\n    return a + b\n"
NEW_TOKENS = 24
SAMPLED = ts.Request(PROMPT, NEW_TOKENS, ts.Sampling(temperature=1.0, top_p=0.95, seed=5))


@pytest.fixture(scope="module", params=tiny_families.FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def endless(family: str) -> ts.LanguageModel:
    """A model of the family as it would go on past its end token."""
    return dataclasses.replace(tiny_models.language_model(family), end_ids=frozenset())


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Prompts are read five tokens at a time: less than any window."""
    with monkeypatch.context() as patch:
        patch.setattr(prefill, "piece_length", lambda lm: 5)
        yield


def written_by_transformers(lm: ts.LanguageModel, end_ids: list[int] | None = None) -> list[int]:
    ids = torch.tensor([lm.encode(PROMPT)])
    settings = GenerationConfig(
        do_sample=False,
        max_new_tokens=NEW_TOKENS,
        pad_token_id=0,
        eos_token_id=end_ids,
        # Where the cache is not relied on, transformers' own steps leave its one full pass.
        use_cache=lm.capabilities.cache != "none",
    )
    lm.model.generation_config.eos_token_id = end_ids
    output = lm.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    token_ids: list[int] = output[0].tolist()
    return token_ids


def test_the_cache_is_used_as_far_as_it_is_exact(family: str) -> None:
    plain = family in tiny_families.ATTENTION or family in tiny_families.LOOPED
    expected = "branches" if plain else "chunks"
    if family in tiny_families.STEPS_ONLY:
        expected = "steps"
    elif family in tiny_families.NO_CACHE:
        expected = "none"
    assert tiny_models.language_model(family).capabilities.cache == expected


def test_greedy_writes_what_generate_writes(endless: ts.LanguageModel) -> None:
    trace = ts.generate(endless, ts.Request(PROMPT, max_new_tokens=NEW_TOKENS))
    assert trace.token_ids.tolist() == written_by_transformers(endless)


@pytest.mark.usefixtures("short_chunks")
def test_steps_agree_with_one_full_pass_in_float64(endless: ts.LanguageModel) -> None:
    trace = ts.generate(endless, SAMPLED)
    logits = oracles.full_pass(endless, trace.token_ids)
    for position in range(1, len(trace)):
        expected = oracles.metrics_of(logits[position - 1], trace.token_ids[position], 20)
        for name in ("surprisal", "entropy", "varentropy", "margin", "top_mass"):
            assert trace.column(name)[position] == pytest.approx(expected[name], abs=5e-4), name


def test_scoring_in_chunks_equals_scoring_at_once(
    endless: ts.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = ts.score(endless, PROMPT * 2)
    monkeypatch.setattr(prefill, "piece_length", lambda lm: 5)
    in_chunks = ts.score(endless, PROMPT * 2)
    for name in ("logprob", "entropy", "varentropy", "margin"):
        np.testing.assert_allclose(
            in_chunks.column(name), at_once.column(name), atol=1e-4, err_msg=name
        )


def test_runs_that_take_turns_do_not_disturb_each_other(endless: ts.LanguageModel) -> None:
    """Each run keeps its own memory, also where a model would keep one in its layers."""
    other = dataclasses.replace(SAMPLED, prompt="for i in range(10):\n")
    turns = zip(ts.stream(endless, SAMPLED), ts.stream(endless, other), strict=False)
    together = [step for step, _ in turns]
    alone = ts.generate(endless, SAMPLED)
    count = len(together)
    assert [step.token_id for step in together] == alone.token_ids[:count].tolist()
    logprobs = [step.metrics["logprob"] for step in together]
    np.testing.assert_array_equal(logprobs, alone.logprob[:count])


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("family_name", ["llama", "mamba", "recurrent_gemma"])
def test_a_prompt_of_one_token_is_continued(family_name: str, bos: bool) -> None:
    lm = tiny_models.language_model(family_name, bos)
    lm = dataclasses.replace(lm, end_ids=frozenset())
    trace = ts.generate(lm, ts.Request("" if bos else "x", max_new_tokens=6))
    assert trace.prompt_length == 1
    logprobs = oracles.log_softmax(oracles.full_pass(lm, trace.token_ids))
    expected = logprobs[np.arange(6), trace.token_ids[1:]]
    np.testing.assert_allclose(trace.logprob[1:], expected, atol=5e-4)


@pytest.mark.parametrize("family_name", ["llama", "mamba", "recurrent_gemma"])
def test_any_of_several_end_tokens_ends_a_run(family_name: str) -> None:
    model = tiny_models.model(family_name)
    files = tiny_models.files("several ends")
    lm = describe(model, tiny_models.tokenizer(), files)
    endless = dataclasses.replace(lm, end_ids=frozenset())
    full = ts.generate(endless, ts.Request(PROMPT, max_new_tokens=NEW_TOKENS))
    ends = [0, int(full.token_ids[full.prompt_length + 9])]
    model.generation_config.eos_token_id = ends
    lm = describe(model, tiny_models.tokenizer(), files)
    assert lm.end_ids == set(ends)
    trace = ts.generate(lm, ts.Request(PROMPT, max_new_tokens=NEW_TOKENS))
    assert trace.finish_reason == "eos"
    assert len(trace) < len(full)
    assert trace.token_ids.tolist() == written_by_transformers(lm, ends)


def test_rows_beyond_the_tokenizer_count_in_every_metric() -> None:
    """A padded vocabulary is part of the distribution: `generate` can draw from it too."""
    lm = tiny_models.language_model("llama padded")
    assert lm.identity.vocabulary_size == 333 > len(lm.tokenizer)
    trace = ts.score(lm, PROMPT, candidates=200)
    padding = trace.candidate_ids[1:] >= len(lm.tokenizer)
    assert padding.any()
    assert set(trace.candidate_ids[1:][padding].tolist()) <= lm.vocabulary.special_ids


@pytest.mark.parametrize("family_name", ["llama", "gpt2"])
def test_an_embedding_made_larger_is_read_at_its_new_width(family_name: str) -> None:
    model = tiny_models.model(family_name)
    model.resize_token_embeddings(320)
    files = tiny_models.files(f"resized {family_name}")
    lm = dataclasses.replace(describe(model, tiny_models.tokenizer(), files), end_ids=frozenset())
    assert lm.identity.vocabulary_size == 320
    trace = ts.generate(lm, ts.Request(PROMPT, max_new_tokens=NEW_TOKENS))
    assert trace.token_ids.tolist() == written_by_transformers(lm)


def test_a_bound_that_positions_have_is_kept_whatever_it_is_called() -> None:
    """MPT names its context as no other does, and breaks beyond it."""
    lm = tiny_models.language_model("mpt, alibi")
    assert lm.context_length == tiny_families.CONTEXT
    with pytest.raises(ts.ContextLengthError):
        ts.score(lm, "x" * 600)


def test_a_text_stays_within_the_positions_that_keep_their_angles() -> None:
    """LongRoPE turns all positions by other angles beyond what a model was first trained on."""
    config = AutoConfig.for_model(
        "phi3",
        **tiny_families.ATTENTION["phi3"][1],
        vocab_size=len(tiny_models.tokenizer()),
        original_max_position_embeddings=60,
        rope_parameters={
            "rope_type": "longrope", "rope_theta": 10000.0,
            "short_factor": [1.0] * 4, "long_factor": [4.0] * 4,
        },
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).eval()
    lm = describe(model, tiny_models.tokenizer(), tiny_models.files("longrope"))
    assert lm.context_length == 60 < config.max_position_embeddings
    trace = ts.generate(
        lm, dataclasses.replace(SAMPLED, max_new_tokens=60 - len(lm.encode(PROMPT)))
    )
    for position in range(1, len(trace)):
        logits = oracles.full_pass(lm, trace.token_ids[:position])[-1]
        expected = oracles.metrics_of(logits, trace.token_ids[position], 20)
        assert trace.surprisal[position] == pytest.approx(expected["surprisal"], abs=5e-4)
    with pytest.raises(ts.ContextLengthError, match="holds 60"):
        ts.score(lm, "x" * 60)
