"""A generated trace, its record, and records that were tampered with."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import tiny_models

import tokenscope_core as ts
from tokenscope_core.record import arrow_files

ATTRIBUTES = ("token_ids", "source", "special", "byte_start", "byte_end", "candidate_ids",
              "candidate_logprobs", "candidate_kept")  # fmt: skip


def assert_equal(a: ts.Trace, b: ts.Trace) -> None:
    assert a.key == b.key
    assert a.request == b.request
    assert a.model == b.model
    assert a.vocabulary == b.vocabulary
    assert (a.prompt_length, a.finish_reason, a.branch) == (
        b.prompt_length, b.finish_reason, b.branch
    )  # fmt: skip
    assert a.text_bytes == b.text_bytes
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    for metric in ts.METRICS:
        np.testing.assert_array_equal(a.column(metric.name), b.column(metric.name), metric.name)


@cache
def example() -> ts.Trace:
    sampling = ts.Sampling(temperature=1.0, top_p=0.9, top_k=3, seed=2)
    request = ts.Request("def f(é):\n", max_new_tokens=6, sampling=sampling, candidates=4)
    return ts.generate(tiny_models.language_model(), request)


@cache
def blob() -> bytes:
    return example().to_bytes()


def rewritten(
    change: Callable[[dict[str, Any]], Any] = lambda metadata: None,
    columns: Callable[[pa.RecordBatch], pa.RecordBatch] = lambda batch: batch,
) -> bytes:
    """The example, altered by someone who knows the format: its checksum is right."""
    with pa.ipc.open_file(blob()) as reader:
        batch = reader.get_batch(0)
    metadata = json.loads(batch.schema.metadata[b"tokenscope"])
    return signed(columns(batch), change(metadata) or metadata)


def signed(batch: pa.RecordBatch, metadata: Any) -> bytes:
    """A file of these columns and this description, with the checksum that belongs to them."""
    described = json.dumps(metadata).encode()
    checksum = arrow_files.checksum(arrow_files.write(batch), described)
    return arrow_files.write(
        batch.replace_schema_metadata({"tokenscope": described, "tokenscope.sha256": checksum})
    )
