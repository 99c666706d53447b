"""Reading tokens that are given: a prompt, or what a person put into a branch.

The text is read in chunks, so that the logits of a few rows at a time stand in memory.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch

from tokenscope_core.metrics import measure, missing
from tokenscope_core.models import LanguageModel
from tokenscope_core.reading import Reader
from tokenscope_core.recording import given_rows, host_ids
from tokenscope_core.steps import FinishReason, Rows, Source

# Logits of one chunk hold at most this many numbers (192 MiB in float32). Attention over a text in
# one piece skips what lies ahead; over pieces it does not, which at 2,000 tokens costs a tenth.
_CHUNK_LOGITS = 48 * 1024 * 1024
_MIN_CHUNK, _MAX_CHUNK = 32, 1024


def chunk_length(vocabulary_size: int) -> int:
    """How many positions one chunk has."""
    return max(_MIN_CHUNK, min(_MAX_CHUNK, _CHUNK_LOGITS // vocabulary_size))


def read_up_to(lm: LanguageModel, reader: Reader, ids: torch.Tensor, end: int) -> None:
    """Read on in a text, int64 [1, n], up to a position, where nobody wants the logits."""
    step = chunk_length(lm.identity.vocabulary_size)
    for start in range(reader.length, end, step):
        reader.skip(ids[:, start : min(start + step, end)])


def read_given(
    lm: LanguageModel,
    reader: Reader,
    token_ids: Sequence[int],
    sources: Sequence[Source],
    *,
    candidates: int,
    finish_reason: FinishReason | None,
) -> Generator[Rows, None, torch.Tensor]:
    """Read to the end of a text, yielding the rows of its last tokens.

    The logits at a position describe the token after it, so each chunk measures the tokens one
    place further on.

    Args:
        lm: the model.
        reader: has read less than what comes before the given tokens; the rest is read first.
        token_ids: the whole text.
        sources: of the given tokens, the last of the text.
        candidates: how many of the most probable tokens to record.
        finish_reason: why the text ends here; None where it goes on.

    Returns:
        The logits [1, V] after the last token; none where the text ends.
    """
    ids = torch.tensor([token_ids], device=lm.device)
    length = ids.shape[1]
    first = length - len(sources)
    if first == 0 and sources:
        width = min(candidates, lm.identity.vocabulary_size)
        ends = finish_reason if length == 1 else None
        yield from given_rows(host_ids(ids[0, :1]), sources[:1], missing(1, width), ends)
    step = chunk_length(lm.identity.vocabulary_size)
    lead = max(first - 1, 0)
    assert reader.length <= lead, "the token before the given ones is read again, for its logits"
    read_up_to(lm, reader, ids, lead)
    logits = torch.empty(0)
    # The last token of a text that ends predicts nothing that is recorded.
    end = length if finish_reason is None else length - 1
    for start in range(lead, end, step):
        chunk = ids[:, start : min(start + step, end)]
        logits = reader.read(chunk)
        with torch.inference_mode():
            taken = ids[0, start + 1 : start + 1 + chunk.shape[1]]
            if not len(taken):  # the last token alone: only its logits are wanted
                break
            measures = measure(logits[: len(taken)], taken, candidates)
        here = sources[start + 1 - first : start + 1 - first + len(taken)]
        ends = finish_reason if start + step >= end else None
        yield from given_rows(host_ids(taken), here, measures, ends)
    return logits[-1:]
