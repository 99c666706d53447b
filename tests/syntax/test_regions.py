"""Code that does not stand by itself: in lists and quotes, in sessions, behind a space."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
from syntax_traces import trace_of, words

import tokenscope_core as ts
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.documents.detection import language_of, regions
from tokenscope_core.syntax.documents.texts import MARKDOWN, code_regions
from tokenscope_core.syntax.documents.transcripts import has_magics
from tokenscope_core.syntax.judging.scopes import open_at_end, scopes_of
from tokenscope_core.syntax.judging.structure import mark_frame
from tokenscope_core.syntax.judging.validity import breaking_pieces, standing_at, validity

IN_LIST = "1. So:\n\n   ```python\n   def f(x):\n       return [x\n   ```\n\n2. End\n"
IN_QUOTE = "> So:\n> ```python\n> def f(x):\n>\n>     return '''a\n>     b'''\n> f(1)\n> ```\n"
PYCON = ">>> def f(x):\n...     return x\n... \n>>> f(1)\n1\n>>> f(\n"
IPYTHON = (
    "In [1]: import os\n\nIn [2]: %timeit f(x)\n3 ns\n\n"
    "In [3]: if x:\n   ...:     y = 1\n   ...: \n"
)


def code(text: str, language: str) -> list[str]:
    trace = trace_of(words(text))
    return [region.code(trace.text_bytes).decode() for region in regions(trace, language)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (IN_LIST, ["def f(x):\n    return [x\n"]),
        (IN_QUOTE, ["def f(x):\n\n    return '''a\n    b'''\nf(1)\n"]),
        ("- a\n\n\t```python\n\tif x:\n\t\ty\n\t```\n", ["if x:\n\ty\n"]),
        ("  ```python\n  if x:\n    y\n  ```\n", ["if x:\n  y\n"]),
        ("> - a\n>   ~~~js\n>   f(\n>   ~~~\n", ["f(\n"]),
        ("- a\n  ```python\n  x = 1\nb\n", ["x = 1\n"]),
        ("<think>\n```python\nx\n```\n</think>\n", ["x\n"]),
        ("```python\rx = 1\r```\r", ["x = 1\n"]),
        ("    ```python\n    x\n", []),
        ("```pycon\n>>> x = 1\n>>> x\n1\n```\n", ["x = 1\nx\n"]),
        ("```python\n>>> x = [\n...     1]\n[1]\n```\n", ["x = [\n    1]\n"]),
        ("```ipython\nIn [1]: x = 1\n\nIn [2]: x\nOut[2]: 1\n```\n", ["x = 1\nx\n"]),
        ("```python\n!pip install x\nimport x\n%matplotlib inline\nx?\ny = (1\n% 2)\n```\n",
         ["import x\ny = (1\n% 2)\n"]),
        ("```python\r\nx?\r\n?x\r\nx = 1\r\n```\r\n", ["x = 1\r\n"]),
        ("```python\n%%bash\nls -l\n```\n", [""]),
        ("```python\n%%time\nx = 1\n```\n", ["x = 1\n"]),
        ("```console\n$ ls \\\n> -l\ntotal 3 (\n$ pwd\n/\n```\n", ["ls \\\n-l\npwd\n"]),
        ("```bash\n$ make\nmake: *** (\n```\n", ["make\n"]),
        ("```bash\n# a comment\nmake\n```\n", ["# a comment\nmake\n"]),
        ("```console\nerror: (unclosed\n```\n", []),
    ],
)  # fmt: skip
def test_only_code_is_code(text: str, expected: list[str]) -> None:
    assert code(text, MARKDOWN) == expected
    assert not validity(trace_of(words(text)), MARKDOWN).breaks


@pytest.mark.parametrize("text", [PYCON, IPYTHON])
def test_a_session_without_a_fence_is_a_session(text: str) -> None:
    trace = trace_of(words(text))
    assert language_of(trace).language == "python"
    assert not validity(trace).breaks
    assert {"margin", "set aside"} <= set(ts.syntax_frame(trace)["leaf"])


@pytest.mark.parametrize("line", [b"a1" * 50_000, b" " * 100_000, b"x, " * 30_000])
def test_a_long_line_is_searched_for_magics_at_once(line: bytes) -> None:
    began = time.process_time()
    assert not has_magics(b"x = 1\n" + line + b"\n")
    assert time.process_time() - began < 1, "half a minute where each letter begins a search"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_cell_of_a_notebook_without_a_fence_is_one(end: str) -> None:
    text = end.join(["import os", "!pip install x", "files = !ls", "os.path?", "x = [1]", ""])
    trace = trace_of(words(text))
    assert not validity(trace, "python").breaks
    (found,) = regions(trace, "python")
    assert found.code(trace.text_bytes).split() == [b"import", b"os", b"x", b"=", b"[1]"]
    assert ts.syntax_frame(trace, "python")["leaf"].eq("set aside").any()


def test_what_is_broken_in_a_session_is_broken_there() -> None:
    trace = trace_of(words(">>> x = 1\n>>> y = = 2\nNonsense (\n"))
    (found,) = validity(trace).breaks
    assert trace.text_bytes[: found.byte_end].decode().endswith("y = =")


@pytest.mark.parametrize("text", [IN_LIST, IN_QUOTE, PYCON, IPYTHON])
def test_every_byte_is_in_one_piece_and_nodes_stand_where_they_are_written(text: str) -> None:
    trace = trace_of(words(text))
    pieces = ts.icicle_frame(trace, generated_only=False)
    for row in pieces[pieces["kind"] == "identifier"].itertuples():
        assert trace.text_bytes[row.byte_start : row.byte_end].isalpha()
    frame = ts.syntax_frame(trace)
    assert (frame["touched"] > 0).all()
    named = frame[frame["leaf"] == "identifier"]
    assert {token.strip() for token in named["token"]} <= {"f", "x", "y", "os"}


def test_a_break_in_a_list_is_at_its_token() -> None:
    text = "- a\n\n  ```python\n  if x:\n    y\n   z\n  ```\n"
    trace = trace_of(words(text))
    (found,) = validity(trace, MARKDOWN).breaks
    assert trace.vocabulary.label(int(trace.token_ids[found.position])).strip() == "z"


def test_scopes_and_standing_in_a_list_are_those_of_the_code() -> None:
    trace = trace_of(words(IN_LIST))
    at = next(i for i, word in enumerate(words(IN_LIST)) if word == b"return")
    function = scopes_of(trace, at, MARKDOWN)[0]
    assert function.name == "function f"
    assert trace.text_bytes[function.start :].startswith(b"def f")
    assert standing_at(trace, at, MARKDOWN) == "complete"
    assert standing_at(trace, at + 2, MARKDOWN) == "unfinished"
    cut = trace_of(words(IN_LIST[: IN_LIST.index("\n   ```\n\n")]))
    bracket = open_at_end(cut, MARKDOWN)[-1]
    assert cut.text_bytes[bracket.start : bracket.start + 1] == b"["


def test_candidates_in_a_list_are_judged_without_its_margin() -> None:
    trace = trace_of(words(IN_LIST))
    at = next(i for i, word in enumerate(words(IN_LIST)) if word == b"return")
    pieces = [b" return", b" )", b"\n       ", b"\n       x\n   y", None]
    assert breaking_pieces(trace, at, pieces, MARKDOWN) == (False, True, False, None, None)


@pytest.mark.parametrize("text", ["def f(x):\n    return x\n", "x = 1\ny = 2\n"])
def test_the_space_that_a_tokenizer_puts_first_is_no_indentation(text: str) -> None:
    trace = trace_of(words(f" {text}"))
    assert language_of(trace).language == "python"
    assert not validity(trace).breaks
    assert ts.syntax_frame(trace)["error"].sum() == 0
    asked = dataclasses.replace(trace, request=ts.Request(prompt=f" {text}"))
    assert validity(asked, "python").breaks, "the person wrote that space"


def test_two_spaces_are_an_indentation() -> None:
    assert validity(trace_of(words("  x = 1\n")), "python").breaks


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "def f(x):\r    # note\r    return x\r\rprint(f(1))\r"),
        ("javascript", "// note\rlet x = 1\rlet y = 2\r"),
        ("java", "class A {\r  // note\r  int x;\r}\r"),
        ("c", "#include <a.h>\rint main() { return 0; }\r"),
    ],
)
def test_a_carriage_return_alone_ends_a_line(language: str, text: str) -> None:
    trace = trace_of(words(text))
    found = validity(trace, language)
    assert not found.breaks
    assert set(found.completable.tolist()) == {1}
    frame = ts.syntax_frame(trace, language)
    assert frame["error"].sum() == 0
    assert frame["line"].max() == text.count("\r") + (0 if text.endswith("\r") else 1)


def test_a_break_after_carriage_returns_is_at_its_token() -> None:
    trace = trace_of(words("x = 1\r    y = 2\r"))
    (found,) = validity(trace, "python").breaks
    assert trace.text_bytes[: found.byte_end].endswith(b"y")


def test_line_ends_in_the_windows_way_are_one() -> None:
    trace = trace_of(words("x = 1\r\ny = \\\r\n  2\r\n"))
    assert not validity(trace, "python").breaks
    assert ts.syntax_frame(trace, "python")["line"].max() == 3


ANSWER = (
    "So:\n\n```python\ndef double(x):\n    return x * two\n```\n\nand then\n\n"
    "```python\nprint(double(1), later)\nprint(double(missing))\n```\n\n"
    "```python\nlater = 1\n```\n\n```js\nother(1)\n```\n"
)


def answered() -> Trace:
    return trace_of(words(ANSWER))


def test_names_are_looked_for_in_each_fence_of_python() -> None:
    frame = mark_frame(answered())
    assert dict(zip(frame["name"], frame["certainty"], strict=True)) == {
        "two": "possible",
        "later": "possible",
        "missing": "likely",
    }
    text = answered().text_bytes
    for row in frame.itertuples():
        assert text[row.byte_start : row.byte_end].decode() == row.name
    assert mark_frame(answered(), "text").empty


def test_a_star_import_in_a_fence_may_bring_a_name_to_the_next() -> None:
    text = "```python\nfrom math import *\n```\n\n```python\nprint(sin(1))\n```\n"
    assert mark_frame(trace_of(words(text)))["certainty"].tolist() == ["weak"]


def test_regions_hold_every_byte_of_their_spans_in_order() -> None:
    for text in (IN_LIST, IN_QUOTE):
        blob = text.encode()
        (region,) = code_regions(blob)
        at = np.arange(len(region.code(blob)))
        back = region.in_code(region.starts_in_text(at))
        assert back.tolist() == at.tolist()
        assert bytes(blob[i] for i in region.starts_in_text(at)) == region.code(blob)
