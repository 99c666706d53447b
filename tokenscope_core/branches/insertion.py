"""A text a person puts into the middle of another one, as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from tokenscope_core.errors import RequestError
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.known_tokens import require_rows
from tokenscope_core.models.tokenizers.loading import tokenizer_of
from tokenscope_core.models.tokenizers.tokenizing import split
from tokenscope_core.record.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What a lead-in ends with stays a token of its own in every tokenizer met so far.
_LEAD_IN = "\n"


@dataclass(frozen=True, slots=True)
class Insertion:
    """The tokens of a text put between others.

    `pieces` are their exact bytes. `otherwise` says that the tokenizer would have split the text
    in another way, had it been typed together with the text around it.
    """

    token_ids: tuple[int, ...]
    pieces: tuple[bytes, ...]
    otherwise: bool


def insertion(files: ModelFiles, text: str, *, before: bytes, after: bytes, rows: int) -> Insertion:
    """Split a text into tokens by a model's tokenizer, without its weights.

    Args:
        files: of the model.
        text: what is put in.
        before: the text before it.
        after: the text after it, as far as it is kept.
        rows: how many token ids the model can read.

    Raises:
        RequestError: as `inserted_ids`, or the model has no row for one of the tokens.
        ModelFormatError: transformers cannot load the tokenizer.
    """
    with tokenizer_of(files) as (tokenizer, vocabulary):
        ids = inserted_ids(tokenizer, vocabulary, text)
        require_rows(tokenizer, vocabulary, ids, rows, files.name, "What was typed")
        return Insertion(
            token_ids=ids,
            pieces=tuple(vocabulary.token_bytes[i] for i in ids),
            otherwise=ids != _typed_together(tokenizer, vocabulary, before, text, after),
        )


def inserted_ids(
    tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary, text: str
) -> tuple[int, ...]:
    """The tokens of a text that follows other text.

    They spell exactly its bytes: SentencePiece's space before a text is left out.

    Raises:
        RequestError: the text is empty, or the tokenizer cannot spell it in the middle of another.
    """
    if not text:
        raise RequestError(
            asked="An empty text was to be put into the trace.",
            found="It has no tokens.",
            action="Type at least one character, or delete the token instead.",
        )
    wanted = text.encode("utf-8")
    for ids in (_plain_ids(tokenizer, text), _after_lead_in(tokenizer, text)):
        if ids and b"".join(vocabulary.token_bytes[i] for i in ids) == wanted:
            return ids
    raise RequestError(
        asked=f"“{text[:40]}” was to be put into the trace.",
        found="This model's tokenizer does not spell it as typed in the middle of a text.",
        action="Choose a candidate, or type a longer part of the code.",
    )


def _typed_together(
    tokenizer: PreTrainedTokenizerBase,
    vocabulary: Vocabulary,
    before: bytes,
    inserted: str,
    after: bytes,
) -> tuple[int, ...]:
    """The tokens that touch the inserted text where all three are split as one.

    Half a character, which a token before or after may hold, cannot be typed: U+FFFD stands in.
    """
    lead, rest = (part.decode("utf-8", errors="replace") for part in (before, after))
    start = len(lead.encode())
    end = start + len(inserted.encode())
    ids = _plain_ids(tokenizer, lead + inserted + rest)
    touching, offset = [], 0
    for token_id, piece in zip(ids, vocabulary.pieces(ids), strict=True):
        if piece and offset < end and offset + len(piece) > start:
            touching.append(token_id)
        offset += len(piece)
    return tuple(touching)


def _plain_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    encoded = split(tokenizer, text, add_special_tokens=False)
    return tuple(cast(Sequence[int], encoded["input_ids"]))


def _after_lead_in(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    """The tokens after those of a lead-in; none where the two are not told apart."""
    ids, lead = _plain_ids(tokenizer, _LEAD_IN + text), _plain_ids(tokenizer, _LEAD_IN)
    return ids[len(lead) :] if ids[: len(lead)] == lead else ()
