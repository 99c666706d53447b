"""What a chat template is told beside the turns: as transformers tells it, and part of the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conversations import CHATML, chat_model
from transformers import PreTrainedTokenizerBase

import tokenscope_core as ts
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.files.tokenizer_files import chat_templates
from tokenscope_core.prompts.chat import conversation_ids, end_of_turn
from tokenscope_core.prompts.template_process import variables_of

THINKING = (
    "{%- if tools %}<|im_start|>tools\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}"
    "<|im_end|>\n{% endif %}"
    + CHATML
    + "{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>{% endif %}{{ depth | default('') }}"
)
TOOLS = [{"type": "function", "function": {"name": "add", "description": "adds <|im_end|>"}}]
SAID = (
    ts.Message("user", "1 + 2?"), ts.Message("assistant", "add(1, 2)"), ts.Message("tool", "3"),
)  # fmt: skip


def asked(tokenizer: PreTrainedTokenizerBase, **options: Any) -> list[int]:
    return conversation_ids(tokenizer, SAID, None, "m", ts.TemplateOptions(**options))


def by_transformers(tokenizer: PreTrainedTokenizerBase, **more: Any) -> list[int]:
    said = [{"role": message.role, "content": message.content} for message in SAID]
    ids = tokenizer.apply_chat_template(
        said, add_generation_prompt=True, sanitize_control_tokens=True, return_dict=False, **more
    )
    return list(ids)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"variables": {"enable_thinking": False}},
        {"variables": {"enable_thinking": True, "depth": 3}},
        {"variables": {"depth": "<|im_start|> is text"}},
        {"tools": TOOLS},
        {"tools": TOOLS, "variables": {"enable_thinking": False}},
    ],
    ids=json.dumps,
)
def test_ids_are_those_of_transformers(options: dict[str, Any]) -> None:
    tokenizer = chat_model(THINKING).tokenizer
    more = {**options.get("variables", {})}
    if "tools" in options:
        more["tools"] = options["tools"]
    assert asked(tokenizer, **options) == by_transformers(tokenizer, **more)


def test_a_named_template_is_chosen_as_transformers_chooses_it() -> None:
    tokenizer = chat_model(CHATML).tokenizer
    tokenizer.chat_template = {"default": CHATML, "tool_use": THINKING, "rag": "rag" + CHATML}
    rag = asked(tokenizer, name="rag")
    assert rag == by_transformers(tokenizer, chat_template="rag") != asked(tokenizer)
    assert asked(tokenizer, tools=TOOLS) == by_transformers(tokenizer, tools=TOOLS)
    with pytest.raises(ts.CapabilityError, match="called default, rag, tool_use"):
        asked(tokenizer, name="{{ 7 * 7 }}")
    with pytest.raises(ts.CapabilityError, match="only one"):
        asked(chat_model(CHATML).tokenizer, name="rag")


def test_a_template_tells_its_own_variables() -> None:
    found = variables_of(THINKING, seconds=20.0)
    assert found == ("depth", "enable_thinking")
    assert variables_of(CHATML, seconds=20.0) == ()
    own = "{% set x = 1 %}{{ x }}{% for m in messages %}{{ strftime_now('%Y') }}{% endfor %}{{ y }}"
    assert variables_of(own, seconds=20.0) == ("y",)


def test_the_options_are_one_value_however_they_are_written() -> None:
    one = ts.TemplateOptions(variables={"b": 1, "a": False}, tools=json.dumps(TOOLS, indent=2))
    assert one == ts.TemplateOptions(variables=(("a", False), ("b", 1)), tools=TOOLS)  # type: ignore[arg-type]
    request = ts.Request("", messages=SAID, template=one)
    assert ts.Request.from_json(json.loads(json.dumps(request.to_json()))) == request
    assert ts.Request("", messages=SAID, template=ts.TemplateOptions()).to_json() == (
        ts.Request("", messages=SAID).to_json()
    )


@pytest.mark.parametrize(
    "options",
    [
        {"variables": {"messages": "x"}}, {"variables": {"a b": 1}}, {"variables": {"a": [1]}},
        {"variables": {"a": None}}, {"variables": 3}, {"name": ""}, {"name": 3},
        {"tools": "{"}, {"tools": '{"a": 1}'}, {"tools": [1]}, {"tools": "[NaN]"},
    ],
)  # fmt: skip
def test_what_is_no_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ts.RequestError):
        ts.TemplateOptions(**options)


def test_options_without_a_conversation_are_refused() -> None:
    with pytest.raises(ts.RequestError, match="no conversation"):
        ts.Request("x", template=ts.TemplateOptions(tools=TOOLS))  # type: ignore[arg-type]


@pytest.mark.parametrize(("template", "token"), [(CHATML, "<|im_end|>"), ("{{ messages }}", None)])
def test_the_end_of_a_turn_is_what_the_template_writes_after_an_answer(
    template: str, token: str | None
) -> None:
    tokenizer = chat_model(template).tokenizer
    found = end_of_turn(tokenizer, "m")
    expected = None if token is None else (tokenizer.convert_tokens_to_ids(token), token)
    assert found == expected


def test_templates_are_found_by_name_without_transformers(tmp_path: Path) -> None:
    config = {
        "chat_template": [{"name": "default", "template": "a"}, {"name": "rag", "template": "b"}]
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tool_use.jinja").write_text("c")
    assert chat_templates(ModelFiles("m", tmp_path, "h")) == {
        "default": "a", "rag": "b", "tool_use": "c"
    }  # fmt: skip
    (tmp_path / "chat_template.jinja").write_text("d")
    assert chat_templates(ModelFiles("m", tmp_path, "other"))["default"] == "d"


def test_a_session_with_options_is_replayed_by_its_script() -> None:
    lm = chat_model(THINKING)
    request = ts.Request(
        "", 3, messages=SAID, template=ts.TemplateOptions(variables={"enable_thinking": False})
    )
    trace = ts.generate(lm, request)
    script = ts.export.replay_script(trace)
    line = next(line for line in script.splitlines() if "ts.generate(" in line)
    names: dict[str, Any] = {"ts": ts, "lm": lm}
    exec(line.strip(), names)
    assert names["trace"].key == trace.key
    assert ts.Trace.from_bytes(trace.to_bytes()).request == request
