"""Whoever calls a function that takes or gives arrays reads in its docstring what they hold."""

from __future__ import annotations

from architecture.docstrings import DTYPE, OPEN, SHAPE, UNIT, arrays, of_arrays, says_too_little


def test_docstrings_of_public_functions_and_records_name_shape_dtype_and_unit_of_arrays() -> None:
    assert len(list(of_arrays())) > 150
    assert says_too_little() == {}


def test_a_docstring_without_shape_dtype_or_unit_is_noticed() -> None:
    assert SHAPE.search("logits [n, V]")
    assert not SHAPE.search("a list of what there is")
    assert UNIT.search("in nats")
    assert not UNIT.search("how sure it was, in rows of numbers")
    assert DTYPE.search("in the model's dtype")
    assert not DTYPE.search("a float")


def test_types_that_leave_the_dtype_open_are_told_from_those_that_say_it() -> None:
    assert OPEN.search("torch.Tensor | None")
    assert OPEN.search("NDArray[np.floating]")
    assert not OPEN.search("NDArray[np.bool_]")
    assert not OPEN.search("Floats")


def test_names_of_types_are_arrays_where_a_module_has_them_and_not_where_they_mean_another() -> (
    None
):
    assert arrays("tokenscope_core.record.steps").search("KeptFlags")
    assert arrays("tokenscope_core.attention.capturing.maps").search("Weights")
    assert not arrays("tokenscope_core.models.files.promised_size").search("Weights")
