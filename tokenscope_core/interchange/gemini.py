"""Google's Gemini API and Vertex AI, in their JSON's spelling and in the Python client's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tokenscope_core.failures import MalformedError
from tokenscope_core.interchange.answer import Alternative, Answer, AnswerBuilder
from tokenscope_core.interchange.fields import (
    finish_reason_of,
    id_of,
    joined,
    listed,
    logprob_of,
    mapping,
    model_of,
    spelled_by,
)

_CAPITAL = re.compile("[A-Z]")


def is_gemini(values: Mapping[str, Any]) -> bool:
    """Whether it is an answer or a chunk of one."""
    candidates = values.get("candidates")
    return isinstance(candidates, list) or any(
        _get(values, name) is not None for name in ("usageMetadata", "promptFeedback")
    )


def read(values: Mapping[str, Any], choice: int) -> Answer:
    """`candidates[].logprobsResult`: chosenCandidates, and for each its topCandidates."""
    candidates = listed(values.get("candidates"))
    if not 0 <= choice < len(candidates):
        raise MalformedError(f"it has no choice {choice}")
    candidate = mapping(candidates[choice])
    result = mapping(_get(candidate, "logprobsResult"))
    taken = listed(_get(result, "chosenCandidates"))
    tops = listed(_get(result, "topCandidates")) or [None] * len(taken)
    if len(tops) != len(taken):
        raise MalformedError("its lists are not equally long")
    builder = AnswerBuilder()
    for token, top in zip(taken, tops, strict=True):
        logprob = logprob_of(_get(token, "logProbability"))
        own = _place(builder, token, logprob)
        row: list[Alternative] = []
        for one in listed(mapping(top).get("candidates")):
            value = logprob_of(_get(one, "logProbability"))
            same = one.get("token") == token.get("token") and value == logprob
            row.append((own if same else _place(builder, one, value), value))
        builder.add(own, logprob, row)
    parts = [mapping(part) for part in listed(mapping(candidate.get("content")).get("parts"))]
    return builder.answer(
        model_of(_get(values, "modelVersion")),
        exact=True,
        finish_reason=finish_reason_of(_get(candidate, "finishReason")),
        text=joined(part.get("text") for part in parts) if parts else None,
        text_is_part=any("text" not in part or part.get("thought") for part in parts),
    )


def join(chunks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One answer out of a stream, each candidate by its index.

    Raises:
        MalformedError: they are of several answers.
    """
    names = {str(name) for chunk in chunks if (name := _get(chunk, "responseId")) is not None}
    if len(names) > 1:
        raise MalformedError(f"it holds {len(names):,} answers, and one is read")
    whole: dict[str, Any] = {}
    candidates: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        whole.update((name, value) for name, value in chunk.items() if value is not None)
        for place, part in enumerate(map(mapping, listed(chunk.get("candidates")))):
            index = part.get("index", place)
            if type(index) is not int:
                raise MalformedError("the index of a candidate is no whole number")
            _extend(candidates.setdefault(index, {}), part)
    return {**whole, "candidates": [candidates[index] for index in sorted(candidates)]}


def _extend(candidate: dict[str, Any], part: Mapping[str, Any]) -> None:
    parts = candidate.setdefault("content", {}).setdefault("parts", [])
    parts.extend(listed(mapping(part.get("content")).get("parts")))
    held = candidate.setdefault("logprobsResult", {})
    result = mapping(_get(part, "logprobsResult"))
    for name in ("chosenCandidates", "topCandidates"):
        if some := listed(_get(result, name)):
            held.setdefault(name, []).extend(some)
    reason = _get(part, "finishReason")
    if reason is not None:
        candidate["finishReason"] = reason


def _place(builder: AnswerBuilder, token: Mapping[str, Any], logprob: float) -> int:
    text = token.get("token")
    spelled = None if text is None else spelled_by(text)
    return builder.token(id_of(_get(token, "tokenId")), spelled, logprob=logprob)


def _get(values: Mapping[str, Any], name: str) -> Any:
    """A member by its name in JSON, or as the Python client spells it."""
    found = values.get(name)
    if found is None:
        found = values.get(_CAPITAL.sub(lambda capital: f"_{capital[0].lower()}", name))
    return found
