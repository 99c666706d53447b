"""The exact bytes of every token, for every family of tokenizers."""

from __future__ import annotations

import unicodedata
from typing import Literal

import numpy as np
import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st
from made_tokenizers import (
    FALLBACK_TOKENS,
    byte_fallback_backend,
    byte_fallback_tokenizer,
    byte_level_tokenizer,
    fast,
    joined,
    metaspace_tokenizer,
    text_read,
    word_piece_tokenizer,
)
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
)
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

import tokenscope_core as ts
from tokenscope_core.models.language_model import describe
from tokenscope_core.models.tokenizers.token_bytes import vocabulary_of

PIECES = (
    "def", "имя_переменной", "変数", "naïve", " ", "  ", "\t", "\r\n", "\n", "👩‍👩‍👧", "🇨🇭",
    "\u200b", "\u200d", "\u202e", "\u2066", "\ufeff", "ﬁ", "e\u0301", "Å", "①", "½", "a\0b",
    "a", "(", ".",
)  # fmt: skip
CODE = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
AWKWARD = (
    CODE
    | st.text()
    | st.sampled_from(
        ["\r\n\r\n", "\t\tx", "👩‍👩‍👧", "\u202eabc", "a\0b", "\u200b", "  \n ", "ﬁ", "e\u0301"]
    )
)


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


@given(text=CODE)
@pytest.mark.parametrize("prepend_scheme", ["always", "first", "never"])
def test_metaspace_tokens_spell_the_text(prepend_scheme: str, text: str) -> None:
    read = text_read(metaspace_tokenizer(prepend_scheme), text)
    if prepend_scheme == "never":
        assert read == text
    else:
        # Here " x" and "x" are the same tokens: nobody can tell what was typed.
        assert read == text.removeprefix(" ")


@given(text=CODE)
def test_the_dummy_prefix_is_no_part_of_any_text(text: str) -> None:
    assert text_read(byte_fallback_tokenizer(dummy_prefix=True), text) == text


@given(text=CODE)
def test_a_space_that_a_byte_level_tokenizer_adds_was_read(text: str) -> None:
    read = text_read(byte_level_tokenizer(prefix_space=True), text)
    assert read == (text if not text or text.startswith(" ") else f" {text}")


@given(text=CODE)
@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_the_text_of_a_normalising_tokenizer_is_what_was_read(
    form: Literal["NFC", "NFKC"], text: str
) -> None:
    tokenizer = byte_level_tokenizer(normalizer=getattr(normalizers, form)())
    assert text_read(tokenizer, text) == unicodedata.normalize(form, text)


def test_a_trace_tells_what_was_typed_from_what_was_read() -> None:
    tokenizer = byte_level_tokenizer(normalizer=normalizers.NFKC())
    lm = describe(tiny_models.model("llama"), tokenizer, tiny_models.files("normalising"))
    typed = "ﬁ = ①  # e\u0301\r\n"
    trace = ts.score(lm, typed)
    assert trace.request.prompt == typed
    assert trace.text == unicodedata.normalize("NFKC", typed)
    assert trace.byte_end[-1] == len(trace.text.encode())


def test_words_are_spelled_with_the_spaces_that_part_them() -> None:
    tokenizer = word_piece_tokenizer(cleanup=False)
    assert text_read(tokenizer, "def  ADDs\n(adds).") == "def adds ( adds ) ."
    assert text_read(word_piece_tokenizer(), "def adds (adds).") == "def adds ( adds )."


def test_an_unknown_word_adds_no_bytes_and_is_marked() -> None:
    tokenizer = word_piece_tokenizer()
    vocabulary = vocabulary_of(tokenizer, len(tokenizer))
    ids = tokenizer("def 変数 add", add_special_tokens=False)["input_ids"]
    assert vocabulary.pieces(ids) == [b"def", b"", b"", b" add"]
    assert vocabulary.label(ids[1]) == "[UNK]"
    assert ids[1] in vocabulary.special_ids


def test_clean_up_changes_no_bytes() -> None:
    text = "print ( x ) . n't , ok !"
    backend = tiny_models.tokenizer().backend_tokenizer
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|endoftext|>", clean_up_tokenization_spaces=True
    )
    assert text_read(tokenizer, text) == text


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("content", ["<tool>", "ü", "日本", "    "])
def test_added_tokens_are_their_own_text(content: str, special: bool, normalized: bool) -> None:
    """Also where the byte alphabet has the same letters, which transformers decodes to mojibake."""
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens([AddedToken(content, special=special, normalized=normalized)])
    vocabulary = vocabulary_of(tokenizer, len(tokenizer))
    ids = tokenizer(f"x{content}y", add_special_tokens=False)["input_ids"]
    added = tokenizer.convert_tokens_to_ids(content)
    assert ids.count(added) == 1
    assert vocabulary.token_bytes[added] == content.encode()
    assert (added in vocabulary.special_ids) == special
    middle = "" if special else content
    assert b"".join(vocabulary.pieces(ids)).decode() == f"x{middle}y"


def test_white_space_that_an_added_token_takes_in_was_not_read() -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens([AddedToken("<tool>", lstrip=True, rstrip=True, normalized=False)])
    assert text_read(tokenizer, "x  <tool>\n y") == "x<tool>y"


def test_a_token_added_to_sentencepiece_keeps_its_mark() -> None:
    tokenizer = byte_fallback_tokenizer(dummy_prefix=False)
    tokenizer.add_tokens([AddedToken("<0x41>x", normalized=False), AddedToken("é", special=False)])
    assert text_read(tokenizer, "de<0x41>x é") == "de<0x41>x é"


@pytest.mark.parametrize("text", ["  de\n    de", "de  ", "de<0x41>x  é"])
def test_a_run_of_spaces_that_is_listed_as_added_is_spaces(text: str) -> None:
    """As in Gemma's vocabulary, whose ordinary text becomes such tokens."""
    names = [*FALLBACK_TOKENS, "▁▁", "▁▁▁▁"]
    vocabulary = {"<unk>": 0, "</s>": 1} | {name: i for i, name in enumerate(names, 2)}
    merges = [("▁", "▁"), ("▁▁", "▁▁"), ("▁", "d"), ("▁d", "e")]
    backend = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True, unk_token="<unk>")
    )
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    backend.add_tokens([AddedToken(run, normalized=False) for run in ("▁▁", "▁▁▁▁", "<0x41>x")])
    assert text_read(fast(backend), text) == text


@pytest.mark.parametrize(
    ("decoder", "found"),
    [
        (decoders.BPEDecoder("</w>"), "BPEDecoder"),
        (decoders.CTC(), "CTC"),
        (decoders.Sequence([decoders.Fuse(), decoders.Strip("x", 1, 1)]), "Strip"),
        (decoders.Replace(Regex("d+"), "x"), "Replace"),
    ],
)
def test_decoders_that_look_at_several_tokens_are_refused_by_name(
    decoder: decoders.Decoder, found: str
) -> None:
    backend = byte_fallback_backend()
    backend.decoder = decoder
    with pytest.raises(ts.CapabilityError, match=found):
        vocabulary_of(fast(backend), 300)


def test_a_decoder_that_says_something_else_in_the_end_is_refused() -> None:
    backend = byte_fallback_backend()
    backend.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Fuse(), decoders.Replace("return", "x")]
    )
    with pytest.raises(ts.CapabilityError, match="does not decode token by token"):
        vocabulary_of(fast(backend), 300)


def test_an_added_token_that_is_also_a_letter_of_the_byte_alphabet_is_refused() -> None:
    """Nothing tells whether its id stands for the letter or for the byte."""
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens([AddedToken("Ġ", special=False)])
    with pytest.raises(ts.CapabilityError, match="does not decode token by token"):
        vocabulary_of(tokenizer, 290)


def test_a_tokenizer_without_a_fast_backend_is_refused() -> None:
    with pytest.raises(ts.CapabilityError, match=r"ByT5Tokenizer.*no description"):
        vocabulary_of(ByT5Tokenizer(), 300)


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
