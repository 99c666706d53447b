"""Templates as models bring them come out as transformers' own `apply_chat_template` has them."""

from __future__ import annotations

import copy
import re
from datetime import datetime

import pytest
import tiny_models
import transformers.utils.chat_template_utils as reference
from conversations import CHATML, SAID, STRICT

from tokenscope_core import Message, RequestError
from tokenscope_core.prompts.chat import conversation_ids, moment_written

NOW = datetime(2026, 11, 30, 14, 5, 9)

# In the ways that families of models write them: macros, namespaces, filters, slices, loop
# controls, tools that are not there, white space control, thinking that is cut off.
TEMPLATES = {
    "chatml": CHATML,
    "strict": STRICT,
    "date": "{%- if strftime_now is defined %}{% set today = strftime_now('%d %b %Y') %}"
    "{%- else %}{% set today = '26 Jul 2024' %}{% endif %}{{- bos_token }}Today: {{ today }}\n"
    "{%- for m in messages %}{{ '<|im_start|>' + m['role'] + '\n\n' + m['content'] | trim }}"
    "{%- endfor %}",
    "system set apart": "{%- if messages[0]['role'] == 'system' -%}{%- set system = "
    "messages[0]['content'] %}{% set turns = messages[1:] %}{%- else -%}{% set turns = messages %}"
    "{%- endif -%}{{ bos_token }}{% for m in turns -%}{% if loop.first and system is defined %}"
    "<<SYS>>{{ system }}<</SYS>>{% endif %}[{{ m.role | upper }}] {{ m.content }}{{ eos_token }}"
    "{%- endfor %}",
    "thinking": "{%- set ns = namespace(last=-1, found=false) %}{%- for m in messages[::-1] %}"
    "{%- set index = (messages | length - 1) - loop.index0 %}{%- if not ns.found and m.role == "
    "'user' %}{%- set ns.found = true %}{%- set ns.last = index %}{%- endif %}{%- endfor %}"
    "{%- for m in messages %}{%- set content = m.content %}{%- if '</think>' in content %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}<|im_start|>"
    "{{ m.role }}:{{ content }}{{ ns.last }}<|im_end|>{%- endfor %}{%- if add_generation_prompt %}"
    "<think>\n{%- if enable_thinking is defined and enable_thinking is false %}\n</think>"
    "{%- endif %}{%- endif %}",
    "macro": "{% macro turn(m, close=true) %}{{ m.role }}>"
    "{{ m.content | replace('\\r\\n', '\\n') }}"
    "{{ '<|im_end|>' if close else '' }}{% endmacro %}{% for m in messages %}{{ turn(m, "
    "close=not loop.last) }}{% endfor %}",
    "tools and json": "{% if tools is not none and tools %}TOOLS{% endif %}{% if documents %}D"
    "{% endif %}{% for m in messages %}{{ m | tojson }}{{ m.items() | list | tojson(indent=2) }}"
    "{% endfor %}",
    "controls": "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}"
    "{% generation %}{{ m.content }}{% endgeneration %}{% if loop.index > 2 %}{% break %}"
    "{% endif %}{% endfor %}",
    "lines": "{% for m in messages %}\n    {{ m.role }}\n    {% if m.content %}\n{{ m.content }}\n"
    "    {% endif %}\n{% endfor %}\n",
    "pieces": "{% for m in messages %}{% for part in m.content.split('e') %}[{{ part | trim }}]"
    "{% endfor %}{{ m.content[2:] }}{% endfor %}",
    "dict": "{% set names = dict(user='U', system='S', assistant='A') %}{% for m in messages %}"
    "{{ names[m['role']] }}{{ names.get('x', '-') }}{% endfor %}",
    "undefined": "{{ nothing }}{{ messages[0].name }}{{ nothing | default('d') }}{{ messages[9] }}",
}
CONVERSATIONS = {
    "short": (Message("user", "hi"),),
    "all roles": SAID,
    "control tokens": (
        Message("system", "<|im_end|><s></s>"),
        Message("user", "<think>a</think>\n<|im_st" + "art|>e<|im_start|>"),
        Message("assistant", " <think>\n\n</think>\n\nok "),
        Message("user", ""),
    ),
    "assistant first": (Message("assistant", "x"), Message("user", "y")),
}


class Clock(datetime):
    """The time that transformers' templates are told."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:
        return NOW


@pytest.mark.parametrize("name", TEMPLATES)
def test_ids_are_those_of_transformers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "datetime", Clock)
    tokenizer = copy.deepcopy(tiny_models.tokenizer())
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.add_tokens(["<think>", "</think>", "nowhere"])
    tokenizer.chat_template = TEMPLATES[name]
    compared = 0
    for messages in CONVERSATIONS.values():
        turns = [{"role": m.role, "content": m.content} for m in messages]
        try:
            expected = tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, sanitize_control_tokens=True
            )["input_ids"]
        except Exception as error:
            said = str(error) if name == "strict" else "It failed: "
            with pytest.raises(RequestError, match=re.escape(said)):
                conversation_ids(tokenizer, messages, None, "m")
            continue
        moment = moment_written(tokenizer, messages, NOW, "m")
        assert conversation_ids(tokenizer, messages, moment, "m") == expected
        compared += 1
    assert compared


def test_of_several_templates_the_default_one_is_taken() -> None:
    tokenizer = copy.deepcopy(tiny_models.tokenizer())
    tokenizer.chat_template = {"default": "one", "tool_use": "two"}
    one = conversation_ids(tokenizer, CONVERSATIONS["short"], None, "m")
    assert one == tokenizer("one", add_special_tokens=False)["input_ids"]
    tokenizer.chat_template = {"rag": "two"}
    with pytest.raises(RequestError, match="none of them is the default"):
        conversation_ids(tokenizer, CONVERSATIONS["short"], None, "m")


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{{ 'x' * (3 * 10**9) }}", "more than 512 MB of memory"),
        ("{% for a in range(9999) %}{{ 'x' * 1000 }}{% endfor %}", "more than 1,000,000 bytes"),
        ("{#" + "x" * 10**8 + "#}x", "100,000,005 characters"),
        ("{{ messages[0].items }}", "where something lies in memory"),
        ("{{ '\\ud800' }}", "surrogate"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deeply"),
    ],
)
def test_a_template_that_means_harm_is_refused_in_a_sentence(template: str, found: str) -> None:
    tokenizer = copy.deepcopy(tiny_models.tokenizer())
    tokenizer.chat_template = template
    with pytest.raises(RequestError, match=found) as caught:
        conversation_ids(tokenizer, CONVERSATIONS["short"], None, "m")
    assert "Choose another model" in caught.value.action


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("a\n{% if %}", r"no template that Jinja can read \(line 2\)"),
        ("a\n\n{{ 'x' | nothing }}", r"a filter or a test that is not there \(line 3\)"),
        ("{{ ().__class__.__mro__ }}", r"reaches for what a template may not touch \(line 1\)"),
        ("a\n{{ messages[7].content.text }}", r"these turns, or its own lines.*\(line 2\)"),
        ("{{ 1 / 0 }}", r"divides by zero \(line 1\)"),
        ("{{ range(10**9) }}", r"further than a template may.*\(line 1\)"),
        ("{{ 'x' + 1 }}", r"of another kind than that takes \(line 1\)"),
    ],
)
def test_a_template_that_fails_is_explained_with_its_line(template: str, found: str) -> None:
    tokenizer = copy.deepcopy(tiny_models.tokenizer())
    tokenizer.chat_template = template
    with pytest.raises(RequestError, match=found):
        conversation_ids(tokenizer, CONVERSATIONS["short"], None, "m")


def test_a_template_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenscope_core.prompts.chat.MAX_SECONDS", 0.5)
    tokenizer = copy.deepcopy(tiny_models.tokenizer())
    tokenizer.chat_template = "{{ (7**6000000) % 10 }}"
    with pytest.raises(RequestError, match=r"not come to an end after 0\.5 seconds"):
        conversation_ids(tokenizer, CONVERSATIONS["short"], None, "m")


def test_more_text_than_a_conversation_may_have_is_refused() -> None:
    tokenizer = copy.deepcopy(tiny_models.tokenizer())
    tokenizer.chat_template = CHATML
    with pytest.raises(RequestError, match="It has 1,000,002 bytes of text"):
        conversation_ids(tokenizer, [Message("user", "é" * 500_001)], None, "m")
