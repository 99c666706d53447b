"""Rows of the record: of tokens that were given, that were drawn, or that a trace holds already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch

from tokenscope_core.decoding.sampling import Choice
from tokenscope_core.record.arrays import NOT_DRAWN, Floats, Ints
from tokenscope_core.record.metrics import Measures
from tokenscope_core.record.steps import FinishReason, Rows, Source
from tokenscope_core.record.trace import Trace


def given_rows(
    token_ids: Ints,
    sources: Sequence[Source],
    measures: Measures,
    *,
    start: int,
    measured: bool = True,
    finish_reason: FinishReason | None = None,
) -> Iterator[Rows]:
    """The rows of tokens that were read, not drawn: one part for each run of equal sources.

    Args:
        token_ids: int64 [n].
        sources: of each.
        measures: of each; missing ones where they are not yet `measured`.
        start: the position of the first.
        measured: whether these are the measures that the record is to have.
        finish_reason: why the text ends with them.
    """
    count = len(token_ids)
    unknown = np.full(count, np.nan)
    metrics = {
        **measures.columns,
        "sampled_logprob": unknown,
        "elapsed_ms": unknown,
        "context_length": _context_lengths(start, count),
    }
    kept = np.full(measures.candidate_ids.shape, NOT_DRAWN, dtype=np.int8)
    for first, end in _runs(sources):
        yield Rows(
            start=start + first,
            token_ids=token_ids[first:end].copy(),
            source=sources[first],
            metrics={name: column[first:end] for name, column in metrics.items()},
            candidate_ids=measures.candidate_ids[first:end],
            candidate_logprobs=measures.candidate_logprobs[first:end],
            candidate_kept=kept[first:end],
            finish_reason=finish_reason if end == count else None,
            measured=measured,
        )


def drawn_rows(
    choices: Sequence[Choice],
    measures: Measures,
    *,
    start: int,
    elapsed_ms: float,
    finish_reason: FinishReason | None,
) -> Rows:
    """The rows of tokens that were drawn one after another, each in `elapsed_ms`, from a position
    on."""
    logprobs = np.array([choice.logprob for choice in choices], dtype=np.float32)
    kept = [choice.kept(ids) for choice, ids in zip(choices, measures.candidate_ids, strict=True)]
    return Rows(
        start=start,
        token_ids=np.array([choice.token_id for choice in choices], dtype=np.int64),
        source="sampled",
        metrics={
            **measures.columns,
            "sampled_logprob": logprobs.astype(np.float64),
            "elapsed_ms": np.full(len(choices), np.float32(elapsed_ms), dtype=np.float64),
            "context_length": _context_lengths(start, len(choices)),
        },
        candidate_ids=measures.candidate_ids,
        candidate_logprobs=measures.candidate_logprobs,
        candidate_kept=np.stack(kept).astype(np.int8),
        finish_reason=finish_reason,
    )


def recorded_rows(
    trace: Trace, end: int, finish_reason: FinishReason | None = None
) -> Iterator[Rows]:
    """The first `end` positions as a trace records them."""
    sources: list[Source] = trace.source[:end].tolist()
    for first, last in _runs(sources):
        here = slice(first, last)
        yield Rows(
            start=first,
            token_ids=trace.token_ids[here],
            source=sources[first],
            metrics={name: column[here] for name, column in trace.metrics.items()},
            candidate_ids=trace.candidate_ids[here],
            candidate_logprobs=trace.candidate_logprobs[here],
            candidate_kept=trace.candidate_kept[here],
            finish_reason=finish_reason if last == end else None,
        )


def host_ids(token_ids: torch.Tensor) -> Ints:
    """Token ids on the host, int64 [n]."""
    ids: Ints = token_ids.cpu().numpy()
    return ids


def _context_lengths(start: int, count: int) -> Floats:
    """Of `count` tokens from a position on, in a text that is read from its beginning."""
    return np.arange(start, start + count, dtype=np.float64)


def _runs(sources: Sequence[Source]) -> Iterator[tuple[int, int]]:
    """Start and end of each run of equal sources."""
    start = 0
    for _, group in groupby(sources):
        end = start + len(list(group))
        yield start, end
        start = end
