"""The tokens of a model: their exact bytes, and which of them are special."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens a trace mentions: their exact bytes, and which of them are special.

    A special token (end of sequence, fill-in-the-middle marks) has a name but adds no bytes to
    the text. With `dummy_prefix` the tokenizer begins every text with a space that is not in it
    (SentencePiece). `unknown_ids` are tokens of which nobody said what bytes they add: they are
    counted among the special ones, and called by their ids.
    """

    token_bytes: Mapping[int, bytes]
    special_ids: frozenset[int] = frozenset()
    dummy_prefix: bool = False
    unknown_ids: frozenset[int] = frozenset()

    @property
    def known_bytes(self) -> Mapping[int, bytes]:
        """`token_bytes` without the tokens whose bytes are unknown."""
        if not self.unknown_ids:
            return self.token_bytes
        return {i: b for i, b in self.token_bytes.items() if i not in self.unknown_ids}

    def label(self, token_id: int) -> str:
        """The token as text, with bytes that form no whole character replaced by U+FFFD."""
        return self.token_bytes[token_id].decode("utf-8", errors="replace")

    def restricted_to(self, token_ids: Iterable[int]) -> Vocabulary:
        """The same tokens, only those named."""
        kept = set(token_ids)
        return Vocabulary(
            {token_id: self.token_bytes[token_id] for token_id in kept},
            self.special_ids & kept,
            self.dummy_prefix,
            self.unknown_ids & kept,
        )

    def pieces(self, token_ids: Iterable[int]) -> list[bytes]:
        """The bytes that each token of a whole text adds to it."""
        special, table = self.special_ids, self.token_bytes
        pieces = [b"" if token_id in special else table[token_id] for token_id in token_ids]
        if self.dummy_prefix:
            first = next((i for i, piece in enumerate(pieces) if piece), 0)
            pieces[first : first + 1] = [p.removeprefix(b" ") for p in pieces[first : first + 1]]
        return pieces
