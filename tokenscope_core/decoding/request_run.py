"""Running a request: the prompt is read, then the text goes on, every metric recorded on the way.

`rows` is the run; `stream`, `generate` and `score` are three ways to listen to it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from datetime import datetime

from tokenscope_core.decoding.decode_loop import continue_text
from tokenscope_core.decoding.prefill import read_given
from tokenscope_core.decoding.stopping import require_known
from tokenscope_core.decoding.windowed import windowed_rows, windows, without_needless_overlap
from tokenscope_core.errors import ContextLengthError, TokenScopeError
from tokenscope_core.models.cache_reader import CacheReader
from tokenscope_core.models.known_tokens import require_known_tokens
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.prompts.token_ids import prompt_ids, with_moment
from tokenscope_core.record import conversation
from tokenscope_core.record.request import Request
from tokenscope_core.record.steps import (
    FinishReason,
    Rows,
    Source,
    TokenStep,
    as_measured,
    steps_of,
)
from tokenscope_core.record.trace import Trace

# A text cut at a token may be split into a few more tokens when it is encoded again.
_TAIL_RESERVE = 8


def generate(lm: LanguageModel, request: Request) -> Trace:
    """Run a request to its end.

    Where its chat template writes the date, a request without a moment is made now: that of the
    trace has the moment.

    Raises:
        RequestError: the prompt has no tokens, the model lacks a stop token, or
            `no_repeat_ngram_size` leaves no token to choose.
        ContextLengthError: prompt and new tokens exceed the model's context.
    """
    request = recorded(lm, request, now=conversation.local_time())
    parts = list(rows(lm, request))
    return Trace.from_rows(
        request, lm.identity, lm.vocabulary, parts, parts[-1].finish_reason or "length"
    )


def score(
    lm: LanguageModel, text: str, *, candidates: int = 20, overlap: int | None = None
) -> Trace:
    """Teacher-force a given text: every token of it with the model's distribution before it.

    Args:
        lm: the model.
        text: what it reads.
        candidates: how many of the most probable tokens to record at each position.
        overlap: a text longer than the model's context is read in windows that overlap by so many
            tokens: each is scored once, with at least so many before it but at the beginning
            (`Trace.context_length`). None refuses such a text. What fits is read in one piece
            either way, and is the same trace.

    Raises: as `generate`, and
        RequestError: the overlap leaves no room in a window.
    """
    return generate(
        lm, Request(prompt=text, max_new_tokens=0, candidates=candidates, overlap=overlap)
    )


def recorded(lm: LanguageModel, request: Request, *, now: datetime) -> Request:
    """The request that is made now, as it is run and recorded: with the moment that its chat
    template writes, and without an overlap that its text does not need. Raises: as `generate`."""
    request = with_moment(lm.tokenizer, request, lm.identity.name, now=now)
    return without_needless_overlap(lm, request)


def stream(lm: LanguageModel, request: Request) -> Iterator[TokenStep]:
    """Run a request, yielding each position in order, prompt included, with all its figures.

    The first token is drawn before the prompt is measured, and comes after it; `rows` tells of it
    sooner. A request without a moment is made now, as in `generate`.

    Raises: as `generate`.
    """
    request = recorded(lm, request, now=conversation.local_time())
    for part in as_measured(rows(lm, request)):
        yield from steps_of(part, lm.vocabulary)


def rows(lm: LanguageModel, request: Request) -> Generator[Rows, None, None]:
    """The run itself: prompt rows by piece, then one row a token; the last names the reason.

    The rows of what is read last before the first token is drawn come without figures at first, and
    again with them once it is drawn. Close the iterator to stop early.

    Raises: as `generate`, and
        RequestError: the chat template writes the date, and the request has no moment.
    """
    require_known(request, lm.identity.vocabulary_size)
    ids = prompt_ids(lm, request)
    require_known_tokens(lm, ids, "The prompt")
    pieces = windows(lm, request, ids)
    if len(pieces) > 1:
        yield from windowed_rows(lm, ids, pieces, request.candidates)
        return
    require_context(lm, request, ids)
    sources: list[Source] = ["prompt"] * len(ids)
    reader = lm.new_reader()
    ends: FinishReason | None = None if request.max_new_tokens else "length"
    yield from run(lm, reader, ids, sources, request, prompt_length=len(ids), finish_reason=ends)


def run(
    lm: LanguageModel,
    reader: CacheReader,
    ids: Sequence[int],
    sources: Sequence[Source],
    request: Request,
    *,
    prompt_length: int,
    guess: Sequence[int] = (),
    finish_reason: FinishReason | None = None,
) -> Generator[Rows, None, None]:
    """Read the given tokens, the last of the text, and go on from them.

    What was read is kept for branches, also when the iterator is closed early. Args: as
    `read_given` and `continue_text`.
    """
    text = list(ids)
    try:
        logits, figures = yield from read_given(
            lm, reader, ids, sources, candidates=request.candidates, finish_reason=finish_reason
        )
        if finish_reason is None:
            drawn = continue_text(
                lm, reader, ids, logits, request, prompt_length=prompt_length, guess=guess
            )
            for part in _first_drawn_first(drawn, figures):
                if part.start == len(text):
                    text += part.token_ids.tolist()
                yield part
    except Exception:
        # It may be memory that is lacking.
        lm.prefixes.clear()
        raise
    except GeneratorExit:
        _cache_prefix(lm, text, reader)
        raise
    _cache_prefix(lm, text, reader)


def _first_drawn_first(drawn: Iterator[Rows], figures: Iterator[Rows]) -> Iterator[Rows]:
    """The first rows that were drawn, those with the figures of what is before, then the rest."""
    try:
        first = next(drawn)
    except TokenScopeError:  # what was read is on record all the same
        yield from figures
        raise
    if first.finish_reason is None:
        yield first
        yield from figures
    else:
        yield from figures
        yield first
    yield from drawn


def _cache_prefix(lm: LanguageModel, text: Sequence[int], reader: CacheReader) -> None:
    # Of a block that was read ahead of the choice, the last token chosen may not be the one read
    # in its place. A branch reads the last one again anyway.
    length = min(reader.length, len(text) - 1)
    if lm.capabilities.cache == "branches" and length > 0:
        lm.prefixes.put(text[:length], reader.branch(length))


def require_context(
    lm: LanguageModel, request: Request, ids: Sequence[int], *, branch: bool = False
) -> None:
    """Refuse what the model's context cannot hold; `ids` are a prompt, or what a branch begins
    with.

    Raises:
        ContextLengthError: given and new tokens together are too many.
    """
    if lm.context_length and len(ids) + request.max_new_tokens > lm.context_length:
        room = lm.context_length - request.max_new_tokens - _TAIL_RESERVE
        raise ContextLengthError(
            prompt_tokens=len(ids),
            max_new_tokens=request.max_new_tokens,
            context_length=lm.context_length,
            # The tail of a layout would be the suffix alone, or half a conversation.
            tail=""
            if branch or request.messages or request.suffix is not None
            else _tail(lm, ids, room),
            branch=branch,
        )


def _tail(lm: LanguageModel, ids: Sequence[int], tokens: int) -> str:
    """The text of the last `tokens` ids, from the first whole line on where there is one."""
    if tokens <= 0:
        return ""
    kept = [i for i in ids[-tokens:] if i not in lm.vocabulary.special_ids]
    data = b"".join(lm.vocabulary.token_bytes[i] for i in kept)
    text = data.decode("utf-8", errors="ignore")
    _, _, lines = text.partition("\n")
    return lines or text
