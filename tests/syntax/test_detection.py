"""The language of a trace: one rule for everybody who asks."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_models
from syntax_traces import trace_of, words

import tokenscope_core as ts
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.documents.detection import language_of
from tokenscope_core.syntax.documents.recognition import recognise
from tokenscope_core.syntax.documents.texts import PLAIN
from tokenscope_core.syntax.judging.validity import validity

PROMPT = "def add(a, b):\n"
CODE = PROMPT + "    total = a + b\n    return totals\n"
ANSWER = "Here it is:\n\n```python\nx = = 1\n```\n\nand\n\n```js\nlet y = 2;\n```\n"
GO = "package main\n\nfunc add(a int, b int) int {\n\treturn a + b\n}\n"


FOREIGN = sorted((Path(__file__).resolve().parents[1] / "foreign_samples").glob("*.txt"))


def traced(text: str | bytes, prompt: str = "") -> Trace:
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


@pytest.mark.parametrize(
    "text",
    [
        "Once upon a time there was a fox, who was not so old at all.\n",
        "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind",
        "Hello, my name is",
    ],
)
def test_prose_without_fences_is_in_no_language_of_ours(text: str) -> None:
    found = language_of(traced(text))
    assert (found.language, found.known) == (PLAIN, False)


@pytest.mark.parametrize("file", FOREIGN, ids=lambda file: file.stem)
def test_a_text_in_another_language_is_said_to_be_in_none_of_ours(file: Path) -> None:
    text = file.read_bytes()
    assert language_of(traced(text)).language == PLAIN
    assert not validity(traced(text)).breaks
    # While it grows a few words may look like anything, but nobody is sure of it.
    for length in (20, 40, 80, 160, 320):
        found = language_of(traced(text[:length]))
        assert not found.known or found.certainty == "a guess", text[:length]


@pytest.mark.parametrize(
    "text",
    ['{"a": [1, 2, {"b": null}], "c": true}', '[{"id": 1, "ok": false},', '{"id": 1, "name": "x"}'],
)
def test_a_little_json_is_no_python(text: str) -> None:
    found = language_of(traced(text))
    assert (found.language, "JSON" in found.reason) == (PLAIN, True)


def test_a_value_that_calls_is_no_json() -> None:
    assert (
        language_of(traced('{"a": f(1), "b": [g(x) for x in y], "c": None}\n')).language == "python"
    )


def test_the_language_is_the_same_whatever_ends_the_lines() -> None:
    text = "x = 1\nif x:\n    y = 2\n"
    expected = language_of(traced(text))
    assert language_of(traced(text.replace("\n", "\r"))) == expected
    assert expected.language == "python"


def test_what_another_language_looks_like_is_named() -> None:
    assert "SQL" in language_of(traced("SELECT name FROM users WHERE id = 1;\n")).reason


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\n", "c"),
        ("#include <iostream>\n", "cpp"),
        ("#include <vector>\n#include <map>\n", "cpp"),
        ("#include <iostream>\n#include <vector>\n\nusing namespace std;\n\nint main() {\n", "cpp"),
        ("package main\n\nimport (\n", "go"),
        ("use std::collections::HashMap;\n", "rust"),
        ("import java.util.List;\n\npublic class", "java"),
        ("from typing import List\n", "python"),
    ],
)
def test_a_short_preamble_is_not_taken_for_another_language(text: str, language: str) -> None:
    assert language_of(traced(text)).language == language


def test_plain_text_is_read_by_the_line_and_not_judged() -> None:
    trace = traced("SELECT a\nFROM b WHERE c > 1;\n")
    frame = ts.syntax_frame(trace)
    assert set(frame["leaf"]) == {"line"}
    assert set(frame["category"]) == {"other"}
    assert set(validity(trace).completable.tolist()) == {-1}
    nodes = ts.icicle_frame(trace, generated_only=False)
    assert nodes["kind"].tolist() == ["document", "line", "line"]


@pytest.mark.parametrize(
    "text", [CODE, GO, PROMPT + "    x = = 1\n", "x = 1\n", "def f(x):\n  return"]
)
def test_code_is_not_taken_for_prose(text: str) -> None:
    assert language_of(traced(text)).known


def test_tables_follow_the_language_of_the_trace_unless_told() -> None:
    trace = traced(GO)
    assert set(ts.syntax_frame(trace)["language"].dropna()) == {"go"}
    assert ts.syntax_frame(trace).equals(ts.syntax_frame(trace, "go"))
    assert set(ts.syntax_frame(trace, "python")["language"].dropna()) == {"python"}
    assert set(ts.syntax_frame(traced(ANSWER))["language"]) >= {"python", "javascript", ""}
    parts = set(ts.aggregate([trace, traced(CODE)], by="language")["language"])
    assert parts == {"go", "python"}


def test_one_slip_in_a_short_program_is_no_other_language() -> None:
    code = (
        b"def add(a, b):\n    total = a + b  # <b></script>\n    return totals\n\n\nadd(1, = 2)\n"
    )
    assert recognise(code).language == "python"
    assert recognise(b"print('hi')").language == "python"


def test_noise_after_a_prompt_is_read_in_the_language_of_the_prompt() -> None:
    trace = ts.generate(tiny_models.language_model(), ts.Request("def add(a, b):\n", 30))
    assert recognise(trace.text_bytes).language is None
    assert language_of(trace).language == "python"
