"""A trace read as a program: one value that reads each thing once, from whichever thread."""

from __future__ import annotations

import threading

import pytest
from syntax_traces import trace_of, words

from tokenscope_core.syntax import program as programs
from tokenscope_core.syntax.folding.frames import analyse
from tokenscope_core.syntax.grammar.languages import grammar
from tokenscope_core.syntax.judging.scopes import open_at_end, scopes_of
from tokenscope_core.syntax.judging.validity import (
    breaking_pieces,
    standing,
    standing_at,
    standings,
    validity,
)
from tokenscope_core.syntax.program import Program
from tokenscope_core.syntax.time_budget import Budget
from tokenscope_core.syntax.unfinished.prefixes import GrowingText, Prefixes

CODE = "def f(a):\n    if a:\n        return [a, (1, 2)]\n" * 40
BROKEN = CODE + "x = (1]\n" + CODE
ANSWER = f"Look:\n```python\n{BROKEN}```\nand\n```cpp\nint f() {{ return 1;\n"


def test_its_language_and_its_stretches_of_code_are_found_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    detect = programs.language_of
    monkeypatch.setattr(programs, "language_of", lambda t: asked.append(t) or detect(t))
    program = Program(trace_of(words(CODE)))
    assert asked == []
    assert (program.language, program.detected.language) == ("python", "python")
    assert program.parts is program.parts
    assert validity(program) is validity(program)
    assert analyse(program) is analyse(program)
    assert scopes_of(program, 9) is scopes_of(program, 9)
    assert len(asked) == 1


def test_another_language_is_another_program() -> None:
    program = Program(trace_of(words(CODE)), "python")
    assert Program.of(program) is program
    assert Program.of(program, "python") is program
    assert Program.of(program, "text").parts == ()
    assert set(validity(program, "text").completable.tolist()) == {-1}


@pytest.mark.parametrize("text", [CODE, BROKEN, ANSWER])
def test_what_was_read_before_changes_no_answer(text: str) -> None:
    trace = trace_of(words(text))
    program = Program(trace)
    order = [len(trace) - 1, 30, 31, 5, len(trace) // 2, 200]
    read = [standing_at(program, p) for p in order]
    read_after = [standing_at(program, p) for p in reversed(order)]
    assert read == read_after[::-1] == [standing_at(trace, p) for p in order]
    pieces = [b" )", b" x", None, b"\n"]
    for position in order:
        found = breaking_pieces(program, position, pieces)
        assert found == breaking_pieces(trace, position, pieces)
    assert validity(program).completable.tolist() == validity(trace).completable.tolist()
    assert open_at_end(program) == open_at_end(trace)
    expected = [standing(part.code, part.language) for part in program.parts]
    assert list(standings(program)) == expected


def test_a_place_is_read_from_what_was_read_last_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trace = trace_of(words(CODE))
    program = Program(trace, "python")
    validity(program)
    fed = []
    feed = GrowingText.feed
    monkeypatch.setattr(
        GrowingText, "feed", lambda text, piece: fed.append(len(piece)) or feed(text, piece)
    )
    breaking_pieces(program, len(trace) - 5, [b" )"])
    assert sum(fed) < len(CODE) / 5


def test_texts_that_were_read_are_kept_within_a_number() -> None:
    code = b"x = 1\n" * 500
    program = Program(trace_of(words(code)), "python")
    (part,) = program.parts
    for end in range(1, len(code), 7):
        assert part.prefixes.read(end, Budget(10.0)).viable
    assert len(part.prefixes._ends) <= 65
    fresh = Prefixes(code, grammar("python"))
    assert fresh.read(len(code), Budget(10.0)).ending() == b""


def test_one_long_literal_is_not_kept_as_often_as_it_is_asked_about() -> None:
    code = b"d = {\n" + b"    'key': [1, 2, 3],\n" * 1_500
    prefixes = Prefixes(code, grammar("python"))
    for end in range(1_000, len(code), 1_000):
        assert prefixes.read(end, Budget(10.0)).viable
    assert prefixes.remembered_bytes <= 4 * len(code)
    assert prefixes._ends[0] == 0


def test_several_threads_make_a_value_once() -> None:
    program, made, together = Program(trace_of(words(CODE))), [], threading.Barrier(4)

    def ask() -> None:
        together.wait()
        program.once("value", lambda: made.append(1) or validity(program))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_answers_about_places_are_forgotten_and_those_about_the_whole_used_lately_are_not() -> None:
    program = Program(trace_of(words(CODE)))
    whole = validity(program)
    for position in range(300):
        standing_at(program, position)
        assert validity(program) is whole
    assert len(program._answers) <= 128


def test_the_end_of_a_text_is_told_from_its_last_token() -> None:
    trace = trace_of([*words("f(a"), b""], special=frozenset([3]))
    program = Program(trace, "python")
    scopes_of(program, 3)
    assert [scope.name for scope in open_at_end(program)] == ["("]
