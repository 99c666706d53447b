"""Where a place in a program stands, and where what is around it ends."""

from __future__ import annotations

import pytest
from syntax_traces import trace_of, words

from tokenscope_core.errors import RequestError
from tokenscope_core.syntax.judging.scopes import open_at_end, scopes_at, scopes_of

CODE = (
    "def fib(n):\n    '''Doc'''\n    if n > (1 + 2):\n        return [n]\n    return 0\n\nx = 1\n"
)


def open_in(text: str, language: str = "python") -> list[tuple[str, str]]:
    """What the end of a text leaves open, and what is needed to end it."""
    found = scopes_at(text.encode(), len(text.encode()), language)
    assert all(scope.end is None for scope in found)
    return [(scope.name, scope.needs) for scope in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(a):\n    '''Doc", [("function f", ""), ("docstring", "'''")]),
        (
            "class A:\n    def g(self):\n        x = foo(1, [2, {3: 'b",
            [("class A", ""), ("function g", ""), ("(", ")"), ("[", "]"), ("{", "}"),
             ("string", "'")],
        ),
        ("def f(a):\n    return 1\n", [("function f", "")]),
        ("def f(a):\n    return 1\nx = (2)\n", []),
        ("if a:\n    b()\nelse:\n    c(", [("if", ""), ("(", ")")]),
        ("x = f'{a", [("string", "'"), ("{", "}")]),
        ("é = (1, '👋", [("(", ")"), ("string", "'")]),
        ("", []),
        ("\n\n", []),
    ],
)  # fmt: skip
def test_what_the_end_leaves_open_is_named_with_what_it_needs(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert open_in(text) == expected
    assert {scope.certainty for scope in scopes_at(text.encode(), 999, "python")} <= {"certain"}


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("go", "func f(a int) int {\n\tif a > 1 {\n\t\treturn g(a",
         [("function f", "}"), ("if", "}"), ("(", ")")]),
        ("c", "int f() {\n /* abc", [("function f", "}"), ("comment", "*/")]),
        ("rust", 'fn f() { let x = "ab', [("function f", "}"), ("string", '"')]),
        ("bash", 'if [ a ]; then\n echo "x', [("if", ""), ("string", '"')]),
    ],
)  # fmt: skip
def test_so_it_is_in_other_languages(
    language: str, text: str, expected: list[tuple[str, str]]
) -> None:
    assert open_in(text, language) == expected


def test_the_written_end_of_all_that_holds_a_place_is_known() -> None:
    at = CODE.index("1 + 2")
    found = scopes_at(CODE.encode(), at, "python")
    assert [(scope.name, CODE[scope.start : scope.end]) for scope in found] == [
        ("function fib", CODE[: CODE.index("\n\nx")]),
        ("if", CODE[CODE.index("if n") : CODE.index("\n    return 0")]),
        ("(", "(1 + 2)"),
    ]
    assert {(scope.certainty, scope.needs) for scope in found} == {("certain", "")}
    assert scopes_at(CODE.encode(), CODE.index("x = 1"), "python") == ()


def test_broken_code_makes_the_expectation_weak() -> None:
    found = scopes_at(b"x = )\ny = (1, ", 99, "python")
    assert [(scope.name, scope.certainty) for scope in found] == [("(", "weak")]


def test_scopes_of_a_token_are_in_bytes_of_the_whole_text() -> None:
    answer = "Here:\n\n```python\ndef f():\n    return (1\n```\n\nSo it is.\n"
    trace = trace_of(words(answer))
    position = words(answer).index(b" f")
    (scope,) = scopes_of(trace, position, "markdown")
    assert trace.text_bytes[scope.start :].startswith(b"def f")
    assert scope.end is None  # the fence ends before it
    assert scopes_of(trace, 0, "markdown") == ()
    assert open_at_end(trace, "markdown") == ()
    cut = trace_of(words(answer[: answer.index("\n```\n")]))
    assert [scope.name for scope in open_at_end(cut, "markdown")] == ["function f", "("]


def test_deep_nesting_is_survived() -> None:
    found = scopes_at(b"(" * 3_000, 3_000, "python")
    assert len(found) == 3_000


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(RequestError, match="klingon"):
        scopes_at(b"x", 0, "klingon")
