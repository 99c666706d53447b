"""Format version 1, read only: it had no branches and did not record which candidates were kept."""

from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa

from tokenscope_core.failures import MalformedError

FORMAT_VERSION = 1


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
        KeyError: a column or field is missing.
        ValueError: it says that it is a branch, which no file of this version was.
    """
    described = dict(metadata)
    if described.pop("parent") is not None:
        raise MalformedError("no trace of version 1 has a parent")
    candidates = batch.column("candidate_ids")
    unknown = pa.nulls(len(candidates) * candidates.type.list_size, pa.bool_())
    columns = {name: batch.column(name) for name in batch.schema.names}
    for name in ("position", "byte_start"):  # they follow from the others
        del columns[name]
    columns["source"] = (
        columns["source"].dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string()))
    )
    bytes_of_candidates = columns.pop("candidate_bytes")
    columns["candidate_kept"] = pa.FixedSizeListArray.from_arrays(
        unknown, candidates.type.list_size
    )
    columns["candidate_bytes"] = bytes_of_candidates
    return pa.record_batch(columns), {**described, "branch": None}
