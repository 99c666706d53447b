"""Reading tokens that are given: a prompt, or what a person put into a branch.

The text is read in pieces, the logits are computed and measured in smaller ones, so that few of
them stand in memory. What was read last is measured after the first token is drawn: for that the
last row alone is needed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import partial

import torch

from tokenscope_core.decoding.recording import given_rows, host_ids
from tokenscope_core.models.cache_reader import CacheReader
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.models.lm_head import LazyLogits
from tokenscope_core.record.metrics import measure, missing
from tokenscope_core.record.steps import FinishReason, Rows, Source

# Logits in memory are at most this many numbers (192 MiB in float32).
_CHUNK_LOGITS = 48 * 1024 * 1024
_MIN_CHUNK, _MAX_CHUNK = 32, 1024
# Attention over a text in one piece skips what lies ahead; over pieces it does not, which at 2,000
# tokens costs a tenth. But a run can be stopped between pieces only: on one core, 600e9 products
# of a position and a weight take about 20 s.
_MIN_PIECE, _MAX_PIECE = 256, 4096
_PIECE_PRODUCTS = 600_000_000_000
# From about here on the head is as fast a row as it gets.
_HEAD_ROWS = 256


def chunk_length(vocabulary_size: int) -> int:
    """Of how many positions the logits may be in memory."""
    return max(_MIN_CHUNK, min(_MAX_CHUNK, _CHUNK_LOGITS // vocabulary_size))


def piece_length(lm: LanguageModel) -> int:
    """How many positions are read at once."""
    if not lm.head_apart:
        return chunk_length(lm.identity.vocabulary_size)
    if lm.device.type != "cpu":
        return _MAX_PIECE
    return max(_MIN_PIECE, min(_MAX_PIECE, _PIECE_PRODUCTS // lm.weights))


def read_up_to(lm: LanguageModel, reader: CacheReader, ids: torch.Tensor, end: int) -> None:
    """Read on in a text, int64 [1, n], up to a position, where nobody wants the logits."""
    step = piece_length(lm)
    for start in range(reader.length, end, step):
        reader.skip(ids[:, start : min(start + step, end)])


def read_given(
    lm: LanguageModel,
    reader: CacheReader,
    token_ids: Sequence[int],
    sources: Sequence[Source],
    *,
    candidates: int,
    finish_reason: FinishReason | None,
    from_whole_pieces: bool = False,
) -> Generator[Rows, None, tuple[torch.Tensor, Iterator[Rows]]]:
    """Read to the end of a text, yielding the rows of its last tokens.

    The logits at a position describe the token after it, so each piece measures the tokens one
    place further on.

    Args:
        lm: the model.
        reader: has read less than what comes before the given tokens; the rest is read first.
        token_ids: the whole text.
        sources: of the given tokens, the last of the text.
        candidates: how many of the most probable tokens to record.
        finish_reason: why the text ends here; None where it goes on.
        from_whole_pieces: read the same pieces as where all tokens are given: in half precision
            figures depend on them.

    Returns:
        Of a text that goes on the logits [1, V] after its last token, in the model's dtype, and the
        rows, not measured before they are asked for, that take the place of those that were yielded
        without figures.
        Of a text that ends, nothing of either.
    """
    ids = torch.tensor([token_ids], device=lm.device)
    length = ids.shape[1]
    first = length - len(sources)
    width = min(candidates, lm.identity.vocabulary_size)
    if first == 0 and sources:
        ends = finish_reason if length == 1 else None
        taken = host_ids(ids[0, :1])
        yield from given_rows(taken, sources[:1], missing(1, width), start=0, finish_reason=ends)
    lead = max(first - 1, 0)
    assert reader.length <= lead, "the token before the given ones is read again, for its logits"
    step = piece_length(lm)
    begin = lead // step * step if from_whole_pieces else lead
    read_up_to(lm, reader, ids, begin)
    # The last token of a text that ends predicts nothing that is recorded. It is read with its
    # piece all the same: in half precision figures depend on the length of a piece, and a prompt
    # is to have the same ones whether something is generated after it or not.
    end = length if finish_reason is None else length - 1
    for start in range(begin, end, step):
        logits = reader.read_later(ids[:, start : start + step])
        last = start + step >= end
        skipped = max(lead - start, 0)
        rows = partial(
            _rows,
            logits,
            ids[0, start + 1 + skipped : start + 1 + len(logits)],
            sources[start + 1 + skipped - first :],
            start=start + 1 + skipped,
            skipped=skipped,
            candidates=width,
            finish_reason=finish_reason if last else None,
        )
        if last and finish_reason is None:
            yield from rows(measured=False)
            return logits.rows(len(logits) - 1, len(logits)), rows(measured=True)
        yield from rows(measured=True)
    return torch.empty(0), iter(())


def _rows(
    logits: LazyLogits,
    taken: torch.Tensor,
    sources: Sequence[Source],
    *,
    start: int,
    skipped: int,
    candidates: int,
    finish_reason: FinishReason | None,
    measured: bool,
) -> Iterator[Rows]:
    """The rows of tokens, int64 [n], that logits [n or more, V] describe, but for the first
    `skipped`: some at a time."""
    end = len(taken)
    for here in range(0, end, _HEAD_ROWS):
        some = taken[here : here + _HEAD_ROWS]
        measures = missing(len(some), candidates)
        if measured:
            with torch.inference_mode():
                measures = measure(
                    logits.rows(skipped + here, skipped + here + len(some)), some, candidates
                )
        yield from given_rows(
            host_ids(some),
            sources[here : here + len(some)],
            measures,
            start=start + here,
            measured=measured,
            finish_reason=finish_reason if here + len(some) == end else None,
        )
