"""What was measured about branches, as bytes: without the traces, which the store has anyway."""

from __future__ import annotations

from typing import get_args

import numpy as np

from tokenscope_core.branches.influence import Influence
from tokenscope_core.comparison.alignment import align
from tokenscope_core.comparison.comparison import Comparison, Measured, of_columns
from tokenscope_core.record.array_records import damaged, decode, encode
from tokenscope_core.record.trace import Trace

_VERSION = 1
_INFLUENCE, _COMPARISON = "influence", "comparison"


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
