"""Format version 1, read only: it had no branches and did not record which candidates were kept."""

from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa

from tokenscope_core.failures import MalformedError

FORMAT_VERSION = 1
# All that it had, in its order. Every float is float32.
_COLUMNS = (
    "position", "token_id", "token_bytes", "byte_start", "byte_end", "source", "special",
    "logprob", "entropy", "varentropy", "margin", "rank", "sampled_logprob", "elapsed_ms",
    "candidate_ids", "candidate_logprobs", "candidate_bytes",
)  # fmt: skip
# They follow from the others.
_DERIVED = ("position", "byte_start")


def checksum(batch: pa.RecordBatch, description: bytes) -> bytes:
    """SHA-256 of the columns as Arrow lays them out and of the description, in hexadecimal."""
    digest = hashlib.sha256(memoryview(batch.serialize()))
    digest.update(description)
    return digest.hexdigest().encode("ascii")


def upgraded(
    batch: pa.RecordBatch, metadata: dict[str, Any]
) -> tuple[pa.RecordBatch, dict[str, Any]]:
    """The columns and the description as version 2 has them.

    Raises:
        KeyError: a field is missing.
        ValueError: its columns are others, or it says that it is a branch, which no file of this
            version was.
    """
    described = dict(metadata)
    if described.pop("parent") is not None:
        raise MalformedError("no trace of version 1 has a parent")
    if tuple(batch.schema.names) != _COLUMNS:
        raise MalformedError("its columns are not those of version 1")
    candidates = batch.column("candidate_ids")
    unknown = pa.nulls(len(candidates) * candidates.type.list_size, pa.bool_())
    columns = {name: batch.column(name) for name in _COLUMNS if name not in _DERIVED}
    columns["source"] = (
        columns["source"].dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string()))
    )
    columns["candidate_kept"] = pa.FixedSizeListArray.from_arrays(
        unknown, candidates.type.list_size
    )
    return pa.record_batch(columns), {**described, "branch": None}
