"""A head overview as an Arrow IPC file: a row a head, the rest in the schema metadata.

Reading treats the bytes as untrusted: nothing is executed, memory is bounded, and every
inconsistency is a `RecordError`.
"""

from __future__ import annotations

import json
from typing import Any, cast, get_args

import numpy as np
import pyarrow as pa

from tokenscope_core import arrow_files
from tokenscope_core.attention.head_statistics import BY_NAME, Rows
from tokenscope_core.attention.overview import THUMBNAIL_SIDE, HeadOverview
from tokenscope_core.attention.sinks import Sinks
from tokenscope_core.errors import RecordError

FORMAT_VERSION = 1
_METADATA_KEY = b"tokenscope.head_overview"
_CHECKSUM_KEY = b"tokenscope.sha256"


def _schema(pixels: int) -> pa.Schema:
    return pa.schema(
        [
            ("layer", pa.int32()),
            ("head", pa.int32()),
            *((name, pa.float64()) for name in BY_NAME),
            ("thumbnail", pa.list_(pa.float16(), pixels)),
        ]
    )


def encode(overview: HeadOverview) -> bytes:
    """Write an overview."""
    side = overview.thumbnails.shape[-1]
    layer = np.repeat(np.array(overview.layers, dtype=np.int32), overview.heads)
    head = np.tile(np.arange(overview.heads, dtype=np.int32), len(overview.layers))
    columns = [
        pa.array(layer),
        pa.array(head),
        *(pa.array(overview.statistics[name].ravel(), from_pandas=True) for name in BY_NAME),
        pa.FixedSizeListArray.from_arrays(pa.array(overview.thumbnails.ravel()), side**2),
    ]
    batch = pa.record_batch(columns, schema=_schema(side**2))
    description = json.dumps(_metadata(overview), separators=(",", ":")).encode("utf-8")
    checksum = arrow_files.checksum(arrow_files.write(batch), description)
    return arrow_files.write(
        batch.replace_schema_metadata({_METADATA_KEY: description, _CHECKSUM_KEY: checksum})
    )


def _metadata(overview: HeadOverview) -> dict[str, Any]:
    sinks = overview.sinks
    return {
        "version": FORMAT_VERSION,
        "layers": overview.layers,
        "heads": overview.heads,
        "tokens": overview.tokens,
        "uniform": {
            name: None if np.isnan(value) else value for name, value in overview.uniform.items()
        },
        "row_counts": dict(overview.row_counts),
        "sinks": [sinks.positions, sinks.share_of_heads, sinks.mass],
        "masked": overview.masked,
        "rows": overview.rows,
        "language": overview.language,
    }


def decode(blob: bytes) -> HeadOverview:
    """Read `encode`'s output.

    Raises:
        RecordError: the bytes are damaged or of an unknown version.
    """
    try:
        described = arrow_files.read_schema(blob).metadata or {}
        metadata = json.loads(described[_METADATA_KEY])
        version = metadata["version"]
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _damaged(f"it is not a complete Arrow file of this kind ({error})") from error
    if version != FORMAT_VERSION:
        raise _damaged(f"its format version is {version!r}, this program reads {FORMAT_VERSION}")
    try:
        if arrow_files.checksum(blob, described[_METADATA_KEY]) != described[_CHECKSUM_KEY]:
            raise ValueError("its contents do not match its checksum")
        return _overview(arrow_files.read_batch(blob), metadata)
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError) as error:
        raise _damaged(f"its contents are inconsistent ({error})") from error


def _overview(batch: pa.RecordBatch, metadata: dict[str, Any]) -> HeadOverview:
    layers, heads = tuple(map(_whole, metadata["layers"])), _whole(metadata["heads"])
    tokens = _whole(metadata["tokens"])
    side = min(tokens, THUMBNAIL_SIDE)
    if batch.schema.remove_metadata() != _schema(side**2):
        raise ValueError("its columns are others than these")
    if metadata["rows"] not in get_args(Rows) or batch.num_rows != len(layers) * heads:
        raise ValueError("its rows are not those of its heads")
    shape = len(layers), heads
    positions, share, mass = metadata["sinks"]
    statistics = {
        name: cast(
            "np.ndarray[Any, np.dtype[np.float64]]",
            batch.column(name).to_numpy(zero_copy_only=False).reshape(shape),
        )
        for name in BY_NAME
    }
    pixels = batch.column("thumbnail")
    if pixels.null_count or pixels.values.null_count:
        raise ValueError("a thumbnail is missing")
    uniform = metadata["uniform"]
    return HeadOverview(
        layers=layers,
        heads=heads,
        tokens=tokens,
        statistics=statistics,
        uniform={n: np.nan if uniform[n] is None else float(uniform[n]) for n in BY_NAME},
        row_counts={name: _whole(metadata["row_counts"][name]) for name in BY_NAME},
        thumbnails=pixels.flatten().to_numpy(zero_copy_only=False).reshape(*shape, side, side),
        sinks=Sinks(
            tuple(map(_whole, positions)), tuple(map(float, share)), tuple(map(float, mass))
        ),
        masked=tuple(map(_whole, metadata["masked"])),
        rows=metadata["rows"],
        language=None if metadata["language"] is None else str(metadata["language"]),
    )


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value


def _damaged(found: str) -> RecordError:
    return RecordError(
        asked="A head overview was to be read from bytes.",
        found=f"They cannot be: {found}.",
        action="Compute it again from its trace.",
    )
