"""Tokens that are listed as special although ordinary text becomes them."""

from __future__ import annotations

import pytest
import tiny_models
import torch
from made_tokenizers import (
    byte_fallback_tokenizer,
    byte_level_tokenizer,
    text_read,
    word_piece_tokenizer,
)
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

import tokenscope_core as ts
from tokenscope_core.models.language_model import describe
from tokenscope_core.models.tokenizers.token_bytes import vocabulary_of

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def special_bytes(*, dummy_prefix: bool) -> PreTrainedTokenizerFast:
    """Byte-fallback BPE whose bytes are special tokens, as some conversions write it."""
    tokenizer = byte_fallback_tokenizer(dummy_prefix=dummy_prefix)
    tokenizer.add_special_tokens({"extra_special_tokens": BYTES})
    return tokenizer


@pytest.mark.parametrize("dummy_prefix", [True, False])
@pytest.mark.parametrize("text", ["😊x", "é", "de 日本\r\n", "a\0b"])
def test_bytes_that_are_listed_as_special_are_bytes(text: str, dummy_prefix: bool) -> None:
    tokenizer = special_bytes(dummy_prefix=dummy_prefix)
    assert text_read(tokenizer, text) == text
    vocabulary = vocabulary_of(tokenizer, len(tokenizer))
    face = tokenizer("😊", add_special_tokens=False)["input_ids"][-4:]
    assert [vocabulary.token_bytes[i] for i in face] == [b"\xf0", b"\x9f", b"\x98", b"\x8a"]
    assert vocabulary.special_ids == {0, 1}  # <unk> and </s>


def test_a_scored_text_shows_its_fallback_bytes() -> None:
    tokenizer = special_bytes(dummy_prefix=False)
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "llama", vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32,
        num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).eval()
    lm = describe(model, tokenizer, tiny_models.files("special bytes"))
    trace = ts.score(lm, "😊x")
    assert trace.text == "😊x"
    assert ts.fork(lm, trace, len(trace), text="é", max_new_tokens=0).text == "😊xé"


@pytest.mark.parametrize("letter", ["!", "d", "return"])
def test_a_letter_that_somebody_pads_with_is_still_text(letter: str) -> None:
    """As where a tokenizer had no token for padding, and one of its letters was named."""
    tokenizer = byte_level_tokenizer()
    tokenizer.add_special_tokens({"pad_token": letter})
    text = "def add(a, b): return a!"
    assert text_read(tokenizer, text) == text


def test_a_special_letter_that_may_stand_for_another_byte_is_refused() -> None:
    """`Ġ` spells a space: nothing tells which of the two its id stands for."""
    tokenizer = byte_level_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "Ġ"})
    with pytest.raises(ts.CapabilityError, match=r"ordinary text into special tokens \('Ġ'\)"):
        vocabulary_of(tokenizer, 290)


def test_names_of_special_tokens_stay_special() -> None:
    tokenizer = byte_level_tokenizer()
    assert vocabulary_of(tokenizer, 290).special_ids == {0}
    plain = byte_fallback_tokenizer(dummy_prefix=True)
    assert vocabulary_of(plain, len(plain)).special_ids == {0, 1}
    words = word_piece_tokenizer()
    assert vocabulary_of(words, len(words)).special_ids == {0}


def test_a_name_in_a_vocabulary_that_ignores_its_merges_stays_special() -> None:
    """As in Llama 3: what is in the vocabulary as a whole is taken as a whole."""
    letters = {"<": 0, "/": 1, "s": 2, ">": 3, "</s>": 4, "a": 5, "Ġ": 6}
    backend = Tokenizer(models.BPE(vocab=letters, merges=[], ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    assert 4 in vocabulary_of(tokenizer, 7).special_ids


def test_ordinary_text_that_becomes_special_tokens_by_other_ways_is_refused() -> None:
    backend = Tokenizer(models.WordLevel(vocab={"a": 0, "<unk>": 1}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    backend.decoder = decoders.Metaspace(prepend_scheme="never")
    backend.add_special_tokens([AddedToken("a", special=True)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    with pytest.raises(ts.CapabilityError, match=r"ordinary text into special tokens \('a'\)"):
        vocabulary_of(tokenizer, 2)
