"""The exact bytes each token stands for, read from the tokenizer's own description.

Byte-level BPE spells every byte as one printable character (GPT-2); SentencePiece spells a space as
U+2581 and, with byte fallback, a lone byte as `<0xNN>`; WordPiece marks what continues a word. The
steps are those of the tokenizer's own decoder, taken token by token; a decoder whose steps look at
several tokens, or that in the end says something else, is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from itertools import accumulate, pairwise
from typing import Any

from tokenizers.models import BPE
from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

from tokenscope_core.errors import CapabilityError
from tokenscope_core.record.vocabulary import Vocabulary

# Characters of the byte alphabet become those that are their bytes in Latin-1; of the others those
# that Latin-1 has become one that it has not.
_BYTE_OF = {ord(character): byte for byte, character in bytes_to_unicode().items()}
_TO_LATIN = {**dict.fromkeys(range(256), 0xFFFD), **_BYTE_OF}
_FALLBACK_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_LARGEST_ID = 16_000_000
# What WordPiece's decoder does to a token when it cleans up.
_CLEAN_UP = (
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
    (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
)  # fmt: skip
_PROBES = ("a", "def add(a, b):\n    return a  # é 👋", "日本\r\n")
_SPACED_PROBES = (" a b\tc.", "  x = 1")


def vocabulary_of(tokenizer: PreTrainedTokenizerBase, vocabulary_size: int) -> Vocabulary:
    """The bytes of every token id below `vocabulary_size`, the width of the logits.

    Rows of the logits that the tokenizer has no token for (padding of the matrix) are special
    tokens named after their id. Joined bytes are the text that the model read, which is not
    always what was typed: some tokenizers normalise Unicode, drop white space or know few words.

    Raises:
        CapabilityError: the tokenizer does not spell out its bytes.
    """
    words = tokenizer.get_vocab()
    description = _description(tokenizer, max(words.values(), default=0))
    to_bytes = _decoder(tokenizer, description)
    added = tokenizer.added_tokens_decoder
    written = _written_by_the_model(tokenizer, to_bytes)
    listed = set(tokenizer.all_special_ids)
    listed |= {token_id for token_id, entry in added.items() if entry.special}
    spelled = _spelled_by_text(tokenizer, description["model"], listed, to_bytes)
    special = listed - spelled
    table = dict(zip(words.values(), _bytes_of_all(list(words), to_bytes), strict=True))
    for token, token_id in ((token, words[token]) for token in tokenizer.get_added_vocab()):
        entry = added.get(token_id) if token_id not in spelled else None
        if entry is not None and (entry.special or token not in written):
            table[token_id] = token.encode("utf-8")
    for token_id in range(vocabulary_size):
        if token_id not in table:
            table[token_id] = f"<unused id {token_id}>".encode()
            special.add(token_id)
    plain = Vocabulary(table, frozenset(special))
    dummy_prefix = any(
        read == b" " + decoded
        for read, decoded in (_read_back(tokenizer, plain, text) for text in _PROBES)
    )
    vocabulary = Vocabulary(table, frozenset(special), dummy_prefix)
    for text in (*_PROBES, *_SPACED_PROBES):
        lost = special.intersection(_plain_ids(tokenizer, text)) - {tokenizer.unk_token_id}
        if lost:
            names = ", ".join(map(repr, tokenizer.convert_ids_to_tokens(sorted(lost)[:3])))
            raise _refusal(tokenizer, f"turns ordinary text into special tokens ({names})")
        read, decoded = _read_back(tokenizer, vocabulary, text)
        # Some decoders drop a first space that is no dummy but was typed.
        if decoded not in (read, read.removeprefix(b" ")):
            raise _refusal(tokenizer, "does not decode token by token")
    return vocabulary


def _written_by_the_model(
    tokenizer: PreTrainedTokenizerBase, to_bytes: Callable[[str], bytes]
) -> Collection[str]:
    """Tokens that ordinary text becomes although they are listed as added: Gemma's runs of spaces.

    In byte-level BPE an added token stands for its own letters, not for the bytes they spell.
    """
    if to_bytes is _byte_level_bytes:
        return ()
    learnt: dict[str, int] = tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False)
    return learnt.keys()


def _spelled_by_text(
    tokenizer: PreTrainedTokenizerBase,
    model: dict[str, Any],
    special: Collection[int],
    to_bytes: Callable[[str], bytes],
) -> set[int]:
    """Tokens listed as special that ordinary text becomes all the same: the bytes of byte fallback
    in some conversions, or a letter that somebody pads with. Without their bytes text would be
    lost, and what a model writes with them.

    A letter of the byte alphabet that stands for another byte may be meant as either: left out.
    """
    learnt = tokenizer.backend_tokenizer.model
    found = set()
    for token in tokenizer.convert_ids_to_tokens(sorted(special)):
        token_id = None if token is None else learnt.token_to_id(token)
        if token_id is None or token_id not in special or token_id == tokenizer.unk_token_id:
            continue
        if (model.get("byte_fallback") and _FALLBACK_BYTE.fullmatch(token)) or (
            model.get("type") == "BPE"
            and (to_bytes is not _byte_level_bytes or to_bytes(token) == token.encode("utf-8"))
            and _is_merged(tokenizer, model, token, token_id)
        ):
            found.add(token_id)
    return found


def _is_merged(
    tokenizer: PreTrainedTokenizerBase, model: dict[str, Any], token: str, token_id: int
) -> bool:
    """Whether BPE makes a token of its letters; a name such as `</s>` stays in pieces."""
    if [part.id for part in tokenizer.backend_tokenizer.model.tokenize(token)] != [token_id]:
        return False
    # With `ignore_merges` any piece of text that is in the vocabulary becomes its token.
    return not model.get("ignore_merges") or token_id in _plain_ids(tokenizer, token)


def _plain_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    encoded = tokenizer(text, add_special_tokens=False, split_special_tokens=True)
    return list(encoded["input_ids"])


def _read_back(
    tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary, text: str
) -> tuple[bytes, bytes]:
    """The bytes of a text's tokens, and what the tokenizer itself makes of them."""
    ids = [i for i in _plain_ids(tokenizer, text) if i not in vocabulary.special_ids]
    decoded = tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False)
    return b"".join(vocabulary.pieces(ids)), decoded.encode("utf-8")


def _description(tokenizer: PreTrainedTokenizerBase, largest: int) -> dict[str, Any]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise _refusal(tokenizer, "has no description of how it decodes")
    # Its description has a place for every id below the largest.
    if largest > _LARGEST_ID:
        raise _refusal(tokenizer, f"gives a token the id {largest:,}, beyond any model's rows")
    model, decoder = backend.model, backend.decoder
    if isinstance(model, BPE):
        # Its merges, hundreds of thousands of lists in the whole description, are not needed.
        rules = {"byte_fallback": model.byte_fallback, "ignore_merges": model.ignore_merges}
        steps = None if decoder is None else json.loads(decoder.__getstate__())
        return {"decoder": steps, "model": {"type": "BPE", **rules}}
    description: dict[str, Any] = json.loads(backend.to_str())
    return description


def _decoder(
    tokenizer: PreTrainedTokenizerBase, description: dict[str, Any]
) -> Callable[[str], bytes]:
    steps = _flatten(description.get("decoder") or {})
    kinds = {step.get("type") for step in steps}
    if kinds <= {"ByteLevel", "Fuse"} and "ByteLevel" in kinds:
        return _byte_level_bytes
    rewrites: list[Callable[[str], str]] = []
    for step in steps:
        match step:
            case {"type": "Fuse" | "ByteFallback"}:
                pass
            case {"type": "Strip", "content": " ", "start": 0 | 1, "stop": 0} if "Fuse" in kinds:
                pass  # of the whole text: `Vocabulary.pieces` does it
            case {"type": "Metaspace", "replacement": str(mark)}:
                rewrites.append(_replacement(mark, " "))
            case {"type": "Replace", "pattern": {"String": str(mark)}, "content": str(content)}:
                rewrites.append(_replacement(mark, content))
            case {"type": "WordPiece", "prefix": str(prefix), "cleanup": bool(clean_up)}:
                rewrites.append(_word_piece(prefix, clean_up))
            case _:
                kind = step.get("type") or "rules of its own"
                raise _refusal(tokenizer, f"decodes by {kind}")
    return _rewritten_bytes(rewrites, byte_fallback="ByteFallback" in kinds)


def _refusal(tokenizer: PreTrainedTokenizerBase, problem: str) -> CapabilityError:
    return CapabilityError(
        asked="The exact bytes of each token are needed.",
        found=f"This tokenizer ({type(tokenizer).__name__}) {problem}.",
        action="Use a model with a byte-level BPE, a SentencePiece or a WordPiece tokenizer that "
        "has a tokenizer.json.",
    )


def _flatten(decoder: dict[str, Any]) -> list[dict[str, Any]]:
    if decoder.get("type") == "Sequence":
        return [part for inner in decoder["decoders"] for part in _flatten(inner)]
    return [decoder]


def _bytes_of_all(tokens: list[str], to_bytes: Callable[[str], bytes]) -> list[bytes]:
    """The bytes of each token; of the byte alphabet, a byte for each character, in one piece."""
    if to_bytes is _byte_level_bytes:
        with suppress(UnicodeEncodeError):
            joined = "".join(tokens).translate(_TO_LATIN).encode("latin-1")
            ends = list(accumulate(map(len, tokens), initial=0))
            return [joined[start:end] for start, end in pairwise(ends)]
    return [to_bytes(token) for token in tokens]


def _byte_level_bytes(token: str) -> bytes:
    try:
        return token.translate(_TO_LATIN).encode("latin-1")
    except (
        UnicodeEncodeError
    ):  # not in the byte alphabet: the decoder takes such a token as its own text
        return token.encode("utf-8")


def _rewritten_bytes(
    rewrites: list[Callable[[str], str]], *, byte_fallback: bool
) -> Callable[[str], bytes]:
    def to_bytes(token: str) -> bytes:
        match = _FALLBACK_BYTE.fullmatch(token) if byte_fallback else None
        if match:
            return bytes([int(match[1], 16)])
        for rewrite in rewrites:
            token = rewrite(token)
        return token.encode("utf-8")

    return to_bytes


def _replacement(mark: str, content: str) -> Callable[[str], str]:
    return lambda token: token.replace(mark, content)


def _word_piece(prefix: str, clean_up: bool) -> Callable[[str], str]:
    """What a token adds after another one; the space before the first is no part of the text."""

    def spell(token: str) -> str:
        token = token.removeprefix(prefix) if token.startswith(prefix) else f" {token}"
        for written, meant in _CLEAN_UP if clean_up else ():
            token = token.replace(written, meant)
        return token

    return spell
