"""Scoring a text in windows, each read by itself: memory is bounded by the model's context."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace

from tokenscope_core.decoding.prefill import read_given
from tokenscope_core.errors import RequestError
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.models.tokenizers.tokenizing import lead_length
from tokenscope_core.prompts.token_ids import prompt_ids
from tokenscope_core.prompts.windows import Window, windows_of
from tokenscope_core.record.request import Request
from tokenscope_core.record.steps import Rows, Source
from tokenscope_core.record.trace import Trace


def without_needless_overlap(lm: LanguageModel, request: Request) -> Request:
    """The request as it is recorded: what fits into the context is read in one piece, and is the
    same trace as if nobody had spoken of windows.

    Raises:
        RequestError: the text has no tokens, or the overlap leaves no room in a window.
    """
    if request.overlap is None or len(windows(lm, request, prompt_ids(lm, request))) > 1:
        return request
    return replace(request, overlap=None)


def windows(lm: LanguageModel, request: Request, ids: Sequence[int]) -> tuple[Window, ...]:
    """The windows that a request's text, of these ids, is read in; one where it fits.

    Raises:
        RequestError: the overlap leaves no room in a window.
    """
    context = lm.context_length
    if request.overlap is None or not context:
        return (Window(0, 0, len(ids)),)
    return windows_of(len(ids), context, request.overlap, lead=lead_length(lm.tokenizer, ids))


def require_one_piece(trace: Trace, wanted: str) -> None:
    """Refuse what takes a pass over the whole text.

    Args:
        trace: any.
        wanted: what was to be done, the beginning of a sentence.

    Raises:
        RequestError: the text was read in windows.
    """
    if len(trace.seams):
        raise RequestError(
            asked=f"{wanted} of a text of {len(trace):,} tokens.",
            found=f"It was read in {len(trace.seams) + 1:,} windows, since it is longer than the "
            "model’s context: no one pass reads it all.",
            action="Score the lines that matter by themselves, as many as the context holds, or "
            "choose a model with a longer one.",
        )


def text_before(lm: LanguageModel, trace: Trace, position: int) -> tuple[list[int], int]:
    """What the model had read before a position of a trace, or before going on from its end: token
    ids, and how many tokens less than the position they are, as those before its window are left
    out."""
    unread = trace.unread(position)
    ids: list[int] = trace.token_ids[:position].tolist()
    if not unread:
        return ids, 0
    lead = lead_length(lm.tokenizer, ids)
    return [*ids[:lead], *ids[unread + lead :]], unread


def moved(running: Generator[Rows, None, None], by: int) -> Generator[Rows, None, None]:
    """Rows of a window at their positions in the whole text, `by` further on."""
    with closing(running):
        yield from (replace(part, start=by + part.start) for part in running)


def windowed_rows(
    lm: LanguageModel, ids: Sequence[int], pieces: Sequence[Window], candidates: int
) -> Generator[Rows, None, None]:
    """Read a text window by window, yielding the rows of what each scores; the last names the
    reason. Close the iterator to stop early.

    The figures are those of the window scored by itself, in half precision too.
    """
    lead = ids[: lead_length(lm.tokenizer, ids)]
    try:
        for window in pieces:
            before = lead if window.start else ()
            first = window.start - len(before)
            scored: list[Source] = ["prompt"] * (window.end - window.scored)
            for part in read_given(
                lm,
                lm.new_reader(),
                [*before, *ids[window.start : window.end]],
                scored,
                candidates=candidates,
                finish_reason="length",
                from_whole_pieces=True,
            ):
                last = window.end == len(ids)
                yield replace(
                    part,
                    start=first + part.start,
                    finish_reason=part.finish_reason if last else None,
                )
    except Exception:
        # It may be memory that is lacking.
        lm.prefixes.clear()
        raise
