"""Stop strings, matched on the bytes of the generated text as they arrive, and the tokens that a
request names."""

from __future__ import annotations

from collections.abc import Sequence

from tokenscope_core.errors import RequestError
from tokenscope_core.record.request import Request


def require_known(request: Request, vocabulary_size: int) -> None:
    """Refuse a request that names tokens the model does not have.

    Raises:
        RequestError: an id is beyond the vocabulary.
    """
    sampling = request.sampling
    for asked, token_ids in (
        ("Generation was to stop at", request.stop_token_ids),
        ("There was to be a bias for", [token_id for token_id, _ in sampling.logit_bias]),
        ("Nothing was to be drawn of", sampling.suppress_tokens),
    ):
        unknown = [str(token_id) for token_id in token_ids if token_id >= vocabulary_size]
        if unknown:
            raise RequestError(
                asked=f"{asked} token {', '.join(unknown)}.",
                found=f"The model's vocabulary has {vocabulary_size:,} tokens: ids 0 to "
                f"{vocabulary_size - 1:,}.",
                action="Choose ids in that range.",
            )


class StopMatcher:
    """Says when the bytes fed so far contain one of the stop strings.

    Only the tail that could still begin a match is kept, so feeding is linear in the text.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(text.encode("utf-8") for text in stop)
        self._reach = max(map(len, self._stop), default=1) - 1
        self._tail = b""

    def feed(self, data: bytes) -> bool:
        """Add bytes; True when a stop string has become complete with them."""
        if not self._stop:
            return False
        window, known = self._tail + data, len(self._tail)
        self._tail = window[-self._reach :] if self._reach else b""
        # A match that ends in the tail was told of before.
        return any(window.find(text, max(0, known - len(text) + 1)) >= 0 for text in self._stop)
