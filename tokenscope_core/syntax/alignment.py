"""Tokens and pieces of a text, joined on bytes: who shares how many with whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenscope_core.record.arrays import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class ByteAlignment:
    """A pairs of a token and a piece that share bytes, in the order of the text.

    `token` and `piece` are indices, `bytes` how many they share, all int64 [A]. The bytes sum to
    the text; those of a token to its width, those of a piece to its length. A token of no bytes
    (a special token) is in no pair.
    """

    token: Ints
    piece: Ints
    bytes: Ints

    def share(self) -> Floats:
        """Which part of its token each pair is, float64 [A]: 1 where a token is in one piece.

        The shares of a token sum to 1.
        """
        width = np.bincount(self.token, weights=self.bytes)
        return np.asarray(self.bytes / width[self.token])


def align(token_end: Ints, piece_end: Ints) -> ByteAlignment:
    """Join two ways of cutting one text, each given by its ends in bytes, int64 [n], ascending.

    Both must begin at 0 and end together. Ends may repeat: such tokens have no bytes.

    Raises:
        ValueError: the two are not of the same length.
    """
    total = [int(ends[-1]) if len(ends) else 0 for ends in (token_end, piece_end)]
    if total[0] != total[1]:
        raise ValueError(f"tokens of {total[0]:,} bytes cannot be pieces of {total[1]:,} bytes")
    ends = np.union1d(token_end, piece_end)
    ends = ends[ends > 0]
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    return ByteAlignment(
        token=np.searchsorted(token_end, starts, side="right"),
        piece=np.searchsorted(piece_end, starts, side="right"),
        bytes=ends - starts,
    )
