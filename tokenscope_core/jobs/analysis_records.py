"""What was measured about branches, as bytes: without the traces, which the store has anyway."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from tokenscope_core.branches.hindsight import Hindsight
from tokenscope_core.branches.influence import Influence
from tokenscope_core.comparison.alignment import align
from tokenscope_core.comparison.comparison import Comparison, Measured, of_columns
from tokenscope_core.record.array_records import damaged, decode, encode
from tokenscope_core.record.trace import Trace

_VERSION = 1
_INFLUENCE, _COMPARISON, _HINDSIGHT = "influence", "comparison", "hindsight"
_HINDSIGHT_ARRAYS = {
    "position": "int64", "token_id": "int64", "alternative_id": "int64", "choice": "float64",
    "rest": "float64", "read": "int64", "at_most": "float64", "breaks": "int8", "asked": "int64",
}  # fmt: skip
_HINDSIGHT_SETTINGS = ("askable", "top", "horizon", "give_up")


def encode_influence(found: Influence) -> bytes:
    """Write an influence."""
    arrays = {"total": found.total, "mean": found.mean, "runner_up": found.runner_up}
    return encode(_INFLUENCE, _VERSION, arrays, {})


def decode_influence(blob: bytes, trace: Trace) -> Influence:
    """Read `encode_influence`'s output, of that trace.

    Raises:
        RecordError: the bytes are damaged, of an unknown version, or of another trace.
    """
    arrays, _ = decode(_INFLUENCE, _VERSION, blob)
    kinds = {name: (array.dtype.name, array.shape) for name, array in arrays.items()}
    length = (len(trace),)
    expected = {
        "total": ("float64", length),
        "mean": ("float64", length),
        "runner_up": ("int64", length),
    }
    if kinds != expected:
        raise damaged(_INFLUENCE, f"its columns are {kinds}")
    return Influence(**arrays)


def encode_hindsight(found: Hindsight) -> bytes:
    """Write what hindsight found."""
    arrays = {name: getattr(found, name) for name in _HINDSIGHT_ARRAYS}
    described = {name: getattr(found, name) for name in _HINDSIGHT_SETTINGS}
    return encode(_HINDSIGHT, _VERSION, arrays, described)


def decode_hindsight(blob: bytes, trace: Trace) -> Hindsight:
    """Read `encode_hindsight`'s output, of that trace.

    Raises:
        RecordError: the bytes are damaged, of an unknown version, or of another trace.
    """
    arrays, described = decode(_HINDSIGHT, _VERSION, blob)
    kinds = {name: array.dtype.name for name, array in arrays.items()}
    rows = {array.shape for name, array in arrays.items() if name != "asked"}
    position = arrays.get("position", np.empty(0))
    asked = arrays.get("asked", np.empty((0, 0)))
    if kinds != _HINDSIGHT_ARRAYS or len(rows) != 1 or position.ndim != 1 or asked.ndim != 1:
        raise damaged(_HINDSIGHT, f"its columns are {kinds}")
    for places in (position, asked):
        if len(places) and not 0 <= places.min() <= places.max() < len(trace):
            raise damaged(_HINDSIGHT, "it names positions that the trace does not have")
    settings = {name: described.get(name) for name in _HINDSIGHT_SETTINGS}
    if not all(
        isinstance(value, int | float) or (name == "give_up" and value is None)
        for name, value in settings.items()
    ):
        raise damaged(_HINDSIGHT, f"its settings are {settings}")
    values: dict[str, Any] = {**arrays, **settings}
    return Hindsight(**values)


def encode_comparison(found: Comparison) -> bytes:
    """Write what a comparison measured."""
    columns = np.stack((found.kl_ab, found.kl_ba, found.jsd), axis=1)
    return encode(_COMPARISON, _VERSION, {"columns": columns}, {"measured": found.measured})


def decode_comparison(blob: bytes, a: Trace, b: Trace, threshold: float) -> Comparison:
    """Read `encode_comparison`'s output, of those traces.

    Raises:
        RecordError: the bytes are damaged, of an unknown version, or of other traces.
    """
    arrays, described = decode(_COMPARISON, _VERSION, blob)
    alignment = align(a.token_ids.tolist(), b.token_ids.tolist())
    columns = arrays.get("columns")
    measured: Measured = described.get("measured", "")
    if columns is None or columns.shape != (len(alignment), 3) or columns.dtype != np.float64:
        raise damaged(_COMPARISON, "its rows are not those of the two traces")
    if measured not in get_args(Measured):
        raise damaged(_COMPARISON, f"it measured {measured!r}")
    return of_columns(a, b, alignment, columns, measured, threshold)
