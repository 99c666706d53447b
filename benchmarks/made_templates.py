"""Chat templates made up at random: pieces that are in order, and pieces that mean harm."""

from __future__ import annotations

import copy
import functools
from random import Random
from typing import Any
from unittest import mock

from tokenscope_core import Message
from tokenscope_core.models.files.model_files import locate
from tokenscope_core.models.tokenizers.loading import tokenizer_of

SOUND = (
    "{%- if messages[0].role == 'system' %}{{ bos_token }}{{ messages[0].content | trim }}\n"
    "{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ strftime_now('%d %b') }}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# After which one is ended here; people wait longer.
SECONDS = 1.0
_EXPRESSIONS = (
    "messages", "messages[0]", "messages[-1].content", "bos_token", "nothing", "true", "none", "0",
    "-1", "0.5", "'x'", "'\\ud800'", "'%s'", "'{0.__class__}'", "[1, 2]", "{}", "(1,)", "range(9)",
    "self", "loop", "cycler", "joiner", "namespace", "lipsum", "raise_exception", "strftime_now",
    "strftime_now('%H:%M:%S %f')", "raise_exception('no')", "dict(a=1)", "namespace(a=1)",
    "messages[0].items", "().__class__", "''.__class__.__mro__", "cycler.__init__.__globals__",
)  # fmt: skip
_FILTERS = (
    "abs", "attr('__class__')", "batch(2)", "capitalize", "center(80)", "default('d')", "dictsort",
    "e", "filesizeformat", "first", "float", "format(1)", "groupby('role')", "indent(4)", "int",
    "items", "join", "last", "length", "list", "lower", "map('upper')", "max", "min", "pprint",
    "random", "reject", "replace('a', 'b')", "reverse", "round", "safe", "slice(3)", "sort",
    "string", "striptags", "sum", "title", "tojson", "trim", "truncate(5)", "unique", "urlencode",
    "urlize", "wordcount", "wordwrap", "xmlattr",
)  # fmt: skip
_METHODS = ("append(1)", "format(1)", "items()", "join('ab')", "split()", "upper()", "x", "_x")
_BOMBS = (
    "'x' * (3 * 10**9)", "[0] * 10**9", "(7**6000000) % 10", "'x'.ljust(10**9)",
    "'%900000000d' % 1", "'{:>999999999}'.format(1)", "'a' | indent(10**9)", "lipsum(n=10**6)",
    "10**10**10", "('9' * 10**7) | int", "'x' | center(10**10)", "range(99999) | list * 99999",
)  # fmt: skip
_BLOCKS = (
    "{% for a in range(3) %}{body}{% endfor %}",
    "{% for a in range(99999) %}{body}{% endfor %}",
    "{% if {value} %}{body}{% else %}{body}{% endif %}",
    "{% set x = {value} %}{{ x }}{body}",
    "{% set ns = namespace(x={value}) %}{% set ns.x = {value} %}{{ ns.x }}",
    "{% macro m(a) %}{body}{% endmacro %}{{ m({value}) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% generation %}{body}{% endgeneration %}",
    "{% filter upper %}{body}{% endfilter %}",
    "{% call(x) lipsum() %}{body}{% endcall %}",
    "{% raw %}{body}{% endraw %}",
    "{% include {value} %}", "{% import {value} as x %}", "{% extends {value} %}",
    "{% block b %}{body}{{ self.b() }}{% endblock %}",
    "{% break %}", "{% continue %}", "{# {body} #}", "{%- if", "}}", "{{",
)  # fmt: skip


def template(blob: bytes, random: Random) -> bytes:
    """A template that was made up, with the given one in it now and then."""
    made = "".join(_block(random, 3) for _ in range(random.randrange(1, 4)))
    return made.encode() + (blob if random.random() < 0.3 else b"")


def laid_out(blob: bytes) -> None:
    """A conversation is laid out by such a template, twice.

    Raises:
        TokenScopeError: it is refused.
        AssertionError: it came out otherwise the second time.
    """
    from tokenscope_core.prompts import chat

    tokenizer = _tokenizer()
    tokenizer.chat_template = blob.decode("utf-8", errors="surrogateescape") or "x"
    said = (Message("system", "Be brief. é👋"), Message("user", "<|file_sep|> hi\r\n"))
    with mock.patch.object(chat, "MAX_SECONDS", SECONDS):
        first, again = (
            chat.conversation_ids(tokenizer, said, "2026-11-30T14:05:09", "made up")
            for _ in range(2)
        )
    assert first == again


@functools.cache
def _tokenizer() -> Any:
    with tokenizer_of(locate()) as (tokenizer, _):
        return copy.deepcopy(tokenizer)


def _block(random: Random, depth: int) -> str:
    if depth == 0 or random.random() < 0.4:
        return "{{ " + _value(random) + " }}"
    block = random.choice(_BLOCKS)
    while "{value}" in block:
        block = block.replace("{value}", _value(random), 1)
    while "{body}" in block:
        block = block.replace("{body}", _block(random, depth - 1), 1)
    return block


def _value(random: Random) -> str:
    if random.random() < 0.02:
        return random.choice(_BOMBS)
    value = random.choice(_EXPRESSIONS)
    for _ in range(random.randrange(3)):
        match random.randrange(3):
            case 0:
                value = f"({value} | {random.choice(_FILTERS)})"
            case 1:
                value = f"({value}).{random.choice(_METHODS)}"
            case _:
                operator = random.choice(("+", "-", "*", "~", "%", "//", "in", "<", "and"))
                value = f"({value} {operator} {random.choice(_EXPRESSIONS)})"
    return value
