"""One text read by two models, joined on bytes: what every stretch of it cost each of them.

Two tokenizers cut a text in different places. Wherever both have a token boundary, what a model
paid for the bytes since the last such place is a plain sum over its own tokens, and exact. It is
the surprisal of the text *as that model's tokenizer cuts it*, an upper bound on that of the bytes
themselves, which would sum over all other ways to cut them (Cao and Rimell 2021,
arXiv:2109.02550). Sums over bytes, unlike means over tokens, compare across tokenizers (bits per
byte: Gao et al. 2020, arXiv:2101.00027).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class ModelReading:
    """One model's side of a comparison of S spans.

    `span_of_token` is int64 [T]: which span each token of `trace` belongs to, -1 for none. A
    special token belongs to none, since it adds nothing to the text; a token without bytes that
    is not special (the space SentencePiece puts before a text) to the span that follows it, or to
    the last. `tokens` is int64 [S], the number of tokens of each span, `surprisal` float64 [S]
    the sum of theirs in nats: NaN where one of them has none, as a first token has.
    """

    trace: Trace
    span_of_token: Ints
    tokens: Ints
    surprisal: Floats

    def positions(self, span: int) -> Ints:
        """The positions of a span's tokens in the trace, int64 [n], ascending."""
        return np.flatnonzero(self.span_of_token == span)


@dataclass(frozen=True, slots=True, eq=False)
class ModelComparison:
    """Two readings of the same bytes, span by span.

    Span s is the bytes from `byte_start[s]` to `byte_end[s]` (int64 [S]) of the common text, from
    one place where both tokenizations have a boundary to the next. `common_bytes` is the length
    of the longest common beginning of the two texts; the spans cover it up to the last common
    boundary, `compared_bytes`, which is all of it where the texts are equal.
    """

    a: ModelReading
    b: ModelReading
    byte_start: Ints
    byte_end: Ints
    common_bytes: int

    def __len__(self) -> int:
        return len(self.byte_end)

    @property
    def compared_bytes(self) -> int:
        """How many bytes the spans cover."""
        return int(self.byte_end[-1]) if len(self) else 0

    @property
    def same_text(self) -> bool:
        """Whether both models read the same bytes, all of which are compared."""
        return self.a.trace.text_bytes == self.b.trace.text_bytes

    @property
    def text_bytes(self) -> bytes:
        """The bytes that are compared."""
        return self.a.trace.text_bytes[: self.compared_bytes]

    @property
    def first_line(self) -> int:
        """The number of the text's first line in its file, from 1."""
        return self.a.trace.first_line

    @property
    def difference(self) -> Floats:
        """Surprisal of a minus surprisal of b, nats, float64 [S]: above 0 where b expected the span
        more.

        NaN where either is missing.
        """
        # Two certain misses (inf) have no difference, which is no error.
        with np.errstate(invalid="ignore"):
            return np.asarray(self.a.surprisal - self.b.surprisal)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which spans both models have a surprisal for, bool [S]; totals are over these."""
        return ~(np.isnan(self.a.surprisal) | np.isnan(self.b.surprisal))


def compare_models(a: Trace, b: Trace) -> ModelComparison:
    """Align two traces of one text on its bytes.

    Where the texts differ, because a tokenizer normalises what it is given or a run was stopped,
    their longest common beginning is compared: see `common_bytes` and `same_text`.

    Raises:
        RequestError: the texts have no beginning in common that both tokenizations end at.
    """
    common = _common_prefix(a.text_bytes, b.text_bytes)
    boundaries = np.intersect1d(_boundaries(a), _boundaries(b))
    boundaries = boundaries[boundaries <= common]
    if len(boundaries) == 1 and (len(a.text_bytes) or len(b.text_bytes)):
        raise RequestError(
            asked="What two models made of one text was to be compared.",
            found=f"Only the first {common:,} bytes of what they read are the same, and no token "
            "of both ends there.",
            action="Score the same text with both, in characters that both tokenizers keep.",
        )
    return ModelComparison(
        a=_reading(a, boundaries),
        b=_reading(b, boundaries),
        byte_start=boundaries[:-1],
        byte_end=boundaries[1:],
        common_bytes=common,
    )


def _common_prefix(a: bytes, b: bytes) -> int:
    length = min(len(a), len(b))
    differs = np.frombuffer(a, np.uint8, length) != np.frombuffer(b, np.uint8, length)
    return int(differs.argmax()) if differs.any() else length


def _boundaries(trace: Trace) -> Ints:
    """Where a token begins or ends, ascending; 0 is one."""
    return np.union1d(np.zeros(1, np.int64), trace.byte_end)


def _reading(trace: Trace, boundaries: Ints) -> ModelReading:
    spans = len(boundaries) - 1
    span_of_token = np.searchsorted(boundaries, trace.byte_start, side="right") - 1
    if boundaries[-1] == len(trace.text_bytes):
        # What stands without bytes at the end of the text has no span that follows.
        span_of_token = np.minimum(span_of_token, spans - 1)
    outside = trace.special | (span_of_token >= spans)
    span_of_token = np.where(outside, -1, span_of_token)
    inside = span_of_token >= 0
    owner = span_of_token[inside]
    tokens = np.bincount(owner, minlength=spans)
    values = trace.surprisal[inside]
    surprisal = np.bincount(owner, weights=values, minlength=spans).astype(np.float64)
    for array in (span_of_token, tokens, surprisal):
        array.flags.writeable = False
    return ModelReading(trace, span_of_token, tokens, surprisal)
