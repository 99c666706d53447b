"""Captured attention as bytes, in half precision: a weight keeps three digits.

Weights are kept as multiples of 2^-15, so that the range of half precision is used, which goes to
65,504, and not only its lower half. Down to 1.9e-9 a weight keeps its digits, and what is less than
9e-13 becomes 0. Stored as they are, weights below 6e-5 would lose theirs, and of a row that is all
but wholly on its sink little would be left that is right, once the sink is masked.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from tokenscope_core.attention.capturing.maps import AttentionMap, Rollout, TopAttention
from tokenscope_core.attention.capturing.selection import Fold, Weighting
from tokenscope_core.failures import MalformedError, quoted, reason_of
from tokenscope_core.record.array_records import Array, damaged, decode, encode

_VERSION = 3
_UNIT = np.float32(2**15)
_MAP, _TOP, _ROLLOUT = "attention map", "largest attention weights", "attention rollout"


def encode_map(found: AttentionMap) -> bytes:
    """Write a map.

    Raises:
        RecordError: it is too large to be read back.
    """
    local = tuple(found.first_keys)
    first_keys = np.zeros((len(local), found.weights.shape[-1]), dtype=np.int64)
    for row, layer in enumerate(local):
        first_keys[row] = found.first_keys[layer]
    arrays = {
        "weights": _half(found.weights), "queries": found.queries, "first_keys": first_keys
    }  # fmt: skip
    described = _described(found) | {"masked": found.masked, "local": local}
    return encode(_MAP, _VERSION, arrays, described)


def decode_map(blob: bytes) -> AttentionMap:
    """Read `encode_map`'s output.

    Raises:
        RecordError: the bytes are damaged or of an unknown version.
    """
    arrays, described = decode(_MAP, _VERSION, blob)
    try:
        weights = _single(arrays["weights"], 4)
        known = _known(arrays, described, weights)
        masked, local = _indices(described["masked"]), _indices(described["local"])
        first_keys = arrays["first_keys"]
        if first_keys.dtype != np.int64 or first_keys.shape != (len(local), weights.shape[-1]):
            raise MalformedError("what its layers can see has another type or shape")
        return AttentionMap(
            weights, **known, masked=masked, first_keys=dict(zip(local, first_keys, strict=True))
        )
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(_MAP, reason_of(error)) from error


def encode_top(found: TopAttention) -> bytes:
    """Write the largest weights.

    Raises: as `encode_map`.
    """
    arrays = {"keys": found.keys, "weights": _half(found.weights), "queries": found.queries}
    return encode(_TOP, _VERSION, arrays, _described(found))


def decode_top(blob: bytes) -> TopAttention:
    """Read `encode_top`'s output.

    Raises: as `decode_map`.
    """
    arrays, described = decode(_TOP, _VERSION, blob)
    try:
        weights, keys = _single(arrays["weights"], 4), arrays["keys"]
        if keys.shape != weights.shape or keys.dtype != np.int32:
            raise MalformedError("keys and weights do not match")
        return TopAttention(keys, weights, **_known(arrays, described, weights))
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(_TOP, reason_of(error)) from error


def encode_rollout(found: Rollout) -> bytes:
    """Write a rollout.

    Raises: as `encode_map`.
    """
    arrays = {"weights": _half(found.weights)}
    return encode(_ROLLOUT, _VERSION, arrays, {"layers": found.layers})


def decode_rollout(blob: bytes) -> Rollout:
    """Read `encode_rollout`'s output.

    Raises: as `decode_map`.
    """
    arrays, described = decode(_ROLLOUT, _VERSION, blob)
    try:
        return Rollout(_single(arrays["weights"], 2), _indices(described["layers"]))
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(_ROLLOUT, reason_of(error)) from error


def _half(weights: Array) -> Array:
    return (weights * _UNIT).astype(np.float16)


def _single(weights: Array, dimensions: int) -> Array:
    if weights.dtype != np.float16 or weights.ndim != dimensions:
        raise MalformedError("the weights have another type or shape")
    single = weights.astype(np.float32)
    single /= _UNIT
    single.flags.writeable = False
    return single


def _described(found: AttentionMap | TopAttention) -> dict[str, Any]:
    return {
        "layers": found.layers,
        "heads": found.heads,
        "fold": found.fold,
        "weighting": found.weighting,
    }


def _known(arrays: dict[str, Array], described: dict[str, Any], weights: Array) -> dict[str, Any]:
    layers, heads = _indices(described["layers"]), _indices(described["heads"])
    queries, fold = arrays["queries"], described["fold"]
    expected = (len(layers), 1 if fold else len(heads), len(queries))
    if weights.shape[:3] != expected or queries.dtype != np.int64:
        raise MalformedError(f"weights of {weights.shape} are not those of {expected}")
    if fold not in (None, *get_args(Fold)) or described["weighting"] not in get_args(Weighting):
        raise MalformedError("an unknown fold or weighting")
    return {
        "layers": layers,
        "heads": heads,
        "queries": queries,
        "fold": fold,
        "weighting": described["weighting"],
    }


def _indices(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise MalformedError(f"{quoted(values)} are no indices")
    return tuple(values)
