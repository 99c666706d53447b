"""The exact bytes each token stands for, read from the tokenizer's own description.

Two families write bytes into their vocabulary in a reversible way: byte-level BPE, which spells
every byte as one printable character (GPT-2), and SentencePiece with byte fallback, which spells
a space as U+2581 and a lone byte as `<0xNN>`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

from tokenscope_core.errors import CapabilityError
from tokenscope_core.steps import Vocabulary

_BYTE_OF = {character: byte for byte, character in bytes_to_unicode().items()}
_FALLBACK_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SENTENCEPIECE_SPACE = "\u2581"


def vocabulary_of(tokenizer: PreTrainedTokenizerBase, vocabulary_size: int) -> Vocabulary:
    """The bytes of every token id below `vocabulary_size`, the width of the logits.

    Rows of the logits that the tokenizer has no token for (padding of the matrix) are special
    tokens named after their id.

    Raises:
        CapabilityError: the tokenizer does not spell out its bytes.
    """
    to_bytes = _decoder(tokenizer)
    added = tokenizer.added_tokens_decoder
    table: dict[int, bytes] = {}
    special = set(tokenizer.all_special_ids)
    for token, token_id in tokenizer.get_vocab().items():
        entry = added.get(token_id)
        table[token_id] = token.encode("utf-8") if entry else to_bytes(token)
        if entry is not None and entry.special:
            special.add(token_id)
    for token_id in range(vocabulary_size):
        if token_id not in table:
            table[token_id] = f"<unused id {token_id}>".encode()
            special.add(token_id)
    probe = tokenizer("a", add_special_tokens=False)["input_ids"]
    dummy_prefix = b"".join(table[token_id] for token_id in probe) == b" a"
    return Vocabulary(table, frozenset(special), dummy_prefix)


def _decoder(tokenizer: PreTrainedTokenizerBase) -> Callable[[str], bytes]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    description = json.loads(backend.to_str()) if backend is not None else {}
    parts = _flatten(description.get("decoder") or {})
    kinds = {part.get("type") for part in parts}
    if "ByteLevel" in kinds:
        return _byte_level_bytes
    if "ByteFallback" in kinds or "Metaspace" in kinds:
        return _sentencepiece_bytes
    raise CapabilityError(
        asked="The exact bytes of each token are needed.",
        found=f"This tokenizer ({type(tokenizer).__name__}) decodes by "
        f"{', '.join(sorted(k for k in kinds if k)) or 'rules of its own'}.",
        action="Use a model with a byte-level BPE or a SentencePiece byte-fallback tokenizer.",
    )


def _flatten(decoder: dict[str, Any]) -> list[dict[str, Any]]:
    if decoder.get("type") == "Sequence":
        return [part for inner in decoder["decoders"] for part in _flatten(inner)]
    return [decoder]


def _byte_level_bytes(token: str) -> bytes:
    try:
        return bytes(_BYTE_OF[character] for character in token)
    except KeyError:  # not in the byte alphabet: the decoder takes such a token as its own text
        return token.encode("utf-8")


def _sentencepiece_bytes(token: str) -> bytes:
    match = _FALLBACK_BYTE.fullmatch(token)
    if match:
        return bytes([int(match[1], 16)])
    return token.replace(_SENTENCEPIECE_SPACE, " ").encode("utf-8")
