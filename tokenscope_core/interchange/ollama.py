"""Ollama's own `/api/generate` and `/api/chat` (from 0.12.11 on with log-probabilities)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenscope_core.failures import MalformedError
from tokenscope_core.interchange.answer import Answer, AnswerBuilder
from tokenscope_core.interchange.fields import (
    finish_reason_of,
    joined,
    listed,
    mapping,
    model_of,
    replaces_characters,
    text_or_none,
)
from tokenscope_core.interchange.openai import add_items


def is_ollama(values: Mapping[str, Any]) -> bool:
    """Whether it is an answer or a chunk of one."""
    return "done" in values and ("response" in values or "message" in values)


def read(values: Mapping[str, Any], choice: int) -> Answer:
    """`logprobs`: objects of token, logprob, bytes and top_logprobs."""
    del choice
    message = mapping(values.get("message"))
    text = text_or_none(values.get("response", message.get("content")))
    builder = AnswerBuilder()
    add_items(builder, listed(values.get("logprobs")), replaced=replaces_characters(text))
    return builder.answer(
        model_of(values.get("model")),
        exact=True,
        finish_reason=finish_reason_of(values.get("done_reason")),
        text=text,
        text_is_part=any(
            (values.get("thinking"), message.get("thinking"), message.get("tool_calls"))
        ),
    )


def join(chunks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One answer out of a stream.

    Raises:
        MalformedError: they are of several answers.
    """
    if sum(chunk.get("done") is True for chunk in chunks) > 1:
        raise MalformedError("it holds several answers, and one is read")
    whole: dict[str, Any] = {}
    for chunk in chunks:
        whole.update(chunk)
    whole["logprobs"] = [one for chunk in chunks for one in listed(chunk.get("logprobs"))]
    for name in ("response", "thinking"):
        if name in whole:
            whole[name] = joined(chunk.get(name) for chunk in chunks)
    if "message" in whole:
        messages = [mapping(chunk.get("message")) for chunk in chunks]
        whole["message"] = {
            "content": joined(message.get("content") for message in messages),
            "thinking": joined(message.get("thinking") for message in messages),
            "tool_calls": [one for m in messages for one in listed(m.get("tool_calls"))],
        }
    return whole
