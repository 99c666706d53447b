"""What tokens receive, and who attends to one, as bytes, to be kept."""

from __future__ import annotations

from typing import get_args

from tokenscope_core.attention.heads.sinks import Sinks
from tokenscope_core.attention.heads.statistics import Rows
from tokenscope_core.attention.tokens.attenders import Attenders
from tokenscope_core.attention.tokens.received import Received
from tokenscope_core.failures import MalformedError, quoted, reason_of
from tokenscope_core.record.array_records import Array, damaged, decode, encode, require_arrays

_RECEIVED, _ATTENDERS = "attention received", "attention to one token"
# Raise one when what its numbers mean changes.
_RECEIVED_VERSION = _ATTENDERS_VERSION = 1


def encode_received(found: Received) -> bytes:
    """Write what tokens receive.

    Raises:
        RecordError: it is too large to be read back.
    """
    arrays = {"mass": found.mass, "even": found.even, "rows_seeing": found.rows_seeing}
    sinks = found.sinks
    described = {
        "layers": found.layers,
        "sinks": [sinks.positions, sinks.share_of_heads, sinks.mass],
        "masked": found.masked,
        "rows": found.rows,
    }
    return encode(_RECEIVED, _RECEIVED_VERSION, arrays, described)


def decode_received(blob: bytes) -> Received:
    """Read `encode_received`'s output.

    Raises:
        RecordError: the bytes are damaged or of an unknown version.
    """
    arrays, described = decode(_RECEIVED, _RECEIVED_VERSION, blob)
    try:
        layers = _indices(described["layers"])
        _, heads, length = arrays["mass"].shape
        by_key = ("float64", (len(layers), length))
        expected = {
            "mass": ("float64", (len(layers), heads, length)),
            "even": by_key, "rows_seeing": by_key,
        }  # fmt: skip
        require_arrays(arrays, expected)
        if described["rows"] not in get_args(Rows):
            raise MalformedError(f"its rows are {quoted(described['rows'])}")
        positions, share, mass = described["sinks"]
        return Received(
            **arrays,
            layers=layers,
            sinks=Sinks(_indices(positions), tuple(map(float, share)), tuple(map(float, mass))),
            masked=_indices(described["masked"]),
            rows=described["rows"],
        )
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(_RECEIVED, reason_of(error)) from error


def encode_attenders(found: Attenders) -> bytes:
    """Write who attends to a token.

    Raises: as `encode_received`.
    """
    arrays: dict[str, Array] = {"weights": found.weights, "queries": found.queries}
    described = {"layers": found.layers, "key": found.key}
    return encode(_ATTENDERS, _ATTENDERS_VERSION, arrays, described)


def decode_attenders(blob: bytes) -> Attenders:
    """Read `encode_attenders`'s output.

    Raises: as `decode_received`.
    """
    arrays, described = decode(_ATTENDERS, _ATTENDERS_VERSION, blob)
    try:
        weights, queries = arrays["weights"], arrays["queries"]
        (key,), layers = _indices([described["key"]]), _indices(described["layers"])
        if (weights.dtype.name, queries.dtype.name) != ("float32", "int64"):
            raise MalformedError("its arrays have other types")
        if weights.shape != (len(layers), weights.shape[1], len(queries)):
            raise MalformedError(f"its weights are {weights.shape}")
        return Attenders(key, weights, queries, layers)
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(_ATTENDERS, reason_of(error)) from error


def _indices(values: object) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise MalformedError(f"{quoted(values)} are no indices")
    return tuple(values)
