"""One row a token with its place in the program."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from syntax_traces import trace_of, words

import tokenscope_core as ts
from tokenscope_core.syntax.folding.frames import analyse, syntax_frame

CODE = """class Stack:
    def push(self, item):
        if item > 1:
            self.items += [f(item)]
"""


def labels(frame: pd.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return list(frame[["token", *columns]].itertuples(index=False, name=None))


def test_every_token_gets_its_four_levels() -> None:
    frame = syntax_frame(trace_of(words(CODE)))
    assert frame["position"].tolist() == list(range(len(words(CODE))))
    rows = labels(frame, "leaf", "category", "statement", "scope", "function")
    method = "class Stack > function push"
    assert (" push", "identifier", "function name", "function_definition", method,
            "Stack.push") in rows  # fmt: skip
    assert (" item", "identifier", "variable", "comparison_operator", f"{method} > if",
            "Stack.push") in rows  # fmt: skip
    assert (" +", "+=", "assignment operator", "augmented_assignment", f"{method} > if",
            "Stack.push") not in rows  # fmt: skip
    assert ("f", "identifier", "call target", "call", f"{method} > if", "Stack.push") in rows
    assert ("items", "identifier", "attribute", "attribute", f"{method} > if",
            "Stack.push") in rows  # fmt: skip


def test_a_token_is_labelled_by_its_word_and_not_by_the_space_before_it() -> None:
    frame = syntax_frame(trace_of([b"x", b" =", b" y", b"\n"]))
    assert frame["leaf"].tolist() == ["identifier", "=", "identifier", "newline"]
    assert frame["share"].tolist() == [1.0, 0.5, 0.5, 1.0]
    assert frame["touched"].tolist() == [1, 2, 2, 1]


def test_a_token_of_no_bytes_has_no_place() -> None:
    frame = syntax_frame(trace_of([b"<s>", b"x", b"</s>"], special=frozenset({0, 2})))
    assert frame["touched"].tolist() == [0, 1, 0]
    assert frame.loc[[0, 2], ["leaf", "category", "statement", "share"]].isna().all(axis=None)
    assert frame["leaf"].iloc[1] == "identifier"


def test_halves_of_a_character_belong_to_the_name_they_spell() -> None:
    first, second = "é".encode()[:1], "é".encode()[1:]
    frame = syntax_frame(trace_of([b"x", first, second, b" =", b" 1"]))
    assert frame["leaf"].tolist() == ["identifier"] * 3 + ["=", "integer"]
    assert frame["byte_end"].tolist() == [1, 2, 3, 5, 7]


def test_lines_and_whole_statements_are_named_by_number_and_bytes() -> None:
    trace = trace_of(words("a = 1\nb = 22\n"))
    frame = syntax_frame(trace).set_index("token")
    assert frame.loc["b", "line"] == 2
    start, end = frame.loc[" 22", ["unit_start", "unit_end"]]
    assert trace.text_bytes[start:end] == b"b = 22"


def test_errors_and_made_up_tokens_are_marked() -> None:
    frame = syntax_frame(trace_of(words("x = = 1\n")), "python")
    assert frame["error"].any()
    made_up = syntax_frame(trace_of(words("def f(:\n    pass\n")))
    assert made_up["missing"].dropna().tolist() == [")"]
    assert made_up.loc[made_up["missing"].notna(), "token"].tolist() == ["("]


def test_an_empty_text_has_empty_places() -> None:
    assert syntax_frame(trace_of([])).empty
    assert syntax_frame(trace_of([b"<s>"], special=frozenset({0})))["leaf"].isna().all()


def test_an_analysed_trace_gives_the_same_frame() -> None:
    trace = trace_of(words(CODE))
    pd.testing.assert_frame_equal(syntax_frame(analyse(trace)), syntax_frame(trace))


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ts.RequestError, match="python"):
        syntax_frame(trace_of([b"x"]), language="cobol")


def test_prose_stays_prose_and_fenced_code_is_parsed() -> None:
    answer = "Use this for a loop:\n```python\nfor x in y:\n    pass\n```\nDone.\n"
    frame = syntax_frame(trace_of(words(answer)), language="markdown")
    code = frame[frame["language"] == "python"]
    assert "".join(code["token"]).strip() == "for x in y:\n    pass"
    assert code["category"].iloc[0] == "keyword"
    rest = frame[frame["language"] == ""]
    assert set(rest["category"]) == {"prose", "markup"}
    loop = frame[frame["token"] == " for"]
    assert loop["category"].tolist() == ["prose"]
    assert np.isclose(frame["share"].max(), 1.0)


def test_a_run_of_a_model_is_read_in_its_own_tokens(lm: ts.LanguageModel) -> None:
    text = "def add(é):\r\n\treturn é + 1\r\n"
    trace = ts.score(lm, text)
    frame = ts.syntax_frame(trace)
    name = frame[frame["category"] == "function name"]
    assert "".join(name["token"]).strip() == "add"
    table = ts.aggregate(trace, generated_only=False)
    assert table["n"].sum() + table["missing"].sum() == pytest.approx((~trace.special).sum())
    assert ts.aggregate(trace).equals(table), "nothing was generated, so all tokens count"
