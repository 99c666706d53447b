"""Splitting text with a tokenizer that came with a model, whatever is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenscope_core.errors import CapabilityError
from tokenscope_core.models.foreign import foreign_files

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase


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
        return tokenizer(text, split_special_tokens=True, **settings)
