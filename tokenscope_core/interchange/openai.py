"""OpenAI's three APIs, which most servers speak: chat completions, legacy completions, Responses.

They differ in where they put log-probabilities and in how they spell tokens that are no whole
characters. A stream brings the same in pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenscope_core.failures import MalformedError
from tokenscope_core.interchange.answer import Alternative, Answer, AnswerBuilder
from tokenscope_core.interchange.fields import (
    bytes_of,
    count_of,
    finish_reason_of,
    id_of,
    joined,
    listed,
    logprob_of,
    looks_special,
    mapping,
    model_of,
    replaces_characters,
    spelled_by,
    spelled_id,
    text_of,
    text_or_none,
)

_REPLACED = "\ufffd".encode()
_ROUNDING = 1e-6
_DELTAS = "response.output_text.delta"


def chosen(values: Mapping[str, Any], choice: int) -> Mapping[str, Any]:
    """One of the choices of an answer.

    Raises:
        MalformedError: it has no such choice.
    """
    choices = values["choices"]
    if not isinstance(choices, list) or not 0 <= choice < len(choices):
        raise MalformedError(f"it has no choice {choice}")
    return mapping(choices[choice])


def first_choice(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first choice of an answer or a chunk; an empty one where there is none."""
    choices = values.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else {}


def is_chat(values: Mapping[str, Any]) -> bool:
    """Whether it is a chat completion or a chunk of one."""
    choice = first_choice(values)
    logprobs = choice.get("logprobs")
    held = isinstance(logprobs, Mapping) and ("content" in logprobs or "refusal" in logprobs)
    return held or "message" in choice or "delta" in choice


def is_completion(values: Mapping[str, Any]) -> bool:
    """Whether it is a legacy completion or a chunk of one."""
    return "choices" in values


def is_response(values: Mapping[str, Any]) -> bool:
    """Whether it is an answer of the Responses API or an event of its stream."""
    kind = values.get("type")
    return "output" in values or (isinstance(kind, str) and kind.startswith("response."))


def is_bare(values: Mapping[str, Any]) -> bool:
    """Whether it is the `logprobs` object of a choice without the rest."""
    held = values.get("logprobs", values)
    return isinstance(held, Mapping) and ("content" in held or "tokens" in held)


def read_chat(values: Mapping[str, Any], choice: int) -> Answer:
    """`choices[].logprobs.content`: objects of token, logprob, bytes and top_logprobs."""
    return read_items(AnswerBuilder(), values, chosen(values, choice))


def read_items(
    builder: AnswerBuilder,
    values: Mapping[str, Any],
    choice: Mapping[str, Any],
    *,
    ids: Sequence[int] = (),
    bytes_are_text: bool = False,
) -> Answer:
    """A choice whose log-probabilities are objects, appended to a prompt's if there are any.

    Args:
        builder: what is appended to.
        values: the whole answer.
        choice: the choice.
        ids: of its tokens, where they are listed apart.
        bytes_are_text: whether the server encodes the token's text in place of the bytes.
    """
    logprobs = mapping(choice.get("logprobs"))
    message, prompt_tokens = mapping(choice.get("message")), len(builder)
    # A legacy choice has its text beside them: llama.cpp answers so.
    text = text_or_none(message.get("content", choice.get("text")))
    items = listed(logprobs.get("content")) or listed(logprobs.get("refusal"))
    add_items(
        builder, items, ids=ids, replaced=bytes_are_text or replaces_characters(text),
    )  # fmt: skip
    return builder.answer(
        model_of(values.get("model")),
        finish_reason=_finish_of(choice),
        prompt_tokens=prompt_tokens,
        text=text,
        text_is_part=any(
            message.get(name) for name in ("tool_calls", "reasoning", "reasoning_content")
        ),
    )


def add_items(
    builder: AnswerBuilder, items: Sequence[Any], *, ids: Sequence[int] = (), replaced: bool = False
) -> None:
    """Append objects of `token`, `logprob`, `bytes`, `top_logprobs` and where it is given `id`.

    A token without bytes is a special one where others have them; servers that give none at all
    mean the text. Where U+FFFD is `replaced` for what is no character, such bytes are not known.
    """
    items = [mapping(item) for item in items]
    have_bytes = any(item.get("bytes") is not None for item in items)

    def place(item: Mapping[str, Any], logprob: float, token_id: int | None) -> int:
        text, given = item["token"], item.get("bytes")
        own_id = spelled_id(text)
        if own_id is not None:
            raw = None if given is None else bytes_of(given)
            known = raw not in (None, b"", text.encode()) and _REPLACED not in (raw or b"")
            token_id = own_id if token_id is None else token_id
            return builder.token(token_id, raw if known else None, logprob=logprob)
        if given is None:
            if have_bytes:
                return builder.token(token_id, text_of(text).encode("utf-8"), special=True)
            spelled = spelled_by(text, replaced_is_unknown=replaced)
            return builder.token(token_id, spelled, logprob=logprob)
        raw = bytes_of(given)
        if raw and not (replaced and _REPLACED in raw):
            return builder.token(token_id, raw)
        name = spelled_by(text)
        if not raw and name is not None:
            return builder.token(token_id, name, special=True)
        return builder.token(token_id, None, logprob=logprob)

    for position, item in enumerate(items):
        logprob = logprob_of(item.get("logprob"))
        token_id = ids[position] if ids else id_of(item.get("id"))
        taken = place(item, logprob, token_id)
        row: list[Alternative] = []
        for one in listed(item.get("top_logprobs")):
            value = logprob_of(one.get("logprob"))
            same = ids and one["token"] == item["token"] and abs(value - logprob) <= _ROUNDING
            row.append((taken if same else place(one, value, id_of(one.get("id"))), value))
        builder.add(taken, logprob, row)


def read_completion(values: Mapping[str, Any], choice: int) -> Answer:
    """`choices[].logprobs` of lists: tokens, token_logprobs, top_logprobs, text_offset."""
    return read_lists(AnswerBuilder(), values, chosen(values, choice))


def read_lists(
    builder: AnswerBuilder,
    values: Mapping[str, Any],
    choice: Mapping[str, Any],
    *,
    ids: Sequence[int] = (),
    skipped: int = 0,
) -> Answer:
    """A choice whose log-probabilities are lists, appended to a prompt's if there are any.

    Args:
        builder: what is appended to.
        values: the whole answer.
        choice: the choice.
        ids: of all tokens that it lists, where they are listed apart.
        skipped: how many of its tokens are in the builder already.
    """
    before, logprobs = len(builder), mapping(choice.get("logprobs"))
    text = text_or_none(choice.get("text"))
    texts = listed(logprobs.get("tokens"))
    add_lists(builder, logprobs, text=text, ids=ids, skipped=skipped)
    echoed = _echoed(values.get("usage"), len(texts))
    return builder.answer(
        model_of(values.get("model")),
        finish_reason=_finish_of(choice),
        prompt_tokens=before or echoed,
        text=text,
        text_start=0 if echoed or skipped else before,
    )


def add_lists(
    builder: AnswerBuilder,
    logprobs: Mapping[str, Any],
    *,
    text: str | None = None,
    ids: Sequence[int] = (),
    skipped: int = 0,
) -> None:
    """Append lists of equal length: `tokens`, `token_logprobs`, and for the alternatives objects of
    log-probabilities by token. A token that takes no room in the text, by its `text_offset`, is a
    special one; `special_tokens`, which TokenScope writes, names them too."""
    texts, values = listed(logprobs.get("tokens")), listed(logprobs.get("token_logprobs"))
    tops = logprobs.get("top_logprobs") or [None] * len(texts)
    offsets = logprobs.get("text_offset")
    if not len(texts) == len(values) == len(tops) == len(texts if offsets is None else offsets):
        raise MalformedError("its lists are not equally long")
    for offset in offsets or ():
        if type(offset) is not int or offset < 0:
            raise MalformedError("an offset is no whole number")
    names = frozenset(map(text_of, listed(logprobs.get("special_tokens"))))
    takes_room = _takes_room(texts, offsets, text)
    replaced = text is None or replaces_characters(text)
    known: dict[str, int] = {}

    def place(name: Any, logprob: float, token_id: int | None, special: bool) -> int:
        own_id = spelled_id(name)
        if own_id is not None:
            return builder.token(own_id, None)
        spelled = spelled_by(name, replaced_is_unknown=replaced)
        special = special and spelled is not None
        return builder.token(token_id, spelled, special=special, logprob=logprob)

    for position in range(skipped, len(texts)):
        name, logprob = texts[position], logprob_of(values[position])
        room = takes_room[position]
        special = room is False or (room is None and name in names)
        taken = place(name, logprob, ids[position] if ids else None, special)
        row: list[Alternative] = []
        for other, figure in mapping(tops[position]).items():
            value = logprob_of(figure)
            if other == name and not abs(value - logprob) > _ROUNDING:
                row.append((taken, value))
                continue
            found = known.get(other)
            if found is None:
                found = place(other, value, None, other in names)
                if "\ufffd" not in other and other:
                    known[other] = found
            row.append((found, value))
        builder.add(taken, logprob, row)


def _takes_room(
    texts: Sequence[Any], offsets: Sequence[int] | None, text: str | None
) -> list[bool | None]:
    """Whether each token stands in the text, where its offsets fit; None where they do not tell."""
    unknown: list[bool | None] = [None] * len(texts)
    if not offsets or text is None:
        return unknown
    starts = [offset - offsets[0] for offset in offsets]
    found = list(unknown)
    for i, name in enumerate(texts):
        last = i + 1 == len(texts)
        slice_ = text[starts[i] : len(text) if last else starts[i + 1]]
        spelled = spelled_by(name)
        if spelled is None or spelled_id(name) is not None or spelled != str(name).encode():
            continue
        if slice_.endswith(name):
            found[i] = True
        elif slice_:
            return unknown
        elif starts[i] < len(text) or looks_special(name):
            # Behind the end of the text stands what a stop string cut off too.
            found[i] = False
    return found


def read_response(values: Mapping[str, Any], choice: int) -> Answer:
    """`output[].content[].logprobs`, all of its parts in turn."""
    del choice
    parts = [
        mapping(part)
        for item in listed(values.get("output"))
        for part in listed(mapping(item).get("content"))
    ]
    items = [token for part in parts for token in listed(part.get("logprobs"))]
    builder = AnswerBuilder()
    text = joined(part.get("text") for part in parts if part.get("logprobs"))
    add_items(builder, items, replaced=replaces_characters(text))
    incomplete = mapping(values.get("incomplete_details")).get("reason")
    return builder.answer(
        model_of(values.get("model")),
        finish_reason=finish_reason_of(incomplete, values.get("status")),
        text=text or None,
    )


def read_bare(values: Mapping[str, Any], choice: int) -> Answer:
    """The `logprobs` object of a choice without the rest."""
    del choice
    held = mapping(values.get("logprobs", values))
    builder = AnswerBuilder()
    if "content" in held:
        add_items(builder, listed(held["content"]))
    else:
        add_lists(builder, held)
    return builder.answer(
        model_of(values.get("model")),
        finish_reason=finish_reason_of(values.get("finish_reason")),
        prompt_tokens=_echoed(values.get("usage"), len(builder)),
        text_start=0,
    )


def join_response(events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The answer out of a stream of the Responses API: as its end repeats it, or of its deltas."""
    whole: Mapping[str, Any] = {}
    for event in events:
        whole = {**whole, **mapping(event.get("response"))}
    held = [part for item in listed(whole.get("output")) for part in listed(item.get("content"))]
    if any(mapping(part).get("logprobs") for part in held):
        return whole
    deltas = [event for event in events if event.get("type") == _DELTAS]
    part = {
        "text": joined(event.get("delta") for event in deltas),
        "logprobs": [one for event in deltas for one in listed(event.get("logprobs"))],
    }
    return {**whole, "output": [{"content": [part]}]}


def _finish_of(choice: Mapping[str, Any]) -> Any:
    """Why it ended; vLLM adds what it stopped at, which is nothing at the model's own end."""
    reason = finish_reason_of(choice.get("finish_reason"))
    ended = reason == "stop" and choice.get("finish_reason") == "stop"
    return "eos" if ended and "stop_reason" in choice and choice["stop_reason"] is None else reason


def _echoed(usage: Any, tokens: int) -> int:
    """How many of the tokens are the prompt's, where the counts say that it was echoed."""
    held = usage if isinstance(usage, Mapping) else {}
    prompt = count_of(held.get("prompt_tokens")) or 0
    completion = count_of(held.get("completion_tokens")) or 0
    return prompt if prompt and prompt + completion == tokens else 0
