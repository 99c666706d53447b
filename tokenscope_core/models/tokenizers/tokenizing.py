"""Splitting text with a tokenizer that came with a model, whatever is wrong with it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, cast

from tokenscope_core.errors import CapabilityError, RequestError
from tokenscope_core.models.foreign import foreign_files
from tokenscope_core.record.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase

# Stands before a text that goes on from another one, and is taken away again: SentencePiece gives
# its dummy space to this.
_GUARD = "☺"


def split(tokenizer: PreTrainedTokenizerBase, text: str, **settings: Any) -> BatchEncoding:
    """What a tokenizer makes of a text in which every name of a special token is text.

    Args:
        tokenizer: of a model.
        text: what was typed, or any part of it.
        settings: as the tokenizer's own.

    Raises:
        CapabilityError: it cannot split this text.
    """

    def refused(found: str) -> CapabilityError:
        return CapabilityError(
            asked="A text was to be split into tokens.",
            found=f"The model's tokenizer failed at it: {found}.",
            action="Change the text, or choose a model whose tokenizer knows all of it.",
        )

    with foreign_files(refused):
        # It would warn of a long text as if that were read in one piece.
        return tokenizer(text, split_special_tokens=True, verbose=False, **settings)


def text_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a text, with the special tokens that its model expects before a prompt.

    Raises:
        RequestError: the text has no tokens, and the model has none to begin with.
        CapabilityError: the tokenizer cannot split it.
    """
    token_ids = cast(list[int], split(tokenizer, text)["input_ids"])
    if not token_ids:
        raise RequestError(
            asked="An empty text was given.",
            found="This model has no token to begin a text with, so it has nothing to read.",
            action="Type at least one character.",
        )
    return token_ids


def lead_length(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> int:
    """How many tokens of a text that was split by `text_ids` are those that begin every text."""
    lead = cast(list[int], split(tokenizer, "")["input_ids"])
    return sum(takewhile(bool, map(operator.eq, lead, token_ids)))


def plain_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a text, special tokens neither before nor after it. Raises: as `split`."""
    encoded = split(tokenizer, text, add_special_tokens=False)
    return cast(list[int], encoded["input_ids"])


def continuing_ids(
    tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary, text: str
) -> list[int]:
    """Ids of a text that does not begin one: no special tokens and no dummy space."""
    if not vocabulary.dummy_prefix:
        return plain_ids(tokenizer, text)
    encoded = split(tokenizer, _GUARD + text, add_special_tokens=False, return_offsets_mapping=True)
    places = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    return [token_id for token_id, (start, _) in places if start >= len(_GUARD)]
