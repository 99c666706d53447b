"""The modes of the prompt box: chat, gaps, and what the model reads of each."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import tiny_models

from tokenscope_core import ModelChoice, Request
from tokenscope_core.record.conversation import Message
from tokenscope_ui.request.examples import CHAT_EXAMPLES, FILL_EXAMPLES
from tokenscope_ui.server.server import service

App = Any
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
REFUSING = "{{ raise_exception('No *system* text, please') }}"
TRIMMING = "<|im_start|>{{ messages[0].content | trim }}<|im_end|>"
MARKS = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"]


def save_able_model(folder: Path, template: str) -> str:
    """A tiny model that can chat and fill a gap."""
    tokenizer = copy.deepcopy(tiny_models.tokenizer())
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>", *MARKS]})
    tokenizer.chat_template = template
    model = tiny_models.model("llama")
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def able_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_able_model(tmp_path_factory.mktemp("able") / "able", CHATML)


@pytest.fixture
def able(app: App, able_folder: str, monkeypatch: pytest.MonkeyPatch) -> App:
    """The app on a model that can do everything."""
    monkeypatch.setenv("TOKENSCOPE_MODELS", str(Path(able_folder).parent))
    app.test.session_state["model"] = able_folder
    return app


def chat(app: App, **texts: str) -> App:
    app.open()
    app.test.session_state["mode"] = "Chat"
    for name, text in texts.items():
        app.test.session_state[name.replace("_", " ")] = text
    return app.run()


def look(app: App) -> list[list[str]]:
    """Open “What the model reads”: its passages, kind and text."""
    app.test.session_state["what the model reads"] = True
    app.run()
    return passages(app, "The prompt as the model reads it")


def passages(app: App, label: str) -> list[list[str]]:
    shown = [e.proto.json for e in app.test.get("bidi_component") if label in e.proto.json]
    assert len(shown) == 1
    parts: list[list[str]] = json.loads(shown[0])["parts"]
    return parts


def button(app: App, label: str) -> Any:
    return next(b for b in app.test.button if b.label == label)


def test_a_conversation_is_answered(able: App) -> None:
    chat(able, system="Be brief.", turn_0="é <|im_end|> 👋", answer="ok").generate("Answer")
    trace = able.state.trace
    assert trace.request.messages == (
        Message("system", "Be brief."),
        Message("user", "é <|im_end|> 👋"),
    )
    assert trace.text.startswith("system\nBe brief.\nuser\né <|im_end|> 👋\nassistant\nok")
    assert "as typed" not in able.texts


def test_turns_are_added_and_removed_without_losing_their_texts(able: App) -> None:
    chat(able).press("Add a turn")
    assert able.test.session_state["turn_roles"] == ("user", "assistant", "user")
    able.test.session_state["turn 1"] = "an answer"
    able.test.session_state["turn 2"] = "a question"
    able.run().press("Remove the last turn")
    assert able.test.session_state["turn_roles"] == ("user",)
    assert "Remove the last turn" not in able.buttons
    able.press("Add a turn")
    assert able.test.text_area(key="turn 1").value == "an answer"
    assert able.test.text_area(key="turn 2").value == "a question"


def test_nothing_typed_is_lost_when_the_mode_changes(able: App) -> None:
    typed = {"system": "s", "turn 0": "u", "answer": "a"}
    chat(able, **typed)
    for mode in ("Generate", "Fill a gap"):
        able.test.session_state["mode"] = mode
        able.run()
    able.test.session_state["prompt"] = "before"
    able.test.session_state["suffix"] = "after"
    for mode in ("Score code", "Chat", "Fill a gap"):
        able.test.session_state["mode"] = mode
        able.run()
    assert able.test.text_area(key="prompt").value == "before"
    assert able.test.text_area(key="suffix").value == "after"
    able.test.session_state["mode"] = "Chat"
    able.run()
    assert {name: able.test.text_area(key=name).value for name in typed} == typed


@pytest.mark.parametrize(
    "roles",
    [("user",), ("system", "user", "assistant", "user"), ("assistant",), ("user", "system")],
    ids="-".join,
)
def test_an_address_brings_back_a_conversation(
    able: App, able_folder: str, roles: tuple[Any, ...]
) -> None:
    messages = tuple(Message(role, f"{role} {i}") for i, role in enumerate(roles))
    request = Request("begun", messages=messages, max_new_tokens=0)
    trace = service().submit(ModelChoice(able_folder), request, "someone").wait(60.0).trace
    assert trace is not None
    able.open(run=trace.key)
    assert able.test.session_state["mode"] == "Chat"
    able.press("Answer").until_ended()
    assert able.state.trace.request.messages == messages
    assert able.state.trace.request.prompt == "begun"


@pytest.mark.parametrize(
    ("mode", "label", "reason"),
    [
        ("Chat", "Answer", "no chat template"),
        ("Fill a gap", "Fill", "no fill-in-the-middle tokens"),
    ],
)
def test_what_a_model_cannot_do_is_said_before_it_is_asked(
    app: App, mode: str, label: str, reason: str
) -> None:
    app.open()
    app.test.session_state["mode"] = mode
    app.run()
    assert reason in app.texts
    assert button(app, label).disabled


def test_a_model_that_is_not_here_may_still_be_asked(app: App) -> None:
    app.test.session_state["model"] = "nobody/nothing"
    chat(app)
    assert not button(app, "Answer").disabled
    app.test.session_state["what the model reads"] = True
    assert "on this machine" in app.run().texts


def test_an_empty_conversation_is_refused_and_an_empty_turn_pointed_out(able: App) -> None:
    chat(able, turn_0="")
    assert "A turn is empty" in able.texts
    able.press("Answer")
    assert "The conversation is empty" in able.texts
    able.test.session_state["system"] = "Be brief."
    able.run().generate("Answer")
    assert able.state.problem is None


def test_a_refusal_of_the_template_is_shown_as_it_is_worded(app: App, tmp_path: Path) -> None:
    app.test.session_state["model"] = save_able_model(tmp_path / "refusing", REFUSING)
    chat(app).generate("Answer")
    assert any("No *system* text, please" in text.value for text in app.test.text)


def test_what_a_template_trims_is_said(app: App, tmp_path: Path) -> None:
    app.test.session_state["model"] = save_able_model(tmp_path / "trimming", TRIMMING)
    chat(app, turn_0=" spaced ").generate("Answer")
    assert "many templates trim white space" in app.texts
    app.test.session_state["turn 0"] = "tight"
    app.run().generate("Answer")
    assert "trim white space" not in app.texts


@pytest.mark.parametrize("mode", ["Generate", "Fill a gap", "Score code", "Chat"])
def test_what_the_model_reads_is_what_it_then_read(able: App, mode: str) -> None:
    able.open()
    for name, value in {
        "mode": mode,
        "prompt": "é<b>\x00",
        "suffix": "\r\n",
        "turn 0": "x",
    }.items():
        able.test.session_state[name] = value
    seen = look(able.run())
    label = {"Generate": "Generate", "Fill a gap": "Fill", "Score code": "Score", "Chat": "Answer"}
    able.generate(label[mode])
    trace = able.state.trace
    read = trace.byte_end[trace.prompt_length - 1]
    assert (
        "".join(text for kind, text in seen if kind == "plain").encode() == trace.text_bytes[:read]
    )
    assert sum(kind == "special" for kind, _ in seen) == trace.special[: trace.prompt_length].sum()


def test_the_preview_says_how_much_of_the_context_is_taken(able: App) -> None:
    chat(able, turn_0="x = 1\n" * 400)
    look(able)
    assert f"of a context of {tiny_models.CONTEXT}" in able.texts
    assert "too many" in able.texts


def test_a_filled_gap_is_shown_as_code(able: App) -> None:
    able.open()
    able.test.session_state["mode"] = "Fill a gap"
    able.run().press(FILL_EXAMPLES[1].name).generate("Fill")
    trace = able.state.trace
    parts = passages(able, "The code with its gap filled")
    middle = trace.text_bytes[trace.byte_end[trace.prompt_length - 1] :]
    assert parts == [
        ["plain", FILL_EXAMPLES[1].prompt],
        ["filled", middle.decode("utf-8", errors="replace")],
        ["plain", FILL_EXAMPLES[1].suffix],
    ]
    assert "the code before the gap, the code after it" in able.texts


def test_a_gap_at_the_beginning_can_be_filled(able: App) -> None:
    able.open()
    for name, value in {"mode": "Fill a gap", "prompt": "", "suffix": "return x"}.items():
        able.test.session_state[name] = value
    able.run().generate("Fill")
    assert able.state.problem is None


def test_an_example_of_a_conversation_can_be_undone(able: App) -> None:
    chat(able, turn_0="mine", system="also mine").press("Add a turn")
    able.press(CHAT_EXAMPLES[1].name)
    assert able.test.text_area(key="turn 0").value == CHAT_EXAMPLES[1].user
    assert able.test.text_area(key="system").value == ""
    able.press("Back to my text")
    assert able.test.text_area(key="turn 0").value == "mine"
    assert able.test.text_area(key="system").value == "also mine"
    assert able.test.session_state["turn_roles"] == ("user", "assistant", "user")
