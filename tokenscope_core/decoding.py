"""The decode loop: prefill once, then one step a token, every metric recorded on the way.

Four phases: encode the prompt, prefill it in chunks (so that logits for a few rows at a time
stand in memory), choose a token, step. `rows` is the loop; `stream`, `generate` and `score` are
three ways to listen to it.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator

import numpy as np
import torch

from tokenscope_core.errors import ContextLengthError
from tokenscope_core.metrics import Distributions, Measures, measure, missing
from tokenscope_core.models import LanguageModel
from tokenscope_core.prompts import prompt_ids
from tokenscope_core.reading import Reader
from tokenscope_core.request import Request
from tokenscope_core.sampling import Choice, Sampler
from tokenscope_core.steps import NOT_DRAWN, FinishReason, Rows, Source, TokenStep, steps_of
from tokenscope_core.stopping import StopMatcher, require_known
from tokenscope_core.trace import Trace

# Logits of one prefill chunk hold at most this many numbers (64 MiB in float32).
_CHUNK_LOGITS = 16 * 1024 * 1024
_MIN_CHUNK, _MAX_CHUNK = 32, 512
# A text cut at a token may be split into a few more tokens when it is encoded again.
_TAIL_RESERVE = 8


def generate(lm: LanguageModel, request: Request) -> Trace:
    """Run a request to its end.

    Raises:
        RequestError: the prompt has no tokens, the model lacks a stop token, or
            `no_repeat_ngram_size` leaves no token to choose.
        ContextLengthError: prompt and new tokens exceed the model's context.
    """
    parts = list(rows(lm, request))
    return Trace.from_rows(
        request, lm.identity, lm.vocabulary, parts, parts[-1].finish_reason or "length"
    )


def score(lm: LanguageModel, text: str, *, candidates: int = 20) -> Trace:
    """Teacher-force a given text: every token of it with the model's distribution before it.

    Raises: as `generate`.
    """
    return generate(lm, Request(prompt=text, max_new_tokens=0, candidates=candidates))


def stream(lm: LanguageModel, request: Request) -> Iterator[TokenStep]:
    """Run a request, yielding each position as soon as it is known, prompt included.

    Raises: as `generate`.
    """
    position = 0
    for part in rows(lm, request):
        yield from steps_of(part, position, lm.vocabulary)
        position += len(part)


def rows(lm: LanguageModel, request: Request) -> Generator[Rows, None, None]:
    """The loop itself: prompt rows by chunk, then one row a token; the last names the reason.

    Close the iterator to stop early. Raises: as `generate`.
    """
    require_known(request.stop_token_ids, lm.identity.vocabulary_size)
    ids = prompt_ids(lm, request)
    _require_context(lm, request, ids)
    reader = Reader(lm.model, lm.capabilities.cache)
    logits = yield from _prefill(lm, request, ids, reader)
    if request.max_new_tokens:
        yield from _decode(lm, request, ids, reader, logits)


def _require_context(lm: LanguageModel, request: Request, ids: list[int]) -> None:
    if lm.context_length and len(ids) + request.max_new_tokens > lm.context_length:
        room = lm.context_length - request.max_new_tokens - _TAIL_RESERVE
        raise ContextLengthError(
            prompt_tokens=len(ids),
            max_new_tokens=request.max_new_tokens,
            context_length=lm.context_length,
            # The tail of a gap's layout would be the suffix alone.
            tail=_tail(lm, ids, room) if request.suffix is None else "",
        )


def _tail(lm: LanguageModel, ids: list[int], tokens: int) -> str:
    """The text of the last `tokens` ids, from the first whole line on where there is one."""
    if tokens <= 0:
        return ""
    kept = [i for i in ids[-tokens:] if i not in lm.vocabulary.special_ids]
    data = b"".join(lm.vocabulary.token_bytes[i] for i in kept)
    text = data.decode("utf-8", errors="ignore")
    _, _, lines = text.partition("\n")
    return lines or text


def chunk_length(vocabulary_size: int) -> int:
    """How many positions one prefill chunk has."""
    return max(_MIN_CHUNK, min(_MAX_CHUNK, _CHUNK_LOGITS // vocabulary_size))


def _prefill(
    lm: LanguageModel, request: Request, prompt: list[int], reader: Reader
) -> Generator[Rows, None, torch.Tensor]:
    """Read the prompt, yielding its rows; returns the logits [1, V] after its last token.

    The logits at a position describe the token after it, so each chunk measures the tokens one
    place further on.
    """
    ids = torch.tensor([prompt], device=lm.device)
    length = ids.shape[1]
    width = min(request.candidates, lm.identity.vocabulary_size)
    only_first = length == 1 and request.max_new_tokens == 0
    yield _rows(
        ids[0, :1], "prompt", missing(1, width), finish_reason="length" if only_first else None
    )
    step = chunk_length(lm.identity.vocabulary_size)
    logits = torch.empty(0)
    # The last token of a text that is only scored predicts nothing that is recorded.
    read = length if request.max_new_tokens else length - 1
    for start in range(0, read, step):
        chunk = ids[:, start : min(start + step, read)]
        logits = reader.read(chunk)
        with torch.inference_mode():
            taken = ids[0, start + 1 : start + 1 + chunk.shape[1]]
            if not len(taken):  # the prompt's last token alone: only its logits are wanted
                break
            measures = measure(logits[: len(taken)], taken, request.candidates)
        last = start + step >= read and request.max_new_tokens == 0
        yield _rows(taken, "prompt", measures, finish_reason="length" if last else None)
    return logits[-1:]


def _decode(
    lm: LanguageModel,
    request: Request,
    prompt: list[int],
    reader: Reader,
    logits: torch.Tensor,
) -> Iterator[Rows]:
    sampler = Sampler(request.sampling, len(prompt))
    matcher = StopMatcher(request.stop)
    start = len(prompt)
    ids = torch.empty((1, start + request.max_new_tokens), dtype=torch.long, device=lm.device)
    ids[0, :start] = torch.tensor(prompt)
    began = time.perf_counter()
    for position in range(start, start + request.max_new_tokens):
        with torch.inference_mode():
            distribution = Distributions(logits, request.candidates)
            if sampler.takes_favourite:
                choice = Choice(distribution.favourite())
            else:
                choice = sampler.choose(logits, ids[:, :position], position)
            taken = ids[0, position : position + 1].fill_(choice.token_id)
            measures = distribution.measure(taken)
        finish = _finish_reason(lm, request, matcher, choice.token_id)
        if finish is None and position + 1 == start + request.max_new_tokens:
            finish = "length"
        now = time.perf_counter()
        yield _rows(
            taken,
            "sampled",
            measures,
            choice=choice,
            elapsed_ms=1000.0 * (now - began),
            finish_reason=finish,
        )
        if finish is not None:
            return
        began = time.perf_counter()
        logits = reader.read(taken.unsqueeze(0))


def _finish_reason(
    lm: LanguageModel, request: Request, matcher: StopMatcher, token_id: int
) -> FinishReason | None:
    if token_id in lm.end_ids:
        return "eos"
    if token_id in request.stop_token_ids:
        return "stop"
    if token_id not in lm.vocabulary.special_ids and matcher.feed(
        lm.vocabulary.token_bytes[token_id]
    ):
        return "stop"
    return None


def _rows(
    token_ids: torch.Tensor,
    source: Source,
    measures: Measures,
    *,
    choice: Choice | None = None,
    elapsed_ms: float = float("nan"),
    finish_reason: FinishReason | None = None,
) -> Rows:
    count = len(token_ids)
    candidate_ids = measures.candidate_ids
    sampled_logprob = np.float32(choice.logprob if choice else np.nan)
    return Rows(
        token_ids=token_ids.cpu().numpy().copy(),
        source=source,
        metrics={
            **measures.columns,
            "sampled_logprob": np.full(count, sampled_logprob, dtype=np.float64),
            "elapsed_ms": np.full(count, np.float32(elapsed_ms), dtype=np.float64),
        },
        candidate_ids=candidate_ids,
        candidate_logprobs=measures.candidate_logprobs,
        candidate_kept=choice.kept(candidate_ids).astype(np.int8)
        if choice
        else np.full(candidate_ids.shape, NOT_DRAWN, dtype=np.int8),
        finish_reason=finish_reason,
    )
