"""Names without a visible definition are marked, with how sure the mark is."""

from __future__ import annotations

from pathlib import Path

import pytest
from syntax_traces import trace_of, words

from tokenscope_core.syntax.judging.structure import mark_frame, name_marks

ROOT = Path(__file__).resolve().parents[2]


def found(text: str) -> list[tuple[str, str, str]]:
    return [(mark.name, mark.finding, mark.certainty) for mark in name_marks(text.encode())]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("frobnicate(1)\n", ("frobnicate", "call of an unknown name", "likely")),
        ("x = nothing + 1\n", ("nothing", "unknown name", "likely")),
        ("def f():\n    return helper(1)\n", ("helper", "call of an unknown name", "possible")),
        ("from a import *\nhelper(1)\n", ("helper", "call of an unknown name", "weak")),
        ("exec(open('a'))\nhelper(1)\n", ("helper", "call of an unknown name", "weak")),
        ("print(x)\nx = 1\n", ("x", "used before it is defined", "likely")),
        ("def f():\n    print(x)\n    x = 1\n", ("x", "used before it is defined", "likely")),
        ("for i in []:\n    print(x)\n    x = i\n", ("x", "used before it is defined", "possible")),
        ("class A:\n    n = 1\n    def f(self):\n        return n\n",
         ("n", "unknown name", "possible")),
        ("try:\n    f(1)\nexcept Exception:\n    pass\n",
         ("f", "call of an unknown name", "likely")),
        ("try:\n    def g():\n        return f(1)\nexcept NameError:\n    pass\n",
         ("f", "call of an unknown name", "possible")),
        ("class A:\n    n = 1\n    m = [n for i in []]\n", ("n", "unknown name", "likely")),
        ("class P: pass\nmatch 1:\n    case P.a(k=b.c):\n        pass\n",
         ("b", "unknown name", "likely")),
        ("def f[T](x: T) -> T:\n    return x\nprint(T)\n", ("T", "unknown name", "likely")),
        ("total += 1\n", ("total", "used before it is defined", "likely")),
    ],
)  # fmt: skip
def test_what_nothing_defines_is_marked(text: str, mark: tuple[str, str, str]) -> None:
    expected = [mark] if mark[0] != "total" else []
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "import os.path as p, sys\nfrom a.b import c as d, e\np, sys, d(), e\n",
        "def f(a, *b, c=1, d: int = 2, **e):\n    return a, b, c, d, e\n",
        "def f():\n    return g()\n\ndef g():\n    return 1\n",
        "x = [i * j for i in range(3) for j in range(i)]\n",
        "with open('a') as f, open('b') as (g, h):\n    f, g, h\n",
        "try:\n    pass\nexcept ValueError as error:\n    print(error)\n",
        "for a, (b, *c) in []:\n    a, b, c\n",
        "match [1]:\n    case [first, *rest] if first:\n        first, rest\n",
        "if (n := len('a')) > 1:\n    print(n)\n",
        "def f():\n    global g\n    g = 1\n\nprint(g)\n",
        "class A(Exception):\n    x = 1\n    y = x\n    def select(self):\n        return self.x\n",
        "import select\nclass A:\n    y = select.poll\n    def select(self):\n        pass\n",
        "f = lambda x, *y: (x, y)\n",
        "obj = object()\nobj.anything(key=1).more\n",
        "__name__\n_ = 1\n",
        "class P:\n    pass\nmatch 1:\n    case P(x=y):\n        y\n",
        "match {}:\n    case {'a': v, **rest}:\n        v, rest\n",
        "match 1:\n    case str(s) as whole if s:\n        s, whole\n",
        "def f[T: int, *Ts, **P](x: T, y: Ts) -> T:\n    return P\n",
        "class A[K]:\n    def f(self, k: K) -> K:\n        x: K = k\n        return x\n",
        "type Y = int\ntype X[T] = list[T]\nX, Y\n",
        "with open('a') as (b, *c):\n    b, c\n",
        "class A:\n    n = 1\n    m = [i for i in range(n)]\n",
        "class A:\n    Kind = int\n    def f(self, k: Kind) -> Kind:\n        return k\n",
        "try:\n    unicode\nexcept NameError:\n    unicode = str\n",
        "try:\n    f = raw_input\nexcept (AttributeError, NameError) as e:\n    f = input\n",
        "WindowsError\n",
        "def f(x):\n    return [y for y in x if y]\n",
        "import functools\n@functools.cache\ndef f(self):\n    def g(me=self):\n        self = 1\n",
    ],
)
def test_what_the_text_defines_is_not(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "name",
    ["decoding/sampling.py", "record/request.py", "record/trace.py", "jobs/service.py"],
)
def test_working_programs_have_no_likely_marks(name: str) -> None:
    marks = name_marks((ROOT / "tokenscope_core" / name).read_bytes())
    assert [mark for mark in marks if mark.certainty == "likely"] == []


def test_marks_stand_at_their_tokens_and_the_prompt_defines() -> None:
    trace = trace_of(words("é = 1\nbad(é)\nprint(é + helper(é))\n"), prompt=9)
    frame = mark_frame(trace)
    assert frame["name"].tolist() == ["helper"]
    position = int(frame["position"].iloc[0])
    assert trace.vocabulary.label(int(trace.token_ids[position])) == " helper"
    start, end = frame[["byte_start", "byte_end"]].iloc[0]
    assert trace.text_bytes[start:end] == b"helper"
    assert mark_frame(trace, generated_only=False)["name"].tolist() == ["bad", "helper"]
    assert mark_frame(trace_of([])).empty


SOLUTION = '''from typing import List


def closest(numbers: List[float], threshold: float) -> bool:
    """ Check if in given list of numbers, are any two numbers closer to each other than
    given threshold. It doesn't matter which.
    >>> closest([1.0, 2.0], 0.5)
    """
    pairs = [(a, b) for i, a in enumerate(numbers) for b in numbers[i + 1 :]]
    message = f"of {len(pairs)} pairs, {threshold!r}" + 'it\\'s one'
    for first, second in sorted(pairs, key=lambda pair: pair[0]):
        try:
            if abs(first - second) < threshold:
                return True
        except (TypeError, ValueError) as error:
            raise RuntimeError(message) from error
    with open("log") as log:
        print(*(n for n in numbers if n), {k: v for k, v in pairs}, file=log)
    return False


class Counter:
    total, *rest = 0, 1

    def step(self, by=1):
        self.total += by
        assert (n := self.total) > 0, n
        return [x for x in range(n)]
'''


def test_correct_code_cut_anywhere_has_no_marks() -> None:
    # No word of an open string is a name, and no name is judged that a later word may bind.
    text = SOLUTION.encode()
    compile(text, "solution", "exec")
    marked = {length: name_marks(text[:length]) for length in range(0, len(text) + 1, 3)}
    assert {length: marks for length, marks in marked.items() if marks} == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def f(a):\n    x = helper(a)\n    y = '''and so on", ["helper"]),
        ("def f(a):\n    x = helper(a)\n    return [b", ["helper"]),
        ("def f(a):\n    return helper(a) + 1", ["helper"]),
        ("def f(a):\n    return helper", []),  # it may go on
        ("def f(a):\n    b, c", []),  # a target, perhaps
        ("print([b", []),  # "for b in" may follow
    ],
)
def test_unfinished_code_is_judged_as_far_as_it_is_settled(text: str, names: list[str]) -> None:
    assert [name for name, *_ in found(text)] == names


def test_a_long_expression_is_judged() -> None:
    text = b"a = 1\nx = " + b"a + " * 5_000 + b"helper(a) + 1"
    assert [mark.name for mark in name_marks(text)] == ["helper"]


def test_line_ends_tabs_and_halves_of_characters_are_no_matter() -> None:
    text = "é = 1\r\ndef f(a):\r\n\tb = '👋' + helper(a)\r\n\treturn é\r\n".encode()
    (mark,) = name_marks(text)
    assert text[mark.start : mark.end] == b"helper"
    assert name_marks(b"x = '\xf0\x9f") == ()


def test_broken_code_makes_marks_weak() -> None:
    marks = found("x = = nothing(\n")
    assert "nothing" in [name for name, *_ in marks]
    assert {certainty for *_, certainty in marks} == {"weak"}
