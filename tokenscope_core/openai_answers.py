"""The shapes in which OpenAI's API, and servers that speak it, give log-probabilities.

Chat completions, legacy completions and the Responses API differ in where they put them and in how
they spell tokens that are no whole characters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenscope_core.failures import MalformedError

MAX_TOKENS = 200_000
# “Very unlikely”, in the API's reference; servers put it in the place of minus infinity too.
_BEYOND = -9999.0
# Rounding may leave a certain token a little above probability 1.
_ROUNDING = 1e-3
_SPELLED_BYTES = re.compile(r"bytes:((?:\\x[0-9a-fA-F]{2})+)")


@dataclass(frozen=True, slots=True)
class Answered:
    """A token of an answer; `logprob` is NaN where it was not given."""

    spelled: bytes
    special: bool
    logprob: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The tokens of an answer in order, and for each the alternatives that were listed."""

    model: str
    tokens: tuple[Answered, ...]
    alternatives: tuple[tuple[Answered, ...], ...]
    finish_reason: str | None = None
    prompt_tokens: int = 0


def answer_of(values: Any, choice: int) -> Answer:
    """What a parsed answer holds.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: it is none, or without what is needed.
    """
    if not isinstance(values, Mapping):
        raise MalformedError("it is no JSON object")
    model = str(values.get("model") or "unnamed model")[:200].encode("utf-8", "replace").decode()
    if "output" in values:
        return Answer(model, *_from_content(_of_responses(values["output"])))
    if "choices" in values:
        choices = values["choices"]
        if not isinstance(choices, list) or not 0 <= choice < len(choices):
            raise MalformedError(f"it has no choice {choice}")
        chosen = choices[choice]
        reason, logprobs = chosen.get("finish_reason"), chosen.get("logprobs")
    else:
        reason, logprobs = values.get("finish_reason"), values.get("logprobs", values)
    if not isinstance(logprobs, Mapping):
        raise MalformedError("it has no log-probabilities")
    if isinstance(logprobs.get("content"), list):
        tokens, rows = _from_content(logprobs["content"])
        return Answer(model, tokens, rows, reason)
    if isinstance(logprobs.get("tokens"), list):
        tokens, rows = _from_lists(logprobs)
        return Answer(model, tokens, rows, reason, _echoed(values.get("usage"), len(tokens)))
    raise MalformedError("it has no log-probabilities")


def _of_responses(output: Any) -> list[Any]:
    parts = [part for item in output for part in item.get("content") or ()]
    return [token for part in parts for token in part.get("logprobs") or ()]


Tokens = tuple[tuple[Answered, ...], tuple[tuple[Answered, ...], ...]]


def _from_content(content: Sequence[Any]) -> Tokens:
    """Objects of `token`, `logprob`, `bytes` and `top_logprobs`.

    A token without bytes is a special one where others have them; servers that give none at all
    mean the text.
    """
    _require_some(content)
    spelled = any(token.get("bytes") is not None for token in content)
    return (
        tuple(_token(token, spelled) for token in content),
        tuple(
            tuple(_token(one, spelled) for one in token.get("top_logprobs") or ())
            for token in content
        ),
    )


def _token(values: Mapping[str, Any], spelled: bool) -> Answered:
    given = values.get("bytes")
    if given is None:
        return Answered(_utf8(values["token"]), spelled, _logprob(values.get("logprob")))
    if not isinstance(given, list) or any(type(byte) is not int for byte in given):
        raise MalformedError("the bytes of a token are no list of whole numbers")
    return Answered(bytes(given), False, _logprob(values.get("logprob")))


def _from_lists(logprobs: Mapping[str, Any]) -> Tokens:
    """Lists of equal length: `tokens`, `token_logprobs`, and for the alternatives objects of
    log-probabilities by token."""
    texts, values = logprobs["tokens"], logprobs["token_logprobs"]
    tops = logprobs.get("top_logprobs") or [None] * len(texts)
    offsets = logprobs.get("text_offset") or [0] * len(texts)
    _require_some(texts)
    if not len(texts) == len(values) == len(tops) == len(offsets):
        raise MalformedError("its lists are not equally long")
    if any(type(offset) is not int or offset < 0 for offset in offsets):
        raise MalformedError("an offset is no whole number")
    return (
        tuple(
            Answered(_legacy(text), False, _logprob(value))
            for text, value in zip(texts, values, strict=True)
        ),
        tuple(
            tuple(Answered(_legacy(text), False, _logprob(v)) for text, v in (top or {}).items())
            for top in tops
        ),
    )


def _legacy(text: Any) -> bytes:
    """A token's bytes; what is no whole character is spelled `bytes:\\xe2\\x80`."""
    spelled = _SPELLED_BYTES.fullmatch(text)
    return bytes.fromhex(spelled[1].replace("\\x", "")) if spelled else _utf8(text)


def _utf8(text: Any) -> bytes:
    if not isinstance(text, str):
        raise MalformedError("a token is no text")
    return text.encode("utf-8")


def _logprob(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise MalformedError("a log-probability is no number")
    if value > _ROUNDING:
        raise MalformedError(f"a log-probability is {value}, above 0")
    if math.isnan(value) or value <= _BEYOND:
        return math.nan
    return min(float(value), 0.0)


def _echoed(usage: Any, tokens: int) -> int:
    """How many of the tokens are the prompt's, where the counts say that it was echoed."""
    if not isinstance(usage, Mapping):
        return 0
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens", 0)
    if type(prompt) is not int or type(completion) is not int or prompt < 0 or completion < 0:
        return 0
    return prompt if prompt + completion == tokens else 0


def _require_some(tokens: Sequence[Any]) -> None:
    if not 0 < len(tokens) <= MAX_TOKENS:
        raise MalformedError(f"it has {len(tokens):,} tokens; 1 to {MAX_TOKENS:,} are read")
