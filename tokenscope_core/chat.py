"""Conversations as a model expects them: its chat template filled in, and tokenised.

A template is a program that came with a model: it runs in transformers' sandbox, for a bounded
time and with a bounded result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

from tokenscope_core.errors import CapabilityError, RequestError, summary_of
from tokenscope_core.request import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_CHARACTERS = 4_000_000
MAX_SECONDS = 5.0
# What Jinja calls the code of a template that came as a string.
_TEMPLATE_FILE = "<template>"


def conversation_ids(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], name: str
) -> list[int]:
    """The ids of a conversation up to where the model's answer begins.

    The template writes every special token, the first included; none is added. The name of a
    special token in a message is encoded as text.

    Args:
        tokenizer: of the model.
        messages: the turns so far.
        name: what the model is called in an error.

    Raises:
        CapabilityError: the model has no chat template.
        RequestError: its template refuses these turns, fails, or does not come to an end.
    """
    if not tokenizer.chat_template:
        raise CapabilityError(
            asked="A conversation was to be laid out.",
            found=f"“{name}” has no chat template: it was not trained to take turns.",
            action="Choose a chat or instruct model, or write the text as a plain prompt.",
        )
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        with _bounded_template():
            encoded = tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, sanitize_control_tokens=True
            )
    except RequestError:
        raise
    except Exception as error:
        # A template may fail in any way that a Python program can.
        raise _refusal(_reason(error)) from error
    ids = cast(list[int], encoded["input_ids"])
    if not ids:
        raise _refusal("It wrote nothing.")
    return ids


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"It had not come to an end after {MAX_SECONDS:g} seconds."
    # Jinja's own class, which `raise_exception` in a template raises with the template's words.
    if type(error).__name__ == "TemplateError" and str(error):
        return f"The template says: “{error}”"
    return f"It failed: {summary_of(error)}"


def _refusal(found: str) -> RequestError:
    return RequestError(
        asked="The conversation was to be laid out by the model’s chat template.",
        found=found,
        action="Change the turns: many templates want user and assistant by turns, beginning with "
        "the user, and some know no system text.",
    )


@contextmanager
def _bounded_template() -> Iterator[None]:
    """End a template of this thread that runs for too long or writes too much, at its next line.

    A single operation, such as the power of a large number, is not interrupted.
    """
    end = time.monotonic() + MAX_SECONDS
    written = 0

    def watch(frame: FrameType, event: str, value: object) -> Any:
        nonlocal written
        if frame.f_code.co_filename != _TEMPLATE_FILE:
            return None
        if time.monotonic() > end:
            raise TimeoutError
        # The compiled template is a generator of text, joined when it has ended.
        if event == "return" and frame.f_code.co_name == "root" and isinstance(value, str):
            written += len(value)
            if written > MAX_CHARACTERS:
                raise _refusal(f"It wrote more than {MAX_CHARACTERS:,} characters.")
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        yield
    finally:
        sys.settrace(before)
