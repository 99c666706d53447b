"""llama.cpp's server: its own `/completion`, new and old, and its version of OpenAI's endpoints.

A character of several tokens is one record there, with the figures of the last token only: such
records are kept as one token whose figures are missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tokenscope_core.failures import MalformedError
from tokenscope_core.interchange.answer import Alternative, Answer, AnswerBuilder
from tokenscope_core.interchange.fields import (
    bytes_of,
    count_of,
    finish_reason_of,
    id_of,
    ids_of,
    joined,
    listed,
    log_of,
    logprob_of,
    mapping,
    model_of,
    spelled_by,
    text_of,
    text_or_none,
)
from tokenscope_core.interchange.openai import chosen, first_choice

_RECORDS = "completion_probabilities"
_OWN = (_RECORDS, "tokens_predicted", "generation_settings", "stop_type", "stopped_eos")
_PROCESSED = (
    "Its probabilities are those after sampling's filters (post_sampling_probs): they are read as "
    "the sampled log-probability; the raw one and the alternatives are missing."
)
_PERHAPS_PROCESSED = (
    "This version of llama.cpp gives probabilities after temperature and filters; without these "
    "they are the raw ones."
)


def is_native(values: Mapping[str, Any]) -> bool:
    """Whether it is an answer of `/completion` or a chunk of one."""
    return "content" in values and any(name in values for name in _OWN)


def is_old(values: Mapping[str, Any]) -> bool:
    """Whether its records are those of 2023 and 2024: `content` and `probs`."""
    records = values.get(_RECORDS)
    first = records[0] if isinstance(records, list) and records else None
    return isinstance(first, Mapping) and "probs" in first


def is_openai(values: Mapping[str, Any]) -> bool:
    """Whether an answer in OpenAI's shape has what llama.cpp alone adds: ids in its records."""
    if "choices" not in values:
        return False
    logprobs = first_choice(values).get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    first = content[0] if isinstance(content, list) and content else None
    has_ids = isinstance(first, Mapping) and "id" in first
    return has_ids or "timings" in values or "__verbose" in values


def read_native(values: Mapping[str, Any], choice: int) -> Answer:
    """Records of id, token, bytes, logprob and top_logprobs, or after sampling of prob and
    top_probs."""
    del choice
    builder = AnswerBuilder()
    _add_records(
        builder,
        [mapping(record) for record in listed(values.get(_RECORDS))],
        ids_of(values.get("tokens")),
        count_of(values.get("tokens_predicted")),
    )
    return builder.answer(
        model_of(values.get("model")),
        exact=True,
        finish_reason=_finish_of(values),
        text=text_or_none(values.get("content")),
    )


def read_old(values: Mapping[str, Any], choice: int) -> Answer:
    """Records of content, and of probs: tok_str and prob."""
    del choice
    builder = AnswerBuilder([_PERHAPS_PROCESSED])
    for record in map(mapping, listed(values.get(_RECORDS))):
        content = text_of(record["content"])
        logprob, row = math.nan, list[Alternative]()
        for one in listed(record.get("probs")):
            value = log_of(one.get("prob"))
            row.append((builder.token(None, spelled_by(one["tok_str"]), logprob=value), value))
            if one["tok_str"] == content and math.isnan(logprob):
                logprob = value
        builder.add(builder.token(None, spelled_by(content), logprob=logprob), logprob, row)
    return builder.answer(
        model_of(values.get("model")),
        exact=True,
        finish_reason=_finish_of(values),
        text=text_or_none(values.get("content")),
    )


def read_openai(values: Mapping[str, Any], choice: int) -> Answer:
    """The same records in `choices[].logprobs.content`."""
    held = chosen(values, choice)
    message = mapping(held.get("message"))
    verbose = mapping(values.get("__verbose"))
    counts = (values.get("usage"), values.get("timings"))
    usage, timings = (count if isinstance(count, Mapping) else {} for count in counts)
    builder = AnswerBuilder()
    _add_records(
        builder,
        [mapping(record) for record in listed(mapping(held.get("logprobs")).get("content"))],
        ids_of(verbose.get("tokens")),
        count_of(timings.get("predicted_n"), usage.get("completion_tokens")),
    )
    return builder.answer(
        model_of(values.get("model")),
        exact=True,
        finish_reason=finish_reason_of(held.get("finish_reason")),
        text=text_or_none(message.get("content", held.get("text"))),
        text_is_part=any(message.get(name) for name in ("tool_calls", "reasoning_content")),
    )


def join(chunks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One answer out of a stream of `/completion`; older servers repeat all records at its end.

    Raises:
        MalformedError: they are of several answers.
    """
    if sum(chunk.get("stop") is True for chunk in chunks) > 1:
        raise MalformedError("it holds several answers, and one is read")
    whole: dict[str, Any] = {}
    records: list[Any] = []
    for chunk in chunks:
        whole.update(chunk)
        some = listed(chunk.get(_RECORDS))
        if not (chunk.get("stop") is True and some == records):
            records.extend(some)
    return {
        **whole,
        "content": joined(chunk.get("content") for chunk in chunks),
        "tokens": [one for chunk in chunks for one in listed(chunk.get("tokens"))],
        _RECORDS: records,
    }


def _add_records(
    builder: AnswerBuilder,
    records: Sequence[Mapping[str, Any]],
    ids: Sequence[int],
    predicted: int | None,
) -> None:
    fused = [_is_fused(record) for record in records]
    widths = _widths(records, ids)
    if widths is not None:
        fused = [width > 1 for width in widths]
    elif predicted is not None and predicted <= len(records):
        fused = [False] * len(records)
    if any(fused):
        builder.notes.append(
            "Records that hold, or may hold, a character of several tokens: "
            f"{sum(fused):,} of {len(records):,}. llama.cpp gives the figures of the last one "
            "only, so theirs are left out."
        )
    processed = any("prob" in record for record in records)
    if processed:
        builder.notes.append(_PROCESSED)
    for record, is_fused in zip(records, fused, strict=True):
        raw = _raw(record)
        if is_fused:
            builder.add(builder.token(None, raw, joint=True), math.nan)
            continue
        logprob = math.nan if processed else logprob_of(record.get("logprob"))
        taken = builder.token(id_of(record.get("id")), raw, logprob=logprob)
        if processed:
            builder.add(taken, math.nan, sampled_logprob=log_of(record.get("prob")))
            continue
        row: list[Alternative] = []
        for one in listed(record.get("top_logprobs")):
            value = logprob_of(one.get("logprob"))
            place = builder.token(id_of(one.get("id")), _raw(one), logprob=value)
            row.append((taken if one.get("id") == record.get("id") else place, value))
        builder.add(taken, logprob, row)


def _raw(record: Mapping[str, Any]) -> bytes | None:
    """A record's bytes; None of a token that adds none, as the end of the text does."""
    given = record.get("bytes")
    return spelled_by(record["token"]) if given is None else bytes_of(given) or None


def _is_fused(record: Mapping[str, Any]) -> bool:
    """Whether a record may stand for several tokens, by itself: its own id stands among the
    alternatives with other bytes, or it is not ASCII and nothing says that it is one token."""
    raw = _raw(record) or b""
    for one in listed(record.get("top_logprobs") or record.get("top_probs")):
        if mapping(one).get("id") == record.get("id") and record.get("id") is not None:
            return (_raw(one) or b"") != raw
    return not raw.isascii()


def _widths(records: Sequence[Mapping[str, Any]], ids: Sequence[int]) -> list[int] | None:
    """How many of the ids that were generated each record stands for: it has the last one's."""
    widths: list[int] = []
    place = 0
    for record in records:
        begin = place
        while place < len(ids) and ids[place] != record.get("id"):
            place += 1
        if place == len(ids):
            return None
        place += 1
        widths.append(place - begin)
    return widths


def _finish_of(values: Mapping[str, Any]) -> Any:
    old = next(
        (word for word in ("eos", "word", "limit") if values.get(f"stopped_{word}") is True), None
    )
    return finish_reason_of(values.get("stop_type"), old)
