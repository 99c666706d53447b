"""The shipped model, as anyone loads it: by plain Auto classes, without a network."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.recipe import probes
from models.recipe import tokenizer as vocabulary
from models.recipe.settings import SHIPPED

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(SHIPPED)


@pytest.fixture(scope="module")
def model():
    return AutoModelForCausalLM.from_pretrained(SHIPPED).eval()


def next_probabilities(model, tokenizer, prompt):
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    with torch.inference_mode():
        return model(ids).logits[0, -1].softmax(-1)


def probability(model, tokenizer, prompt, token):
    (token_id,) = tokenizer(token, add_special_tokens=False).input_ids
    return next_probabilities(model, tokenizer, prompt)[token_id].item()


def test_it_is_small_enough_to_live_in_a_repository():
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 64 * MEBIBYTE


def test_it_is_an_ordinary_float32_llama(model):
    config = model.config
    assert config.model_type == "llama"
    assert model.dtype == torch.float32
    assert 5e6 < model.num_parameters() < 30e6
    assert config.tie_word_embeddings
    assert config.num_key_value_heads < config.num_attention_heads
    assert config.max_position_embeddings >= 1024


def test_configuration_and_tokenizer_agree(model, tokenizer):
    assert len(tokenizer) == model.config.vocab_size
    assert tokenizer.model_max_length == model.config.max_position_embeddings
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        expected = getattr(tokenizer, name)
        assert getattr(model.config, name) == expected
        assert getattr(model.generation_config, name) == expected
    assert not model.generation_config.do_sample


def test_fill_in_the_middle_tokens_are_single_and_special(tokenizer):
    for name in vocabulary.SPECIAL:
        (token,) = tokenizer(name, add_special_tokens=False).input_ids
        assert token in tokenizer.all_special_ids


def test_a_prompt_starts_with_the_document_start(tokenizer):
    assert tokenizer("x").input_ids[0] == tokenizer.bos_token_id


@given(text=st.text())
@settings(deadline=None)
def test_any_text_survives_the_tokenizer(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize(
    "text",
    [
        "a\r\n\tb = 'é😀👩‍👩‍👧'  \n\n\n",
        " a . b , c n't ! ",
        "\x00\x1b[0m\u202e\ufeff",
        "x   =\t\t1 \n ",
    ],
)
def test_bytes_that_other_tokenizers_tidy_survive(tokenizer, text):
    assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text


def test_indentation_is_one_token(tokenizer):
    for spaces in (4, 8, 12, 16):
        assert len(tokenizer(" " * spaces, add_special_tokens=False).input_ids) == 1


@pytest.mark.parametrize(
    ("prompt", "token", "least"),
    [
        ("for i in range", "(", 0.8),
        ("def add(a, b):\n", "    ", 0.8),
        ("class Point:\n    def __init__(", "self", 0.8),
        ("class Point:\n    def __init__(self, x, y):\n        self", ".", 0.8),
        ("import numpy as", " np", 0.8),
        ("try:\n    value = int(text)\nexcept ValueError", ":", 0.3),
    ],
)
def test_what_python_makes_certain_is_nearly_certain(model, tokenizer, prompt, token, least):
    assert probability(model, tokenizer, prompt, token) > least


def test_a_made_up_name_is_copied_from_its_definition(model):
    nats = probes.induction(model, vocabulary.load(SHIPPED), start_id=0, count=12)
    assert nats["second"] < 0.6 * nats["first"]
    assert nats["second_after_first_token"] < 0.4 * nats["first_after_first_token"]


def test_the_uncertain_is_uncertain(model, tokenizer):
    probabilities = next_probabilities(model, tokenizer, "def")
    entropy = -(probabilities * probabilities.clamp_min(1e-30).log()).sum().item()
    assert 2.0 < entropy < math.log(model.config.vocab_size)


def test_the_card_states_the_evaluated_figures():
    figures = json.loads((SHIPPED / "evaluation.json").read_text(encoding="utf-8"))
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    heldout, continuations = figures["heldout"], figures["continuations"]
    for value in (
        heldout["bits_per_byte"],
        heldout["xz_bits_per_byte_together"],
        heldout["xz_bits_per_byte_each"],
    ):
        assert f"{value:.3f}" in card
    assert f"{continuations['model']['without_error']:.1%}" in card
    assert f"{continuations['true_text']['without_error']:.1%}" in card
    assert f"{figures['parameters']:,}" in card
