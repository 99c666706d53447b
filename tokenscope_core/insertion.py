"""A text a person puts into the middle of another one, as tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tokenscope_core.errors import RequestError

if TYPE_CHECKING:
    from tokenscope_core.models import LanguageModel

# What a lead-in ends with stays a token of its own in every tokenizer met so far.
_LEAD_IN = "\n"


def inserted_ids(lm: LanguageModel, text: str) -> tuple[int, ...]:
    """The tokens of a text that follows other text.

    They spell exactly its bytes: SentencePiece's space before a text is left out. Where the text
    meets its neighbours other tokens might have been chosen, had all been typed at once; see
    `merges_with`.

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
    for ids in (_plain_ids(lm, text), _after_lead_in(lm, text)):
        if ids and b"".join(lm.vocabulary.token_bytes[i] for i in ids) == wanted:
            return ids
    raise RequestError(
        asked=f"“{text[:40]}” was to be put into the trace.",
        found="This model's tokenizer does not spell it as typed in the middle of a text.",
        action="Choose a candidate, or type a longer part of the code.",
    )


def merges_with(lm: LanguageModel, before: bytes, ids: tuple[int, ...], after: bytes) -> bool:
    """Whether the tokenizer would have split the text otherwise, had it been typed together with
    the text around it."""
    inserted = b"".join(lm.vocabulary.token_bytes[i] for i in ids)
    start, end = len(before), len(before) + len(inserted)
    whole = (before + inserted + after).decode("utf-8", errors="ignore")
    tokens, offset, here = _plain_ids(lm, whole), 0, []
    for token_id, piece in zip(tokens, lm.vocabulary.pieces(tokens), strict=True):
        if piece and offset < end and offset + len(piece) > start:
            here.append(token_id)
        offset += len(piece)
    return tuple(here) != ids


def _plain_ids(lm: LanguageModel, text: str) -> tuple[int, ...]:
    encoded = lm.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
    return tuple(cast(list[int], encoded["input_ids"]))


def _after_lead_in(lm: LanguageModel, text: str) -> tuple[int, ...]:
    """The tokens after those of a lead-in; none where the two are not told apart."""
    ids = _plain_ids(lm, _LEAD_IN + text)
    lead = _plain_ids(lm, _LEAD_IN)
    return ids[len(lead) :] if ids[: len(lead)] == lead else ()
