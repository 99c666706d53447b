"""A stream of chat or legacy completions, put together to the answer that it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenscope_core.failures import MalformedError
from tokenscope_core.interchange.fields import listed, mapping

_OBJECTS = ("content", "refusal")
_LISTS = ("token_logprobs", "top_logprobs", "text_offset")
_TEXTS = ("content", "reasoning", "reasoning_content")


def join_choices(chunks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One answer out of chunks, each choice by its index.

    Raises:
        MalformedError: they are of several answers.
    """
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    names = {chunk["id"] for chunk in chunks if isinstance(chunk.get("id"), str)}
    if len(names) > 1:
        raise MalformedError(f"it holds {len(names):,} answers, and one is read")
    for chunk in chunks:
        whole.update((name, value) for name, value in chunk.items() if value is not None)
        for place, part in enumerate(map(mapping, listed(chunk.get("choices")))):
            index = part.get("index", place)
            if type(index) is not int:
                raise MalformedError("the index of a choice is no whole number")
            _extend(choices.setdefault(index, {}), part)
    return {**whole, "choices": [choices[index] for index in sorted(choices)]}


def _extend(choice: dict[str, Any], part: Mapping[str, Any]) -> None:
    delta = part.get("delta", part.get("message"))
    for name, value in part.items():
        if name == "text":
            choice["text"] = choice.get("text", "") + (value or "")
        elif name == "token_ids":
            choice.setdefault(name, []).extend(listed(value))
        elif name == "logprobs":
            if value is not None:
                _extend_logprobs(choice.setdefault(name, {}), mapping(value))
        elif name == "stop_reason":
            # Null until the end, and there what it stopped at.
            if part.get("finish_reason") is not None:
                choice[name] = value
        elif name not in ("delta", "message") and value is not None:
            choice[name] = value
    if delta is not None:
        message = choice.setdefault("message", {})
        for name, value in mapping(delta).items():
            if name in _TEXTS and isinstance(value, str):
                message[name] = message.get(name, "") + value
            elif name == "tool_calls" and value:
                message[name] = value


def _extend_logprobs(held: dict[str, Any], part: Mapping[str, Any]) -> None:
    for name in _OBJECTS:
        if part.get(name):
            held.setdefault(name, []).extend(listed(part[name]))
    tokens = listed(part.get("tokens"))
    if not tokens:
        return
    before = held.setdefault("tokens", [])
    for name in _LISTS:
        values = part.get(name)
        if name not in held and values is None:
            continue
        # A chunk may leave out what the others have.
        column = held.setdefault(name, [None] * len(before))
        column.extend([None] * len(tokens) if values is None else listed(values))
    before.extend(tokens)
    if None in (held.get("text_offset") or ()):
        del held["text_offset"]
