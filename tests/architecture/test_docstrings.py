"""Whoever calls a function that takes or gives arrays reads in its docstring what they hold."""

from __future__ import annotations

from architecture.docstrings import SHAPE, UNIT, of_arrays, says_too_little


def test_docstrings_of_public_functions_name_the_shape_and_unit_of_arrays() -> None:
    assert len(list(of_arrays())) > 100
    assert says_too_little() == {}


def test_a_docstring_without_shape_or_unit_is_noticed() -> None:
    assert SHAPE.search("logits [n, V]")
    assert not SHAPE.search("a list of what there is")
    assert UNIT.search("in nats")
    assert not UNIT.search("how sure it was")
