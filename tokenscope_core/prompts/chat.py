"""Conversations as a model expects them: its chat template filled in, and tokenised.

The text and the ids are those of transformers' `apply_chat_template`, with `add_generation_prompt`
and `sanitize_control_tokens`. The template is a program that came with the model: it is filled in
by a process that can be ended (`template_process`). What it writes is a function of the request: a
template that asks for the time is given the request's moment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, cast

from tokenscope_core.errors import CapabilityError, RequestError
from tokenscope_core.failures import reason_of
from tokenscope_core.prompts.template_child import MAX_BYTES
from tokenscope_core.prompts.template_process import (
    MAX_SECONDS,
    MEMORY_BYTES,
    FilledIn,
    TemplateError,
    fill_in,
)
from tokenscope_core.record.conversation import (
    Message,
    TemplateOptions,
    moment_of,
    moment_text,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_TEMPLATE_CHARACTERS = 1_000_000
_ANSWER = "tokenscope answer"
_CHANGE_THE_TURNS = (
    "Change the turns: many templates want user and assistant by turns, beginning with the user, "
    "and some know no system text."
)
_ANOTHER_MODEL = "Choose another model, or write the text as a plain prompt."
_FOUND = {
    "nested": "It is nested too deeply, or calls itself without end.",
    "long": f"It wrote more than {MAX_BYTES:,} bytes of text.",
    "memory": f"It asked for more than {MEMORY_BYTES // 1024**2} MB of memory.",
    "address": "It wrote where something lies in memory, which is another place each time.",
    "surrogate": "It wrote half of a surrogate pair, which no text can hold.",
    "died": "It ended the process that filled it in.",
}


def conversation_ids(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Message],
    moment: str | None,
    name: str,
    options: TemplateOptions | None = None,
) -> list[int]:
    """The ids of a conversation up to where the model's answer begins.

    The template writes every special token, the first included; none is added. The name of a
    special token in a message is encoded as text.

    Args:
        tokenizer: of the model.
        messages: the turns so far.
        moment: what a template that asks for the time is told, as in a `Request`.
        name: what the model is called in an error.
        options: what the template is told beside the turns.

    Raises:
        CapabilityError: the model has no chat template, or none of that name.
        RequestError: its template refuses these turns, fails, does not come to an end, or asks for
            the time where no moment is given.
    """
    told = None if moment is None else moment_of(moment)
    text = _filled_in(tokenizer, messages, told, name, options).text
    try:
        encoded = tokenizer(text, add_special_tokens=False, sanitize_control_tokens=True)
    except Exception as error:
        # What a person typed may be a token that this tokenizer cannot write as text.
        raise _refusal(f"Its text could not be split into tokens: {reason_of(error)}.") from error
    ids = cast(list[int], encoded["input_ids"])
    if not ids:
        raise _refusal("It wrote nothing.")
    return ids


def moment_written(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Message],
    now: datetime,
    name: str,
    options: TemplateOptions | None = None,
) -> str | None:
    """The moment that belongs to a request made now: as coarse as the text allows, so that equal
    requests of one day are equal where the template writes the date alone. None where it does not
    ask for the time.

    Raises: as `conversation_ids`.
    """
    written = _filled_in(tokenizer, messages, now, name, options).written
    return None if written is None else moment_text(written)


def end_of_turn(tokenizer: PreTrainedTokenizerBase, name: str) -> tuple[int, str] | None:
    """The token with which the chat template ends what the assistant said, its id and its name;
    None where it does so with none, or refuses to be asked.

    A template is a program: it is asked to lay out a turn of the assistant, and what it writes
    after that is looked at.
    """
    said = [Message("user", "?"), Message("assistant", _ANSWER), Message("user", "?")]
    try:
        text = _filled_in(tokenizer, said, datetime(2026, 1, 1), name, None).text
    except (CapabilityError, RequestError):
        return None
    after = text.rpartition(_ANSWER)[2].partition("?")[0]
    named = ((after.find(token), token) for token, _ in _controls(tokenizer) if token in after)
    first = min(named, default=None)
    if first is None:
        return None
    return int(tokenizer.convert_tokens_to_ids(first[1])), first[1]


def _filled_in(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Message],
    moment: datetime | None,
    name: str,
    options: TemplateOptions | None,
) -> FilledIn:
    from transformers.utils.chat_template_utils import mark_control_tokens

    if not tokenizer.chat_template:
        raise CapabilityError(
            asked="A conversation was to be laid out.",
            found=f"“{name}” has no chat template: it was not trained to take turns.",
            action="Choose a chat or instruct model, or write the text as a plain prompt.",
        )
    typed = sum(len(message.content.encode("utf-8")) for message in messages)
    if typed > MAX_BYTES:
        raise RequestError(
            asked="The conversation was to be laid out by the model’s chat template.",
            found=f"It has {typed:,} bytes of text, and {MAX_BYTES:,} are taken.",
            action="Shorten the turns.",
        )
    options = options or TemplateOptions()
    # The marks are transformers' own: its tokenizers know them.
    start, end = mark_control_tokens("x", re.compile("x")).split("x")
    try:
        return fill_in(
            {
                "template": _template(tokenizer, options, name),
                "messages": [{"role": m.role, "content": m.content} for m in messages],
                "special": tokenizer.special_tokens_map,
                "controls": _controls(tokenizer),
                "marks": (start, end),
                "moment": None if moment is None else moment.isoformat(),
                "tools": options.listed_tools,
                "variables": dict(options.variables),
            },
            seconds=MAX_SECONDS,
        )
    except TemplateError as failure:
        raise _explained(failure) from failure


def _template(tokenizer: PreTrainedTokenizerBase, options: TemplateOptions, name: str) -> str:
    """The text of the template that was asked for, or else the one that transformers takes."""
    named = tokenizer.chat_template
    known = sorted(named) if isinstance(named, dict) else []
    # Transformers takes any other name for the text of a template.
    if options.name is not None and options.name not in known:
        raise CapabilityError(
            asked=f"The chat template {options.name[:40]!r} of “{name}” was to be filled in.",
            found=f"Its templates are called {', '.join(known)}." if known else "It has only one.",
            action="Choose one of these, or leave the name out." if known else "Leave it out.",
        )
    try:
        template = tokenizer.get_chat_template(options.name, tools=options.listed_tools)
    except ValueError as error:
        raise _refusal(
            "The model has several, and none of them is the default one.", _ANOTHER_MODEL
        ) from error
    if not isinstance(template, str):
        raise _refusal("It is no text.", _ANOTHER_MODEL)
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        raise _refusal(
            f"It has {len(template):,} characters, and {MAX_TEMPLATE_CHARACTERS:,} are taken.",
            _ANOTHER_MODEL,
        )
    return template


def _controls(tokenizer: PreTrainedTokenizerBase) -> list[tuple[str, bool]]:
    """The added tokens that are control tokens, always (true) or where the template has them."""
    added = tokenizer.added_tokens_decoder.values()
    listed = getattr(tokenizer, "chat_control_tokens", None)
    if listed is None:
        return [(token.content, token.special) for token in added]
    return [(t.content, True) for t in added if t.special or t.content in set(listed)]


def _explained(failure: TemplateError) -> RequestError:
    kind, said = failure.kind, failure.said
    # Jinja's own class, which `raise_exception` in a template raises with the template's words.
    if kind == "says":
        return _refusal(f"The template says: “{said}”")
    if kind == "failed":
        return _refusal(f"It failed: {said}.")
    if kind == "undated":
        return _refusal(
            "It writes the date, and this request does not say which: it was made before dates "
            "were recorded, so that its prompt cannot be had again.",
            "Ask it anew: it is given today’s date, which is then kept. What is stored of it opens "
            "as it was.",
        )
    if kind == "time":
        return _refusal(f"It had not come to an end after {MAX_SECONDS:g} seconds.", _ANOTHER_MODEL)
    if kind in ("busy", "unstarted"):
        return _refusal(
            "Too many templates are being filled in already."
            if kind == "busy"
            else "No process could be started for it.",
            "Try again in a minute; if that does not help, tell whoever runs this server.",
        )
    return _refusal(_FOUND.get(kind, _FOUND["died"]), _ANOTHER_MODEL)


def _refusal(found: str, action: str = _CHANGE_THE_TURNS) -> RequestError:
    return RequestError(
        asked="The conversation was to be laid out by the model’s chat template.",
        found=found,
        action=action,
    )
