"""The language of a trace: one rule for everybody who asks."""

from __future__ import annotations

import pytest
from syntax_traces import trace_of, words

import tokenscope_core as ts
from tokenscope_core.syntax.detection import language_of
from tokenscope_core.trace import Trace

PROMPT = "def add(a, b):\n"
CODE = PROMPT + "    total = a + b\n    return totals\n"
ANSWER = "Here it is:\n\n```python\nx = = 1\n```\n\nand\n\n```js\nlet y = 2;\n```\n"
GO = "package main\n\nfunc add(a int, b int) int {\n\treturn a + b\n}\n"


def traced(text: str, prompt: str = "") -> Trace:
    return trace_of(words(text), prompt=len(words(prompt)))


@pytest.mark.parametrize(
    ("text", "prompt", "language"),
    [
        (ANSWER, "", "markdown"),
        ("Here:\n\n```python\n" + 40 * CODE + "```\n", "", "markdown"),
        ('def f():\n    """Use it so:\n\n```\nf()\n```\n"""\n    return 1\n', "", "python"),
        (PROMPT + "    x = = 1\n", PROMPT, "python"),
        ("#!/bin/sh\nls -l | wc -l\n", "", "bash"),
        ("def", "def", "python"),
        ("fn main() {\n    let x: u8 = 1;\n}\n", "", "rust"),
        (GO, "", "go"),
        ("def f(a):\n    b = (a + 1\n    return b)\n", "", "python"),
        ("x = (1,", "", "python"),
        ('s = """one\n', "", "python"),
        ("", "", "python"),
    ],
)
def test_the_language_is_read_off_fences_the_prompt_and_the_text(
    text: str, prompt: str, language: str
) -> None:
    assert language_of(traced(text, prompt)).language == language


def test_a_long_unfinished_table_has_no_errors() -> None:
    row = "    ('a{1', 'b', None),\n"
    found = language_of(traced("rows = [\n" + 900 * row))
    assert found.language == "python"
    assert found.certainty == "likely"


@pytest.mark.parametrize(
    "text",
    [
        "Once upon a time there was a fox, who was not so old at all.\n",
        "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind",
        "Hello, my name is",
    ],
)
def test_prose_without_fences_is_said_to_be_perhaps_no_code(text: str) -> None:
    found = language_of(traced(text))
    assert found.certainty == "a guess"
    assert found.maybe_prose


@pytest.mark.parametrize(
    "text", [CODE, GO, PROMPT + "    x = = 1\n", "x = 1\n", "def f(x):\n  return"]
)
def test_code_is_not_taken_for_prose(text: str) -> None:
    assert not language_of(traced(text)).maybe_prose


def test_tables_follow_the_language_of_the_trace_unless_told() -> None:
    trace = traced(GO)
    assert set(ts.syntax_frame(trace)["language"].dropna()) == {"go"}
    assert ts.syntax_frame(trace).equals(ts.syntax_frame(trace, "go"))
    assert set(ts.syntax_frame(trace, "python")["language"].dropna()) == {"python"}
    assert set(ts.syntax_frame(traced(ANSWER))["language"]) >= {"python", "javascript", ""}
    parts = set(ts.aggregate([trace, traced(CODE)], by="language")["language"])
    assert parts == {"go", "python"}
