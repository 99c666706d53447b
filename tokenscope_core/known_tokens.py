"""Tokens that a tokenizer has and its model has not: no text with one of them can be read.

A token added to a tokenizer takes the next id. Where the model's embedding was not made larger
too, there is no row for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tokenscope_core.errors import RequestError

if TYPE_CHECKING:
    from tokenscope_core.models import LanguageModel


def require_known_tokens(lm: LanguageModel, token_ids: Iterable[int], what: str) -> None:
    """Refuse tokens that the model has no row for.

    Args:
        lm: the model.
        token_ids: what it would have to read.
        what: what they are of, as the beginning of a sentence: “The prompt”.

    Raises:
        RequestError: it cannot.
    """
    rows = lm.token_rows
    unknown = next((token_id for token_id in token_ids if token_id >= rows), None)
    if unknown is None:
        return
    token = f"the token with id {unknown:,}"
    if unknown in lm.vocabulary.token_bytes:
        token = f"the token “{lm.vocabulary.label(unknown)}” (id {unknown:,})"
    raise RequestError(
        asked=f"{what} needs {token}.",
        found=f"The model “{lm.identity.name}” has rows for {rows:,} tokens, ids 0 to "
        f"{rows - 1:,}; its tokenizer has {len(lm.tokenizer):,} tokens.",
        action="Leave that token out, or choose a model whose embedding has a row for it.",
    )
