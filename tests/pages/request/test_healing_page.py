"""The end of a prompt on the decode page: hints, and what was healed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import tiny_models

import tokenscope_core as ts
from tokenscope_ui.request import prompt_checks

App = Any


def test_a_prompt_that_ends_in_a_space_is_noticed_and_healed_on_a_press(app: App) -> None:
    app.open()
    app.test.session_state["prompt"] = "for i in "
    app.run()
    assert "The prompt ends in a space" in app.texts
    app.test.button(key="heal it").click()
    app.run()
    assert "The prompt ends in a space" not in app.texts
    app.generate()
    trace = app.state.trace
    assert trace.request.heal
    assert trace.text_bytes.startswith(b"for i in ")
    assert "Healed: `·` was taken back" in app.texts


def test_nothing_is_said_of_other_prompts_and_a_gap_is_not_healed(app: App) -> None:
    app.open().generate()
    assert "ends in a space" not in app.texts
    assert "Healed" not in app.texts
    app.test.session_state["mode"] = "Score code"
    app.run()
    assert "heal" not in [toggle.key for toggle in app.test.toggle]


def test_a_prompt_that_ends_inside_a_token_is_told_by_its_figures() -> None:
    lm = replace(tiny_models.language_model(), end_ids=frozenset())
    trace = ts.generate(lm, ts.Request("def add(a, b):\n    ret", 2))
    last = trace.prompt_length - 1
    taken = lm.vocabulary.token_bytes[int(trace.token_ids[last])]
    longer = next(
        i for i, b in lm.vocabulary.token_bytes.items() if b.startswith(taken) and b != taken
    )

    def with_favourite(above: float) -> ts.Trace:
        ids, logprobs = trace.candidate_ids.copy(), trace.candidate_logprobs.copy()
        ids[last, 0], logprobs[last, 0] = longer, trace.logprob[last] + above
        return replace(
            trace, candidate_ids=ids, candidate_logprobs=logprobs, vocabulary=lm.vocabulary
        )

    assert prompt_checks.expected_at_the_end(with_favourite(1.0)) == (last, longer)
    assert prompt_checks.expected_at_the_end(with_favourite(-1.0)) is None


@pytest.mark.parametrize("prompt", ["def add(a, b):\n    ret", "x = "])
def test_what_was_taken_back_is_found_in_the_trace(prompt: str) -> None:
    lm = replace(tiny_models.language_model(), end_ids=frozenset())
    trace = ts.generate(lm, ts.Request(prompt, 3, heal=True))
    read = trace.text_bytes[: int(trace.byte_end[trace.prompt_length - 1])]
    assert read + prompt_checks.healed_bytes(trace) == prompt.encode()
    assert prompt_checks.healed_bytes(ts.generate(lm, ts.Request(prompt, 3))) == b""
