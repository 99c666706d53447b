"""Traces that the first release wrote open still."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from trace_records import assert_equal, example

import tokenscope_core as ts


def written_by_version_1(trace: ts.Trace) -> bytes:
    """The trace as the first release wrote it."""
    length, width = trace.candidate_ids.shape
    ids, table = trace.candidate_ids.ravel(), trace.vocabulary.token_bytes
    token_bytes = [table[i] for i in trace.token_ids.tolist()]
    candidate_bytes = pa.array([table.get(i) for i in ids.tolist()], pa.binary())
    batch = pa.record_batch(
        {
            "position": pa.array(range(length), pa.int32()),
            "token_id": pa.array(trace.token_ids, pa.int32()),
            "token_bytes": pa.array(token_bytes, pa.binary()),
            "byte_start": pa.array(trace.byte_start),
            "byte_end": pa.array(trace.byte_end),
            "source": pa.array(trace.source.tolist()),
            "special": pa.array(trace.special),
            **{
                name: pa.array(column, pa.float32(), from_pandas=True)
                for name, column in trace.metrics.items()
            },
            "candidate_ids": pa.FixedSizeListArray.from_arrays(
                pa.array(ids.astype(np.int32), mask=ids < 0), width
            ),
            "candidate_logprobs": pa.FixedSizeListArray.from_arrays(
                pa.array(trace.candidate_logprobs.ravel(), pa.float32(), from_pandas=True), width
            ),
            "candidate_bytes": pa.FixedSizeListArray.from_arrays(candidate_bytes, width),
        }
    )
    request, sampling = trace.request, trace.request.sampling
    metadata = {
        "version": 1,
        "request": {
            "prompt": request.prompt,
            "max_new_tokens": request.max_new_tokens,
            "sampling": {
                "temperature": sampling.temperature,
                "top_k": sampling.top_k,
                "top_p": sampling.top_p,
                "min_p": sampling.min_p,
                "repetition_penalty": sampling.repetition_penalty,
                "seed": sampling.seed,
            },
            "candidates": request.candidates,
            "stop": list(request.stop),
            "suffix": request.suffix,
        },
        "model": {
            "name": trace.model.name,
            "fingerprint": trace.model.fingerprint,
            "vocabulary_size": trace.model.vocabulary_size,
        },
        "prompt_length": trace.prompt_length,
        "finish_reason": trace.finish_reason,
        "parent": None,
        "special_ids": sorted(trace.vocabulary.special_ids),
        "dummy_prefix": trace.vocabulary.dummy_prefix,
    }
    described = json.dumps(metadata).encode()
    checksum = hashlib.sha256(batch.serialize().to_pybytes() + described).hexdigest()
    batch = batch.replace_schema_metadata({"tokenscope": described, "tokenscope.sha256": checksum})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def test_a_file_of_the_first_release_opens() -> None:
    unknown = np.full_like(example().candidate_kept, -1)
    expected = dataclasses.replace(example(), candidate_kept=unknown)
    assert_equal(ts.Trace.from_bytes(written_by_version_1(example())), expected)


@given(data=st.data())
def test_damage_to_a_file_of_the_first_release_is_noticed(data: st.DataObject) -> None:
    old = bytearray(written_by_version_1(example()))
    old[data.draw(st.integers(0, len(old) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        trace = ts.Trace.from_bytes(bytes(old))
    except ts.RecordError:
        return
    assert trace.token_ids.tolist() == example().token_ids.tolist()
    assert trace.request == example().request
