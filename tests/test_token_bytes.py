"""The exact bytes of every token, for both families of tokenizers."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import tokenscope_core as ts
from tokenscope_core.token_bytes import vocabulary_of

AWKWARD = st.text() | st.sampled_from(
    ["\r\n\r\n", "\t\tx", "👩‍👩‍👧", "\u202eabc", "a\0b", "\u200b", "  \n ", "ﬁ", "e\u0301"]
)


def byte_fallback_tokenizer(*, dummy_prefix: bool) -> PreTrainedTokenizerFast:
    """As Llama 2 (with the dummy prefix) and Gemma (without) write it."""
    names = [f"<0x{byte:02X}>" for byte in range(256)] + ["▁", "▁d", "d", "e", "f", "▁de"]
    vocabulary = {"<unk>": 0, "</s>": 1} | {name: i for i, name in enumerate(names, 2)}
    backend = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=[("▁", "d"), ("▁d", "e")],
            byte_fallback=True,
            unk_token="<unk>",
        )
    )
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if dummy_prefix:
        backend.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        steps.append(decoders.Strip(" ", 1, 0))
    else:
        backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = decoders.Sequence(steps)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>")


def joined(tokenizer: PreTrainedTokenizerFast, text: str) -> bytes:
    vocabulary = vocabulary_of(tokenizer, len(tokenizer))
    ids = tokenizer(text, split_special_tokens=True, add_special_tokens=False)["input_ids"]
    return b"".join(vocabulary.token_bytes[i] for i in ids)


@given(text=AWKWARD)
def test_byte_level_tokens_spell_the_text(text: str) -> None:
    assert joined(tiny_models.tokenizer(), text) == text.encode()


@given(text=AWKWARD)
def test_byte_fallback_tokens_spell_the_text(text: str) -> None:
    assert joined(byte_fallback_tokenizer(dummy_prefix=False), text) == text.encode().replace(
        "▁".encode(), b" "
    ), "SentencePiece itself cannot tell its mark from a space"


def test_one_byte_tokens_of_byte_level_bpe_are_all_bytes() -> None:
    vocabulary = vocabulary_of(tiny_models.tokenizer(), 290)
    singles = {data for data in vocabulary.token_bytes.values() if len(data) == 1}
    assert singles == {bytes([byte]) for byte in range(256)}


def test_a_token_outside_the_byte_alphabet_is_its_own_text() -> None:
    """As the byte-level decoder does it; some vocabularies hold such leftovers."""
    backend = Tokenizer(models.BPE(vocab={"a": 0, "日本": 1, "<unk>": 2}, merges=[]))
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    table = vocabulary_of(tokenizer, 3).token_bytes
    assert table == {0: b"a", 1: "日本".encode(), 2: b"<unk>"}
    assert tokenizer.decode([1]) == "日本"


def test_added_tokens_that_are_not_special_are_text() -> None:
    """GPT-NeoX's runs of spaces are such tokens."""
    backend = Tokenizer.from_str(tiny_models.tokenizer().backend_tokenizer.to_str())
    backend.add_tokens([AddedToken("        ", normalized=False)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>")
    vocabulary = vocabulary_of(tokenizer, len(tokenizer))
    added = tokenizer.convert_tokens_to_ids("        ")
    assert vocabulary.token_bytes[added] == b" " * 8
    assert added not in vocabulary.special_ids
    assert joined(tokenizer, "x\n        é") == "x\n        é".encode()


def test_rows_of_the_logits_without_a_token_are_named_and_special() -> None:
    vocabulary = vocabulary_of(tiny_models.tokenizer(), 292)
    assert vocabulary.token_bytes[291] == b"<unused id 291>"
    assert {0, 290, 291} == vocabulary.special_ids


def test_other_tokenizers_are_refused_by_name() -> None:
    backend = Tokenizer(models.WordPiece(vocab={"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    backend.decoder = decoders.WordPiece()
    with pytest.raises(ts.CapabilityError, match="WordPiece"):
        vocabulary_of(PreTrainedTokenizerFast(tokenizer_object=backend), 2)


def test_a_tokenizer_without_a_decoder_is_refused() -> None:
    backend = Tokenizer(models.WordLevel(vocab={"a": 0}, unk_token="a"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(ts.CapabilityError, match="rules of its own"):
        vocabulary_of(PreTrainedTokenizerFast(tokenizer_object=backend), 1)


@given(text=AWKWARD)
def test_a_scored_text_reads_back_exactly(text: str) -> None:
    trace = ts.score(tiny_models.language_model(), text[:100], candidates=1)
    data = text[:100].encode()
    assert trace.text_bytes == data
    assert trace.text == text[:100]
    spans = zip(trace.byte_start.tolist(), trace.byte_end.tolist(), strict=True)
    table = trace.vocabulary.token_bytes
    for (start, end), token_id, special in zip(spans, trace.token_ids, trace.special, strict=True):
        assert data[start:end] == (b"" if special else table[token_id])
    assert np.array_equal(trace.byte_end[:-1], trace.byte_start[1:])


def test_the_dummy_prefix_of_sentencepiece_is_not_part_of_the_text() -> None:
    tokenizer = byte_fallback_tokenizer(dummy_prefix=True)
    vocabulary = vocabulary_of(tokenizer, len(tokenizer))
    for text in ("def", " def", "é", "  x"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert b"".join(vocabulary.pieces(ids)) == text.encode()
    assert vocabulary.pieces([1, *tokenizer("de", add_special_tokens=False)["input_ids"]]) == [
        b"",
        b"de",
    ]
    assert not vocabulary_of(tiny_models.tokenizer(), 290).dummy_prefix
