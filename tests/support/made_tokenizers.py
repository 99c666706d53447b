"""Small tokenizers of every family, made here."""

from __future__ import annotations

import tiny_models
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
)
from transformers import PreTrainedTokenizerFast

from tokenscope_core.models.tokenizers.token_bytes import vocabulary_of

FALLBACK_TOKENS = [f"<0x{byte:02X}>" for byte in range(256)] + ["▁", "▁d", "d", "e", "f", "▁de"]


def byte_fallback_backend() -> Tokenizer:
    """SentencePiece's BPE as a `tokenizers` model, spaces not dealt with yet."""
    vocabulary = {"<unk>": 0, "</s>": 1} | {name: i for i, name in enumerate(FALLBACK_TOKENS, 2)}
    merges = [("▁", "d"), ("▁d", "e")]
    return Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True, unk_token="<unk>")
    )


def fast(backend: Tokenizer, **settings: object) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", unk_token="<unk>", **settings
    )


def byte_fallback_tokenizer(*, dummy_prefix: bool) -> PreTrainedTokenizerFast:
    """As Llama 2 (with the dummy prefix) and Gemma (without) write it."""
    backend = byte_fallback_backend()
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if dummy_prefix:
        backend.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        steps.append(decoders.Strip(" ", 1, 0))
    else:
        backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = decoders.Sequence(steps)
    return fast(backend)


def metaspace_tokenizer(prepend_scheme: str) -> PreTrainedTokenizerFast:
    """As tokenizers newer than Llama 2's write it: spaces are dealt with after normalising."""
    backend = byte_fallback_backend()
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend_scheme)
    backend.decoder = decoders.Sequence(
        [
            decoders.ByteFallback(),
            decoders.Metaspace(prepend_scheme=prepend_scheme),
            decoders.Fuse(),
        ]
    )
    return fast(backend)


def byte_level_tokenizer(
    *, normalizer: normalizers.Normalizer | None = None, prefix_space: bool = False
) -> PreTrainedTokenizerFast:
    backend = Tokenizer.from_str(tiny_models.tokenizer().backend_tokenizer.to_str())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    if normalizer is not None:
        backend.normalizer = normalizer
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>")


def word_piece_tokenizer(**decoder: object) -> PreTrainedTokenizerFast:
    names = ["[UNK]", "def", "add", "##s", "##up", ".", "(", ")", ",", "n't", "do"]
    vocabulary = {name: i for i, name in enumerate(names)}
    backend = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(**decoder)
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")


def text_read(tokenizer: PreTrainedTokenizerFast, text: str) -> str:
    """What a trace says was read, dummy prefix left out."""
    vocabulary = vocabulary_of(tokenizer, len(tokenizer))
    ids = tokenizer(text, split_special_tokens=True, add_special_tokens=False)["input_ids"]
    return b"".join(vocabulary.pieces(ids)).decode("utf-8")


def joined(tokenizer: PreTrainedTokenizerFast, text: str) -> bytes:
    vocabulary = vocabulary_of(tokenizer, len(tokenizer))
    ids = tokenizer(text, split_special_tokens=True, add_special_tokens=False)["input_ids"]
    return b"".join(vocabulary.token_bytes[i] for i in ids)
