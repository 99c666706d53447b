"""A trace as an Arrow IPC file: one record batch, what is not columnar in the schema metadata.

pandas (`read_feather`), R, DuckDB and Polars open it as it is. Reading treats the bytes as
untrusted: nothing is executed, and every inconsistency is a `RecordError`.
"""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np
import pyarrow as pa

from tokenscope_core.errors import RecordError, RequestError
from tokenscope_core.metric_registry import STORED
from tokenscope_core.request import Request
from tokenscope_core.steps import Floats, Ints, Vocabulary
from tokenscope_core.trace import FINISH_REASONS, ModelIdentity, Trace

FORMAT_VERSION = 1
_METADATA_KEY = b"tokenscope"
_SOURCES = ("prompt", "sampled", "forced")


def encode(trace: Trace) -> bytes:
    """Write a trace; log quantities as float32 nats, missing values as null."""
    length, width = trace.candidate_ids.shape
    table = trace.vocabulary.token_bytes
    columns: dict[str, pa.Array] = {
        "position": pa.array(np.arange(length, dtype=np.int32)),
        "token_id": pa.array(trace.token_ids.astype(np.int32)),
        "token_bytes": pa.array([table[i] for i in trace.token_ids.tolist()], pa.binary()),
        "byte_start": pa.array(trace.byte_start),
        "byte_end": pa.array(trace.byte_end),
        "source": pa.array(trace.source.tolist(), pa.string()),
        "special": pa.array(trace.special),
    }
    for name in STORED:
        values = trace.metrics[name].astype(np.float32)
        columns[name] = pa.array(values, from_pandas=True)
    ids = trace.candidate_ids.ravel()
    columns["candidate_ids"] = _fixed_lists(pa.array(ids.astype(np.int32), mask=ids < 0), width)
    logprobs = trace.candidate_logprobs.ravel().astype(np.float32)
    columns["candidate_logprobs"] = _fixed_lists(pa.array(logprobs, from_pandas=True), width)
    columns["candidate_bytes"] = _fixed_lists(
        pa.array([table.get(i) for i in ids.tolist()], pa.binary()), width
    )
    metadata = {
        "version": FORMAT_VERSION,
        "request": trace.request.to_json(),
        "model": {
            "name": trace.model.name,
            "fingerprint": trace.model.fingerprint,
            "vocabulary_size": trace.model.vocabulary_size,
        },
        "prompt_length": trace.prompt_length,
        "finish_reason": trace.finish_reason,
        "parent": list(trace.parent) if trace.parent else None,
        "special_ids": sorted(trace.vocabulary.special_ids),
    }
    batch = pa.record_batch(columns).replace_schema_metadata(
        {_METADATA_KEY: json.dumps(metadata).encode("utf-8")}
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return cast(bytes, sink.getvalue().to_pybytes())


def _fixed_lists(values: pa.Array, width: int) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(values, width)


def decode(blob: bytes) -> Trace:
    """Read `encode`'s output.

    Raises:
        RecordError: the bytes are damaged or of an unknown version.
    """
    batch, metadata = _open(blob)
    version = metadata.get("version")
    if version != FORMAT_VERSION:
        raise RecordError(
            asked="A saved trace was to be read.",
            found=f"It has format version {version}; this program reads {FORMAT_VERSION}.",
            action="Open it with the version that wrote it, or compute it again.",
        )
    try:
        return _trace_of(batch, metadata)
    except (KeyError, TypeError, ValueError, AttributeError, RequestError, pa.ArrowException) as e:
        raise _damaged(f"its columns do not fit together ({e})") from e


def _open(blob: bytes) -> tuple[pa.RecordBatch, dict[str, Any]]:
    try:
        with pa.ipc.open_file(pa.BufferReader(blob)) as reader:
            if reader.num_record_batches != 1:
                raise _damaged(f"it holds {reader.num_record_batches} record batches, not one")
            batch = reader.get_batch(0)
        batch.validate(full=True)
        metadata = json.loads((batch.schema.metadata or {})[_METADATA_KEY])
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise _damaged(f"it is not a complete Arrow file of this kind ({error})") from error
    if not isinstance(metadata, dict):
        raise _damaged("its description is not an object")
    return batch, metadata


def _damaged(what: str) -> RecordError:
    return RecordError(
        asked="A saved trace was to be read.",
        found=f"The record is damaged: {what}.",
        action="Compute it again, or take another copy of the file.",
    )


def _trace_of(batch: pa.RecordBatch, metadata: dict[str, Any]) -> Trace:
    special_ids = frozenset(int(i) for i in metadata["special_ids"])
    candidates = batch.column("candidate_ids")
    width = candidates.type.list_size
    candidate_ids = _ints(candidates.flatten().fill_null(-1))
    token_ids = _ints(batch.column("token_id"))
    all_ids = np.concatenate([token_ids, candidate_ids])
    all_bytes = [
        *batch.column("token_bytes").to_pylist(),
        *batch.column("candidate_bytes").flatten().to_pylist(),
    ]
    unique, first = np.unique(all_ids, return_index=True)
    token_bytes = {
        token_id: all_bytes[index]
        for token_id, index in zip(unique.tolist(), first.tolist(), strict=True)
        if token_id >= 0
    }
    if any(not isinstance(value, bytes) for value in token_bytes.values()):
        raise ValueError("a token has no bytes")
    parent = metadata["parent"]
    trace = Trace(
        request=Request.from_json(metadata["request"]),
        model=ModelIdentity(**metadata["model"]),
        vocabulary=Vocabulary(token_bytes, special_ids),
        prompt_length=int(metadata["prompt_length"]),
        finish_reason=metadata["finish_reason"],
        token_ids=token_ids,
        source=np.array(batch.column("source").to_pylist(), dtype=np.str_),
        metrics={name: _floats(batch.column(name)) for name in STORED},
        candidate_ids=candidate_ids.reshape(-1, width),
        candidate_logprobs=_floats(batch.column("candidate_logprobs").flatten()).reshape(-1, width),
        parent=(str(parent[0]), int(parent[1])) if parent else None,
    )
    _require_consistent(trace, _ints(batch.column("byte_end")))
    return trace


def _require_consistent(trace: Trace, byte_end: Ints) -> None:
    if not 0 <= trace.prompt_length <= len(trace):
        raise ValueError("the prompt is longer than the trace")
    if trace.finish_reason not in FINISH_REASONS:
        raise ValueError(f"unknown finish reason {trace.finish_reason!r}")
    if not np.isin(trace.source, _SOURCES).all():
        raise ValueError("unknown token source")
    if not np.array_equal(trace.byte_end, byte_end):
        raise ValueError("byte offsets do not match the tokens")


def _floats(column: pa.Array) -> Floats:
    return cast(Floats, column.to_numpy(zero_copy_only=False).astype(np.float64))


def _ints(column: pa.Array) -> Ints:
    if column.null_count:
        raise ValueError("a required number is missing")
    return cast(Ints, column.to_numpy(zero_copy_only=False).astype(np.int64))
