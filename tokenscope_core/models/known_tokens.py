"""Tokens that a tokenizer has and its model has not: no text with one of them can be read.

A token added to a tokenizer takes the next id. Where the model's embedding was not made larger
too, there is no row for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tokenscope_core.errors import RequestError
from tokenscope_core.record.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tokenscope_core.models.language_model import LanguageModel


def require_known_tokens(lm: LanguageModel, token_ids: Iterable[int], what: str) -> None:
    """Refuse tokens that a model has no row for.

    Args:
        lm: the model.
        token_ids: what it would have to read.
        what: what they are of, as the beginning of a sentence: “The prompt”.

    Raises:
        RequestError: it cannot read one of them.
    """
    require_rows(lm.tokenizer, lm.vocabulary, token_ids, lm.token_rows, lm.identity.name, what)


def require_rows(
    tokenizer: PreTrainedTokenizerBase,
    vocabulary: Vocabulary,
    token_ids: Iterable[int],
    rows: int,
    name: str,
    what: str,
) -> None:
    """The same without the model, of which only its `rows` and its `name` are known."""
    unknown = next((token_id for token_id in token_ids if token_id >= rows), None)
    if unknown is None:
        return
    token = f"the token with id {unknown:,}"
    if unknown in vocabulary.token_bytes:
        token = f"the token “{vocabulary.label(unknown)}” (id {unknown:,})"
    raise RequestError(
        asked=f"{what} was to be read.",
        found=f"That takes {token}: the model “{name}” has rows for {rows:,} tokens, ids 0 to "
        f"{rows - 1:,}; its tokenizer has {len(tokenizer):,} tokens.",
        action="Leave that token out, or choose a model whose embedding has a row for it.",
    )
