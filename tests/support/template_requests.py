"""Asking for a template to be filled in, without a tokenizer."""

from __future__ import annotations

from typing import Any

from tokenscope_core.prompts.template_process import FilledIn, TemplateError, fill_in

MARKS = ("\U000f0000", "\U000f0001")


def filled_in(
    template: str, said: str = "hello", *, seconds: float = 20.0, **more: Any
) -> FilledIn:
    """What a template makes of one turn."""
    wanted = {
        "template": template,
        "messages": [{"role": "user", "content": said}],
        "special": {"bos_token": "<s>"},
        "controls": [("<s>", True)],
        "marks": MARKS,
        "moment": None,
    }
    return fill_in(wanted | more, seconds=seconds)


def outcome(template: str, said: str = "hello", **more: Any) -> str:
    """Of which kind the reason is that it is not filled in; "" where it is."""
    try:
        filled_in(template, said, **more)
    except TemplateError as error:
        return error.kind
    return ""
