"""Hugging Face's text-generation-inference: `/generate` and `/generate_stream`.

While a character is not complete its tokens have no text; the token that completes it has all of
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenscope_core.failures import MalformedError
from tokenscope_core.interchange.answer import Alternative, Answer, AnswerBuilder
from tokenscope_core.interchange.fields import (
    finish_reason_of,
    id_of,
    listed,
    logprob_of,
    looks_special,
    mapping,
    model_of,
    spelled_by,
    text_of,
    text_or_none,
)


def is_tgi(values: Mapping[str, Any]) -> bool:
    """Whether it is an answer or a chunk of one."""
    return "generated_text" in values


def read(values: Mapping[str, Any], choice: int) -> Answer:
    """`details`: the prompt as prefill, where it was asked for, tokens and top_tokens."""
    details = mapping(values.get("details"))
    sequences = [(values, details)]
    sequences += [(mapping(one), mapping(one)) for one in listed(details.get("best_of_sequences"))]
    if not 0 <= choice < len(sequences):
        raise MalformedError(f"it has no choice {choice}")
    whole, held = sequences[choice]
    builder = AnswerBuilder()
    for token in listed(held.get("prefill")):
        logprob = logprob_of(token.get("logprob"))
        # It does not say which of these are special; the mark that begins a text has no figure.
        begins = token.get("logprob") is None and looks_special(token["text"])
        builder.add(_place(builder, {**token, "special": begins}, logprob), logprob)
    prompt_tokens, tokens = len(builder), listed(held.get("tokens"))
    tops = listed(held.get("top_tokens")) or [None] * len(tokens)
    if len(tops) != len(tokens):
        raise MalformedError("its lists are not equally long")
    incomplete = joint = 0
    for token, top in zip(tokens, tops, strict=True):
        logprob = logprob_of(token.get("logprob"))
        text = text_of(token["text"])
        completes, incomplete = incomplete > 0 and text != "", 0 if text else incomplete + 1
        joint += completes
        taken = _place(builder, token, logprob, joint=completes)
        row: list[Alternative] = []
        for one in listed(top):
            value = logprob_of(one.get("logprob"))
            same = id_of(one.get("id")) == id_of(token.get("id"))
            row.append((taken if same else _place(builder, one, value), value))
        builder.add(taken, logprob, row)
    if joint:
        builder.notes.append(
            f"Characters made of several tokens: {joint:,}. Each is shown at the last of them, as "
            "the answer does not say how its bytes are shared out."
        )
    return builder.answer(
        model_of(values.get("model"), values.get("model_id")),
        exact=True,
        finish_reason=finish_reason_of(held.get("finish_reason")),
        prompt_tokens=prompt_tokens,
        text=text_or_none(whole.get("generated_text")),
    )


def join(chunks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One answer out of a stream: a token a chunk, the details in the last one.

    Raises:
        MalformedError: they are of several answers.
    """
    if sum(chunk.get("details") is not None for chunk in chunks) > 1:
        raise MalformedError("it holds several answers, and one is read")
    whole: dict[str, Any] = {}
    for chunk in chunks:
        whole.update((name, value) for name, value in chunk.items() if value is not None)
    held = [chunk for chunk in chunks if chunk.get("token") is not None]
    details = {
        **mapping(whole.get("details")),
        "tokens": [chunk["token"] for chunk in held],
        "top_tokens": [chunk.get("top_tokens") for chunk in held],
    }
    return {**whole, "details": details}


def _place(
    builder: AnswerBuilder, token: Mapping[str, Any], logprob: float, *, joint: bool = False
) -> int:
    special = token.get("special") is True
    return builder.token(
        id_of(token.get("id")), spelled_by(token["text"]), special=special, joint=joint,
        logprob=logprob,
    )  # fmt: skip
