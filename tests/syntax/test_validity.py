"""Unfinished code is not broken code: each prefix judged, the first break named."""

from __future__ import annotations

import ast
import random
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syntax_traces import trace_of, words

import tokenscope_core as ts
from tokenscope_core.syntax.grammar.languages import LANGUAGES, Grammar, grammar
from tokenscope_core.syntax.grammar.layout import PythonLayout
from tokenscope_core.syntax.judging.validity import breaking_candidates, standing, validity
from tokenscope_core.syntax.unfinished.prefixes import GrowingText

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "syntax_samples"
REAL = ("tokenscope_core/decoding/sampling.py", "tests/support/oracles.py", "tests/conftest.py")


def pieces_of(text: bytes, seed: int) -> list[bytes]:
    """A text cut anywhere, inside of words and characters too."""
    chance = random.Random(seed)
    pieces, at = [], 0
    while at < len(text):
        width = chance.choice([1, 1, 2, 3, 4, 6, 12])
        pieces.append(text[at : at + width])
        at += width
    return pieces


def first_break(pieces: list[bytes], language: str = "python") -> int | None:
    text = GrowingText(grammar(language))
    return next((i for i, piece in enumerate(pieces) if not text.feed(piece)), None)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("seed", range(2))
def test_every_prefix_of_valid_python_can_be_completed(name: str, seed: int) -> None:
    text = (ROOT / name).read_bytes()
    ast.parse(text)
    assert first_break(pieces_of(text, seed)) is None
    assert first_break(words(text)) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_prefix_of_valid_code_can_be_completed_in_every_language(language: str) -> None:
    text = (SAMPLES / f"{language}.txt").read_bytes()
    for seed in range(2):
        assert first_break(pieces_of(text, seed), language) is None


@pytest.mark.parametrize(
    ("text", "broke_at"),
    [
        ("x = foo(a b)\n", " b"),
        ("def f(x:\n    return x)\n", " x"),
        ("for x in y\n    pass\n", "\n    "),
        ("try:\n    pass\nelse:\n    pass\n", ":"),
        ("def f():\n    try:\n        pass\nx = 1\n", "x"),
        ("x = 1 +\n2\n", "\n"),
        ("x = [1, 2)\n", ")"),
        ("if x:\n    y = 1\n  z = 2\n", "z"),
        ("x = 1\n    y = 2\n", "y"),
        ("while x:\ny = 2\n", "y"),
        ("def f():\n    '''doc'''\n    return return\n", "\n"),
        ("try:\n    pass\nx = 1\n", " "),
        ("x = 'abc\ny = 1\n", "\n"),
        ("else:\n    pass\n", ":"),  # "elsewhere" would do
        ("x =\ny = 1\n", "\n"),
        ("x = {1: '\na'}\n", "\n"),
    ],
)
def test_the_token_that_broke_it_is_named(text: str, broke_at: str) -> None:
    trace = trace_of(words(text))
    found = validity(trace, "python")
    assert len(found.breaks) == 1
    position = found.breaks[0].position
    assert trace.vocabulary.label(int(trace.token_ids[position])) == broke_at
    assert found.completable.tolist() == [1] * position + [0] * (len(trace) - position)


@pytest.mark.parametrize(
    "text",
    ["", "x =", "x = 1e", "x = '\\x4", "f'{x:", "x = (1 +\n", "def f(", "x = 1 i", "x = y no",
     "x = a !", "if x:\n", "class A:\n    def f(self):\n        ", "'''abc \"", "x = [i fo",
     "@", "x = \\", "x = \\\n", "x = '\\", "match x:\n    case [1, *", "lambda", "x = ..", "print(",
     "x: i", "async d", "from . import (a,", "x = {'a': [1, (2,", "# commen", "x = 0x", "é",
     "x = f'a}", "x = fr'{{a}"],
)  # fmt: skip
def test_what_is_only_unfinished_is_not_broken(text: str) -> None:
    assert first_break([text.encode()]) is None


CODE = """import os


class Files:
    def __init__(self, path: str, *names, deep=True):
        '''Paths (all of them).'''
        self.found = [os.path.join(path, n) for n in names if n]

    def read(self, size=-1):
        for name in self.found:
            try:
                with open(name) as file:
                    yield name, file.read(size) or "none"
            except (OSError, ValueError) as error:
                if not error.args:
                    raise
                print(f"{name}: {error}", 2 * size + 1)
        return None
"""


def mutated(seed: int) -> tuple[list[bytes], int]:
    """Valid code with one token left out, doubled, put in or exchanged; and where."""
    chance = random.Random(seed)
    tokens = words(CODE)
    at = chance.randrange(len(tokens) - 1)
    other = chance.choice(tokens)
    return chance.choice(
        [
            tokens[:at] + tokens[at + 1 :],
            [*tokens[:at], other, *tokens[at:]],
            [*tokens[:at], other, *tokens[at + 1 :]],
            [*tokens[:at], tokens[at + 1], tokens[at], *tokens[at + 2 :]],
        ]
    ), at


def compiles(text: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def test_cpython_agrees_on_mutated_code() -> None:
    """CPython judges whole texts: what it takes must never be called broken; what it refuses
    should be found, soon after the place of the change."""
    refused, found, near = 0, 0, 0
    for seed in range(100):
        tokens, at = mutated(seed)
        broke = first_break(tokens)
        if compiles(b"".join(tokens)):
            assert broke is None, b"".join(tokens[: (broke or 0) + 1])[-60:]
            continue
        refused += 1
        found += broke is not None
        near += broke is not None and broke - at <= 2
    assert refused > 30
    assert found / refused > 0.9
    assert near / found > 0.75


def test_broken_stays_broken_and_reading_at_once_is_reading_bit_by_bit() -> None:
    for seed in range(20):
        tokens, _ = mutated(seed)
        broke = first_break(tokens)
        for length in range(1, len(tokens), 37):
            at_once = first_break([b"".join(tokens[:length])]) is None
            assert at_once == (broke is None or length <= broke)


def test_reading_runs_of_tokens_finds_the_same_token_as_reading_each() -> None:
    for seed in range(12):
        tokens, _ = mutated(seed)
        breaks = validity(trace_of(tokens), "python").breaks
        assert (breaks[0].position if breaks else None) == first_break(tokens)


def test_brackets_that_stay_open_cost_no_more_each_the_more_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[int] = []
    readable = Grammar.readable

    def counted(self: Grammar, text: bytes) -> bytes:
        read.append(len(text))
        return readable(self, text)

    monkeypatch.setattr(Grammar, "readable", counted)

    def bytes_read(brackets: int) -> int:
        read.clear()
        assert not validity(trace_of([b"x = ", *[b"("] * brackets]), "python").breaks
        return sum(read)

    assert bytes_read(8_000) < 3 * bytes_read(4_000)


@pytest.mark.parametrize("word", [b"a1" * 12_000, b"1" * 24_000])
def test_a_word_longer_than_any_is_judged_at_once(word: bytes) -> None:
    trace = trace_of([b"x", b" = ", word, b" )"], candidates=[[]] * 3 + [[b"\n", b" )"]])
    began = time.process_time()
    assert breaking_candidates(trace, 3, "python")[1] in (True, None)
    assert time.process_time() - began < 3, "half a minute where each letter begins a search"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_over_can_be_forgotten_in_every_language(language: str) -> None:
    text = (SAMPLES / f"{language}.txt").read_bytes()
    opening, rest = (b"", text)
    if language == "java":  # imports come first
        opening, rest = text[: text.index(b"public")], text[text.index(b"public") :]
    long = opening + (rest.rstrip() + b"\n") * (1 + 6_000 // len(text))
    stretches = [long[start : start + 61] for start in range(0, len(long), 61)]
    assert first_break(stretches, language) is None


def test_brackets_in_a_long_open_docstring_are_text() -> None:
    # A model that repeats itself does so in a docstring; brackets in it are text.
    text = b'def f(a):\n    """' + b"word (and [more " * 600
    assert validity(trace_of(words(text)), "python").breaks == ()
    growing = GrowingText(grammar("python"))
    assert growing.feed(text)
    assert growing.ending() == b'"""'
    assert growing.allows(b'"""\n')
    assert not growing.allows(b'""" )')


rubbish = st.lists(
    st.binary(min_size=1, max_size=3)
    | st.sampled_from(
        [b"x", b" = ", b"(", b")", b"'", b"\n", b"\xc3", b"\xa9", b"\\", b"\x00", b"#"]
    ),
    max_size=12,
)


@given(rubbish, st.sampled_from(LANGUAGES))
def test_any_bytes_are_judged_and_broken_is_for_good(pieces: list[bytes], language: str) -> None:
    text = GrowingText(grammar(language))
    for piece in pieces:
        before, allowed = text.viable, text.allows(piece)
        assert text.feed(piece) == allowed
        assert before or not text.viable


lines = st.lists(
    st.tuples(
        st.sampled_from(["", " ", "    ", "\t", "        ", "\t    "]),
        st.sampled_from(["if x:", "pass", "# note", "", "x = (", ")", "x = '''", "'''", "y = \\",
                         "if x: pass", "class A:  # note", "'#'"]),
    ),
    max_size=8,
)  # fmt: skip


@given(lines, st.sampled_from(["\n", "\r\n"]))
def test_indentation_is_judged_as_cpython_judges_it(
    rows: list[tuple[str, str]], newline: str
) -> None:
    text = "".join(indent + code + newline for indent, code in rows)
    layout = PythonLayout()
    valid = layout.feed(text.encode())
    if layout.expects_block:
        return  # CPython misses the block that may still come
    try:
        ast.parse(text)
    except IndentationError:
        assert not valid
    except SyntaxError:
        pass  # another matter, which may have stopped CPython before the indentation
    else:
        assert valid


def test_tokens_of_no_bytes_change_nothing() -> None:
    trace = trace_of([b"<s>", b"x", b" =", b"<e>", b" 1"], special=frozenset({0, 3}))
    assert validity(trace).completable.tolist() == [1, 1, 1, 1, 1]
    assert validity(trace_of([])).breaks == ()


def test_candidates_that_would_break_the_code_are_marked() -> None:
    trace = trace_of(
        [b"x", b" =", b" ("],
        candidates=[[b"x", b")"], [b" =", b" y"], [b" (", b" )", b"\n", b" 'a"]],
    )
    assert breaking_candidates(trace, 0, "python") == (False, True, None, None)
    assert breaking_candidates(trace, 1, "python") == (False, True, None, None)
    assert breaking_candidates(trace, 2, "python") == (False, True, True, False)
    with pytest.raises(ts.RequestError, match="0 to 2"):
        breaking_candidates(trace, 3, "python")


def test_after_a_break_no_candidate_is_to_blame() -> None:
    trace = trace_of([b")", b"x"], candidates=[[b")"], [b"x"]])
    assert breaking_candidates(trace, 1, "python") == (None,)


def test_prose_is_not_judged_and_each_fence_by_itself() -> None:
    answer = "Use (this:\n```python\nx = )\n```\nor\n```python\ny = 1\n```\n"
    trace = trace_of(words(answer))
    found = validity(trace, "markdown")
    assert len(found.breaks) == 1
    start, end = found.breaks[0].byte_start, found.breaks[0].byte_end
    assert trace.text_bytes[start:end] == b"x = )"
    assert found.completable[0] == -1
    last = int(np.flatnonzero(trace.byte_start == answer.index("y = 1"))[0])
    assert found.completable[last] == 1
    assert breaking_candidates(trace, 0, "markdown") == (None, None)


def test_a_closing_fence_is_no_error_of_the_code() -> None:
    tokens = [b"```python\n", b"x = 1\n", b"```"]
    trace = trace_of(tokens, candidates=[[], [], [b"```", b")", b"y"]])
    assert breaking_candidates(trace, 2, "markdown") == (None, True, False)


@pytest.mark.parametrize(
    "text",
    [
        "__BEGIN_DECLS\n\nextern void closelog (void);\n",
        "#include <a.h>\nAPI_EXPORT const char *name(void);\n",
        "int f(int x) DEPRECATED_SINCE(3);\n",
        "#define begin {\n#define end }\nint main(void) begin return 0; end\n",
        '#ifdef __cplusplus\nextern "C" {\n#endif\nint f(void);\n#ifdef __cplusplus\n}\n#endif\n',
    ],
)
@pytest.mark.parametrize("language", ["c", "cpp"])
def test_what_a_macro_may_explain_is_not_called_broken(text: str, language: str) -> None:
    trace = trace_of(words(text))
    found = validity(trace, language)
    assert not found.breaks
    assert 0 not in found.completable.tolist()
    assert standing(text.encode(), language) != "broken"


def test_what_no_macro_explains_is_broken_in_c_too() -> None:
    text = "#include <stdio.h>\nint main(void) {\n    char *p = NULL;\n    int x = = 1;\n}\n"
    assert validity(trace_of(words(text)), "c").breaks
    assert standing(text.encode(), "c") == "broken"
