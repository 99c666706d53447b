"""What was measured of all heads as bytes, to be kept."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from tokenscope_core.attention.flow.flow import LEVELS, Flow
from tokenscope_core.attention.heads.overview import THUMBNAIL_SIDE, HeadOverview
from tokenscope_core.attention.heads.sinks import Sinks
from tokenscope_core.attention.heads.statistics import BY_NAME, Rows
from tokenscope_core.failures import MalformedError, quoted, reason_of
from tokenscope_core.record.array_records import Array, damaged, decode, encode, require_arrays

_OVERVIEW, _FLOW = "head overview", "attention flow"
# Raise one when what its numbers mean changes.
_OVERVIEW_VERSION = _FLOW_VERSION = 3


def encode_overview(found: HeadOverview) -> bytes:
    """Write an overview."""
    arrays: dict[str, Array] = {
        "statistics": np.stack([found.statistics[name] for name in BY_NAME]),
        "uniform": np.stack([found.uniform[name] for name in BY_NAME]),
        "row_counts": np.stack([found.row_counts[name] for name in BY_NAME]),
        "thumbnails": found.thumbnails,
    }
    described = {
        "names": list(BY_NAME),
        "layers": found.layers,
        "tokens": found.tokens,
        "sinks": [found.sinks.positions, found.sinks.share_of_heads, found.sinks.mass],
        "masked": found.masked,
        "rows": found.rows,
        "language": found.language,
    }
    return encode(_OVERVIEW, _OVERVIEW_VERSION, arrays, described)


def decode_overview(blob: bytes) -> HeadOverview:
    """Read `encode_overview`'s output.

    Raises:
        RecordError: the bytes are damaged or of an unknown version.
    """
    arrays, described = decode(_OVERVIEW, _OVERVIEW_VERSION, blob)
    try:
        statistics, layers = arrays["statistics"], _indices(described["layers"])
        tokens, heads = described["tokens"], statistics.shape[-1]
        side = min(tokens, THUMBNAIL_SIDE)
        expected = {
            "statistics": ("float64", (len(BY_NAME), len(layers), heads)),
            "uniform": ("float64", (len(BY_NAME), len(layers))),
            "row_counts": ("int64", (len(BY_NAME), len(layers))),
            "thumbnails": ("float16", (len(layers), heads, side, side)),
        }
        require_arrays(arrays, expected)
        if described["names"] != list(BY_NAME):
            raise MalformedError(f"its statistics are {quoted(described['names'])}")
        positions, share, mass = described["sinks"]
        return HeadOverview(
            layers=layers,
            heads=heads,
            tokens=tokens,
            statistics=dict(zip(BY_NAME, statistics, strict=True)),
            uniform=dict(zip(BY_NAME, arrays["uniform"], strict=True)),
            row_counts=dict(zip(BY_NAME, arrays["row_counts"], strict=True)),
            thumbnails=arrays["thumbnails"],
            sinks=Sinks(_indices(positions), _numbers(share), _numbers(mass)),
            masked=_indices(described["masked"]),
            rows=_rows(described),
            language=_language(described),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(_OVERVIEW, reason_of(error)) from error


def encode_flow(found: Flow) -> bytes:
    """Write a flow.

    Raises:
        RecordError: it is too large to be read back.
    """
    arrays = {
        "mean": found.mean,
        "uniform": found.uniform,
        "query_tokens": found.query_tokens,
        "key_tokens": found.key_tokens,
    }
    described = {
        "by": found.by,
        "parts": found.parts,
        "layers": found.layers,
        "heads": found.heads,
        "masked": found.masked,
        "rows": found.rows,
        "language": found.language,
    }
    return encode(_FLOW, _FLOW_VERSION, arrays, described)


def decode_flow(blob: bytes) -> Flow:
    """Read `encode_flow`'s output.

    Raises: as `decode_overview`.
    """
    arrays, described = decode(_FLOW, _FLOW_VERSION, blob)
    try:
        parts = described["parts"]
        if not isinstance(parts, list) or not all(isinstance(name, str) for name in parts):
            raise MalformedError("its parts have no names")
        square, row = ("float64", (len(parts), len(parts))), ("float64", (len(parts),))
        expected = {"mean": square, "uniform": square, "query_tokens": row, "key_tokens": row}
        require_arrays(arrays, expected)
        if described["by"] not in LEVELS:
            raise MalformedError(f"its parts are {quoted(described['by'])}")
        return Flow(
            by=described["by"],
            parts=tuple(parts),
            **arrays,
            layers=_indices(described["layers"]),
            heads=_indices(described["heads"]),
            masked=_indices(described["masked"]),
            rows=_rows(described),
            language=_language(described),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(_FLOW, reason_of(error)) from error


def _indices(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise MalformedError(f"{quoted(values)} are no indices")
    return tuple(values)


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(map(float, values))


def _rows(described: dict[str, Any]) -> Rows:
    rows: Rows = described["rows"]
    if rows not in get_args(Rows):
        raise MalformedError(f"{quoted(rows)} are no rows")
    return rows


def _language(described: dict[str, Any]) -> str | None:
    language = described["language"]
    if not isinstance(language, str | None):
        raise MalformedError(f"{quoted(language)} is no language")
    return language
