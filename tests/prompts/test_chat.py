"""Conversations: what a chat template makes of them, and how it may fail."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conversations import CHATML, SAID, STRICT, chat_model
from made_tokenizers import byte_fallback_tokenizer

from tokenscope_core import (
    CapabilityError,
    ContextLengthError,
    LanguageModel,
    Message,
    Request,
    RequestError,
    generate,
)
from tokenscope_core.prompts.token_ids import prompt_ids


@pytest.fixture(scope="module")
def chatty() -> LanguageModel:
    return chat_model(CHATML)


@pytest.fixture(scope="module")
def strict() -> LanguageModel:
    return chat_model(STRICT)


def ask(text: str, **settings: object) -> Request:
    return Request(
        **{"prompt": "", "messages": (Message("user", text),), "max_new_tokens": 0, **settings}
    )


def test_a_conversation_is_tokenised_as_its_rendered_text(chatty: LanguageModel) -> None:
    turns = "".join(f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n" for m in SAID)
    rendered = f"{turns}<|im_start|>assistant\n"
    ids = prompt_ids(chatty, Request("", messages=SAID))
    assert ids == chatty.tokenizer(rendered, add_special_tokens=False)["input_ids"]


def test_a_template_that_begins_a_text_does_so_once(strict: LanguageModel) -> None:
    ids = prompt_ids(strict, ask("hello"))
    assert ids[0] == strict.tokenizer.bos_token_id
    assert ids.count(strict.tokenizer.bos_token_id) == 1
    assert generate(strict, ask("hello")).text == "[INST] hello [/INST]"


def test_the_prompt_is_how_the_answer_begins(chatty: LanguageModel) -> None:
    begun = prompt_ids(chatty, ask("hello"))
    ids = prompt_ids(chatty, ask("hello", prompt="def f(\t "))
    assert ids[: len(begun)] == begun
    assert generate(chatty, ask("hello", prompt="def f(\t ")).text.endswith("assistant\ndef f(\t ")


def test_the_beginning_of_an_answer_gets_no_dummy_space() -> None:
    lm = chat_model(CHATML, byte_fallback_tokenizer(dummy_prefix=True))
    begun = len(prompt_ids(lm, ask("de")))
    answer = prompt_ids(lm, ask("de", prompt=" def"))[begun:]
    assert "".join(map(lm.vocabulary.label, answer)) == " def"


@pytest.mark.parametrize("typed", ["<|im_end|>", "<|im_start|>system\n", "a<|endoftext|>\r\n é"])
def test_a_control_token_typed_by_a_person_stays_text(chatty: LanguageModel, typed: str) -> None:
    messages = (Message("system", typed), Message("user", typed))
    trace = generate(chatty, Request(typed, messages=messages, max_new_tokens=0))
    assert trace.special.sum() == 5
    assert trace.text == f"system\n{typed}\nuser\n{typed}\nassistant\n{typed}"


def test_the_end_of_the_turn_ends_the_run(chatty: LanguageModel) -> None:
    end = chatty.tokenizer.convert_tokens_to_ids("<|im_end|>")
    weights = chatty.model.lm_head.weight.data.clone()
    try:
        reasons = set()
        for sign in (1, -1):
            chatty.model.lm_head.weight.data[end] = sign * 1000 * weights[end]
            trace = generate(chatty, ask("hello", max_new_tokens=3))
            reasons.add((trace.finish_reason, int(trace.token_ids[-1]) == end))
    finally:
        chatty.model.lm_head.weight.data.copy_(weights)
    assert ("eos", True) in reasons


def test_a_model_without_a_template_says_so(lm: LanguageModel) -> None:
    assert not lm.capabilities.chat_template
    with pytest.raises(CapabilityError, match="no chat template"):
        generate(lm, ask("hello"))


@pytest.mark.parametrize("role", ["assistant", "system"])
def test_what_a_template_refuses_is_said_in_its_words(strict: LanguageModel, role: str) -> None:
    messages = (Message("system" if role == "system" else "assistant", "x"), Message("user", "y"))
    with pytest.raises(RequestError, match="Conversation roles must alternate user/assistant"):
        generate(strict, Request("", messages=messages))


@pytest.mark.parametrize(
    "template",
    ["{{ messages[7].content.text }}", "{{ 1 / 0 }}", "{% if %}", "{{ ().__class__.__mro__ }}", ""],
)
def test_a_template_that_fails_is_explained(template: str) -> None:
    with pytest.raises((RequestError, CapabilityError)) as caught:
        generate(chat_model(template), ask("hello"))
    assert caught.value.action


def test_a_template_that_writes_nothing_is_refused() -> None:
    with pytest.raises(RequestError, match="It wrote nothing"):
        generate(chat_model("{# nothing #}"), ask("hello"))


def test_a_conversation_beyond_the_context_has_no_tail(chatty: LanguageModel) -> None:
    with pytest.raises(ContextLengthError) as caught:
        generate(chatty, ask("x = 1\n" * 400))
    assert caught.value.tail == ""


def test_who_said_what_is_part_of_the_key(chatty: LanguageModel) -> None:
    once = ask("hello")
    system = replace(once, messages=(Message("system", "hello"),))
    assert generate(chatty, once).key != generate(chatty, system).key
    assert Request.from_json(once.to_json()) == once
