"""What vLLM adds to OpenAI's completions: ids, and the log-probabilities of the prompt.

It writes a token's text where others write its bytes, so half a character is U+FFFD or empty, and
asked for `return_tokens_as_token_ids` it writes `token_id:12` for the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenscope_core.failures import MalformedError
from tokenscope_core.interchange.answer import Alternative, Answer, AnswerBuilder
from tokenscope_core.interchange.fields import (
    ids_of,
    listed,
    logprob_of,
    mapping,
    rank_of,
    spelled_by,
    spelled_id,
)
from tokenscope_core.interchange.openai import chosen, first_choice, read_items, read_lists

_OWN = ("prompt_logprobs", "prompt_token_ids", "kv_transfer_params")
_OWN_OF_A_CHOICE = ("stop_reason", "token_ids", *_OWN)


def is_vllm(values: Mapping[str, Any]) -> bool:
    """Whether an answer in OpenAI's shape has what vLLM alone adds."""
    if "choices" not in values:
        return False
    choice = first_choice(values)
    return (
        any(name in values for name in _OWN)
        or any(name in choice for name in _OWN_OF_A_CHOICE)
        or _is_spelled_by_ids(choice)
    )


def read(values: Mapping[str, Any], choice: int) -> Answer:
    """The prompt's tokens, where they have log-probabilities, and those of the choice."""
    builder, held = AnswerBuilder(), chosen(values, choice)
    prompt_ids = ids_of(held.get("prompt_token_ids") or values.get("prompt_token_ids"))
    prompt = held.get("prompt_logprobs") or values.get("prompt_logprobs")
    _add_prompt(builder, listed(prompt), prompt_ids)
    logprobs = mapping(held.get("logprobs"))
    ids = ids_of(held.get("token_ids"))
    texts = listed(logprobs.get("tokens"))
    if not texts and not logprobs.get("content") and len(builder):
        return read_lists(builder, values, {**held, "logprobs": {}, "text": None})
    if not texts:
        counted = len(listed(logprobs.get("content")))
        return read_items(
            builder, values, held, ids=_fitting(builder, ids, counted), bytes_are_text=True
        )
    # With echo the prompt's tokens stand in both places; there they have ids and ranks.
    echoed = 0
    if _is_echoed(values, texts):
        echoed, ids = len(builder), [*prompt_ids, *ids]
    return read_lists(builder, values, held, ids=_fitting(builder, ids, len(texts)), skipped=echoed)


def _add_prompt(builder: AnswerBuilder, rows: list[Any], ids: list[int]) -> None:
    """A row is null, or an object of `logprob`, `rank` and `decoded_token` by id, in which the
    prompt's own token comes first."""
    if ids and rows and len(ids) != len(rows):
        raise MalformedError(
            f"it has {len(ids):,} prompt_token_ids and {len(rows):,} prompt_logprobs"
        )
    for position, row in enumerate(rows):
        entries = {_id_of(name): mapping(entry) for name, entry in mapping(row).items()}
        own = ids[position] if ids else next(iter(entries), None)
        alternatives: list[Alternative] = []
        for token_id, entry in entries.items():
            place = builder.token(token_id, _decoded(entry))
            alternatives.append((place, logprob_of(entry.get("logprob"))))
        entry = entries.get(own, {}) if own is not None else {}
        builder.add(
            builder.token(own, _decoded(entry)),
            logprob_of(entry.get("logprob")),
            alternatives,
            rank=rank_of(entry.get("rank")),
        )


def _decoded(entry: Mapping[str, Any]) -> bytes | None:
    text = entry.get("decoded_token")
    return None if text is None else spelled_by(text)


def _id_of(name: Any) -> int:
    if type(name) is int and name >= 0:
        return name
    if not isinstance(name, str) or not name.isascii() or not name.isdigit() or len(name) > 9:
        raise MalformedError("prompt_logprobs are by the ids of tokens, and one is no id")
    return int(name)


def _is_echoed(values: Mapping[str, Any], texts: list[Any]) -> bool:
    usage = values.get("usage")
    held = usage if isinstance(usage, Mapping) else {}
    prompt, completion = held.get("prompt_tokens"), held.get("completion_tokens", 0)
    return type(prompt) is int and type(completion) is int and prompt + completion == len(texts)


def _fitting(builder: AnswerBuilder, ids: list[int], tokens: int) -> list[int]:
    """The ids, where there is one for each token."""
    if ids and len(ids) != tokens:
        builder.notes.append(
            f"It lists {len(ids):,} token_ids for {tokens:,} tokens, so they are not used."
        )
        return []
    return ids


def _is_spelled_by_ids(choice: Mapping[str, Any]) -> bool:
    logprobs = choice.get("logprobs")
    if not isinstance(logprobs, Mapping):
        return False
    for held in (logprobs.get("tokens"), logprobs.get("content")):
        if isinstance(held, list) and held:
            first = held[0].get("token") if isinstance(held[0], Mapping) else held[0]
            return spelled_id(first) is not None
    return False
