"""The options of a chat template, and an end of turn that ends no text, on the decode page."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import tiny_models
from conversations import CHATML

from tokenscope_core import Message, TemplateOptions

App = Any
THINKING = (
    "{% if tools %}{{ tools | tojson }}{% endif %}" + CHATML
    + "{% if enable_thinking is defined and not enable_thinking %}no thoughts{% endif %}"
)  # fmt: skip


def talking(app: App, folder: Path, template: str, **settings: Any) -> App:
    """The app in a conversation with a tiny model of that template."""
    tokenizer = copy.deepcopy(tiny_models.tokenizer())
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = template
    model = tiny_models.model("llama")
    model.resize_token_embeddings(len(tokenizer))
    model.generation_config.update(**settings)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    app.test.session_state["model"] = str(folder)
    app.open()
    app.test.session_state["mode"] = "Chat"
    return app.run()


def test_variables_and_tools_of_a_template_go_into_the_request(app: App, tmp_path: Path) -> None:
    talking(app, tmp_path / "m", THINKING)
    assert "Template" not in [box.label for box in app.test.selectbox], "it has only one"
    app.test.text_input(key="template variable enable_thinking").set_value("false")
    app.test.text_area(key="template_tools").set_value('[{"name": "add"}]')
    app.run().press("Add a tool’s answer")
    app.test.text_area(key="turn 1").set_value("add(1, 2)")
    app.test.text_area(key="turn 2").set_value("3")
    app.run().generate("Answer")
    request = app.state.trace.request
    assert request.template == TemplateOptions(
        variables=(("enable_thinking", False),), tools='[{"name":"add"}]'
    )
    assert request.messages[1:] == (Message("assistant", "add(1, 2)"), Message("tool", "3"))
    prompt = app.state.trace.text_bytes[: int(app.state.trace.byte_end[request_end(app)])]
    assert prompt.endswith(b"no thoughts")
    assert prompt.startswith(b'[{"name": "add"}]')


def request_end(app: App) -> int:
    return int(app.state.trace.prompt_length) - 1


def test_nothing_is_shown_of_a_template_that_reads_the_turns_alone(
    app: App, tmp_path: Path
) -> None:
    talking(app, tmp_path / "m", CHATML)
    assert "template_tools" not in [area.key for area in app.test.text_area]
    app.generate("Answer")
    assert app.state.trace.request.template is None


def test_tools_that_are_no_list_are_refused_where_they_are_typed(app: App, tmp_path: Path) -> None:
    talking(app, tmp_path / "m", THINKING)
    app.test.text_area(key="template_tools").set_value("{")
    app.run()
    assert "no JSON list of objects" in app.texts
    app.generate("Answer")
    assert "no JSON list of objects" in str(app.state.problem)


def test_an_end_of_turn_that_ends_no_text_is_noticed_and_stopped_at(
    app: App, tmp_path: Path
) -> None:
    talking(app, tmp_path / "m", CHATML)
    end = len(tiny_models.tokenizer()) + 1
    assert f"ends an answer with `<|im_end|>` (id {end:,})" in app.texts
    app.test.button(key="stop at turn end").click()
    app.run()
    assert "ends an answer with" not in app.texts
    app.generate("Answer")
    assert app.state.trace.request.stop_token_ids == (end,)


def test_one_that_ends_a_text_is_not_spoken_of(app: App, tmp_path: Path) -> None:
    end = len(tiny_models.tokenizer()) + 1
    talking(app, tmp_path / "m", CHATML, eos_token_id=[0, end])
    assert "ends an answer with" not in app.texts
