"""A trace in the shape of OpenAI's responses with log-probabilities.

Figures are of the raw distribution, in nats. A special token has `bytes` null. Where there was no
distribution before a token its log-probability is null. A token whose bytes nobody knows is written
as vLLM writes ids: `token_id:12`.
"""

from __future__ import annotations

import codecs
import math
from typing import Any

from tokenscope_core.record.steps import FinishReason
from tokenscope_core.record.trace import Trace

# What the API says of a token that is as good as impossible.
_BEYOND = -9999.0
# Text that a reader would take for the spelling of something else.
_READ_OTHERWISE = ("bytes:", "byte: ", "token_id:")
_FINISHED: dict[FinishReason, str | None] = {
    "eos": "stop", "stop": "stop", "length": "length", "cancelled": None,
    "filtered": "content_filter", "unknown": None,
}  # fmt: skip


def openai_chat(trace: Trace) -> dict[str, Any]:
    """The generated tokens as a chat completion: `choices[0].logprobs.content`, where each has
    `token`, `logprob`, `bytes` and `top_logprobs`, the recorded candidates. The prompt is not in
    it."""
    generated = range(trace.prompt_length, len(trace))
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": _text(trace, trace.prompt_length)},
        "logprobs": {"content": [_chat_token(trace, position) for position in generated]},
        "finish_reason": _FINISHED[trace.finish_reason],
    }
    return _response(trace, "chat.completion", choice)


def openai_completion(trace: Trace, *, echo: bool = False) -> dict[str, Any]:
    """The trace as a legacy completion: `tokens`, `token_logprobs`, `top_logprobs` and
    `text_offset` in `choices[0].logprobs`. Bytes that are no whole character are written
    `bytes:\\xe2\\x80`, as OpenAI does; offsets count characters. Special tokens are written by
    name and take no room in the text; `special_tokens`, which is no field of OpenAI's, lists them.

    Args:
        trace: any trace.
        echo: with the prompt's tokens.
    """
    start = 0 if echo else trace.prompt_length
    ids, positions = trace.token_ids.tolist(), range(start, len(trace))
    logprobs = trace.logprob.tolist()
    choice = {
        "index": 0,
        "text": _text(trace, start),
        "logprobs": {
            "tokens": [_spelled(trace, ids[position]) for position in positions],
            "token_logprobs": [_known(logprobs[position]) for position in positions],
            "top_logprobs": [_top(trace, position) or None for position in positions],
            "text_offset": _offsets(trace, start),
            "special_tokens": _special_tokens(trace, positions),
        },
        "finish_reason": _FINISHED[trace.finish_reason],
    }
    return _response(trace, "text_completion", choice)


def _response(trace: Trace, kind: str, choice: dict[str, Any]) -> dict[str, Any]:
    generated = len(trace) - trace.prompt_length
    return {
        "id": f"tokenscope-{trace.key}",
        "object": kind,
        "model": trace.model.name,
        "choices": [choice],
        "usage": {
            "prompt_tokens": trace.prompt_length,
            "completion_tokens": generated,
            "total_tokens": len(trace),
        },
    }


def _chat_token(trace: Trace, position: int) -> dict[str, Any]:
    taken = _token(trace, int(trace.token_ids[position]), float(trace.logprob[position]))
    return taken | {
        "top_logprobs": [_token(trace, i, logprob) for i, logprob in _listed(trace, position)]
    }


def _token(trace: Trace, token_id: int, logprob: float) -> dict[str, Any]:
    vocabulary = trace.vocabulary
    special, unknown = token_id in vocabulary.special_ids, token_id in vocabulary.unknown_ids
    return {
        "token": _unknown(token_id) if unknown else vocabulary.label(token_id),
        "logprob": _known(logprob),
        "bytes": None if special else list(vocabulary.token_bytes[token_id]),
    }


def _listed(trace: Trace, position: int) -> list[tuple[int, float]]:
    """The candidates' ids and log-probabilities, most probable first."""
    ids = trace.candidate_ids[position].tolist()
    logprobs = trace.candidate_logprobs[position].tolist()
    return [(i, logprob) for i, logprob in zip(ids, logprobs, strict=True) if i >= 0]


def _top(trace: Trace, position: int) -> dict[str, float]:
    top: dict[str, float] = {}
    for token_id, logprob in _listed(trace, position):
        top.setdefault(_spelled(trace, token_id), max(logprob, _BEYOND))
    return top


def _special_tokens(trace: Trace, positions: range) -> list[str]:
    """The names of those among the tokens and candidates of these positions."""
    special = trace.vocabulary.special_ids - trace.vocabulary.unknown_ids
    some = slice(positions.start, positions.stop)
    mentioned = {*trace.token_ids[some].tolist(), *trace.candidate_ids[some].ravel().tolist()}
    return sorted({_spelled(trace, token_id) for token_id in mentioned & special})


def _unknown(token_id: int) -> str:
    return f"token_id:{token_id}"


def _spelled(trace: Trace, token_id: int) -> str:
    if token_id in trace.vocabulary.unknown_ids:
        return _unknown(token_id)
    spelled = trace.vocabulary.token_bytes[token_id]
    text = spelled.decode("utf-8", errors="replace")
    if "\ufffd" in text or text.startswith(_READ_OTHERWISE):
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in spelled)
    return text


def _offsets(trace: Trace, start: int) -> list[int]:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    offsets, characters = [], 0
    for piece in trace.vocabulary.pieces(trace.token_ids.tolist())[start:]:
        offsets.append(characters)
        characters += len(decoder.decode(piece))
    return offsets


def _text(trace: Trace, start: int) -> str:
    begin = int(trace.byte_start[start]) if start < len(trace) else len(trace.text_bytes)
    return trace.text_bytes[begin:].decode("utf-8", errors="replace")


def _known(logprob: float) -> float | None:
    return None if math.isnan(logprob) else max(logprob, _BEYOND)
