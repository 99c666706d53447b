"""Defaults of type parameters (PEP 696), which the grammar of Python does not know."""

from __future__ import annotations

import pytest
from syntax_traces import trace_of, words

from tokenscope_core.syntax.grammar.languages import grammar
from tokenscope_core.syntax.grammar.pieces import cut
from tokenscope_core.syntax.grammar.type_defaults import as_bounds
from tokenscope_core.syntax.judging.structure import name_marks
from tokenscope_core.syntax.judging.validity import standing, validity
from tokenscope_core.syntax.unfinished.prefixes import GrowingText

VALID = [
    "class A[T = int]: pass\n",
    "def f[T=int](x: T = 1) -> T: return x\n",
    "class A[T: int = bool, *Ts = *tuple[int, ...], **P = [int, str]](B[T]): pass\n",
    "type X[K, V = dict[K, int]] = dict[K, V]\n",
    "class A[T: (int, str) = int, U = '[' ]:  # ]\n    x = 1\n",
]


@pytest.mark.parametrize("text", VALID)
def test_every_prefix_of_a_default_can_be_completed(text: str) -> None:
    assert standing(text.encode(), "python") == "complete"
    growing = GrowingText(grammar("python"))
    assert all(growing.feed(bytes([byte])) for byte in text.encode())
    assert not cut(text.encode(), grammar("python")).levels["error"].any()


@pytest.mark.parametrize(
    "text",
    [
        "class A[T = ]: pass\n",
        "class A[T = = int]: pass\n",
        "class A[T == int]: pass\n",
        "class A[= int]: pass\n",
    ],
)
def test_a_default_that_is_none_is_broken(text: str) -> None:
    assert validity(trace_of(words(text)), "python").breaks


def test_the_sign_keeps_its_name_and_the_default_is_a_use() -> None:
    text = b"class A[T = Missing]: pass\n"
    pieces = cut(text, grammar("python"))
    row = [text[a:b] for a, b in zip(pieces.start, pieces.end, strict=True)].index(b"=")
    assert pieces.levels.loc[row, ["leaf", "category"]].tolist() == ["=", "delimiter"]
    assert [mark.name for mark in name_marks(text)] == ["Missing"]


@pytest.mark.parametrize(
    "text", ["x = 'class A[T'\ny = 1\n", "# class A[\nx = [y == 1]\n", "f(x=1)\n", "a[b] = c\n"]
)
def test_other_equals_signs_are_left_alone(text: str) -> None:
    assert as_bounds(text.encode()) == text.encode()
