"""How records are packed, and what would unpack to too much."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tiny_models
from trace_records import assert_equal, blob, example, signed

import tokenscope_core as ts
from tokenscope_core.record import arrow_files


def bomb(column: pa.Array) -> bytes:
    """A small file, rightly signed, one column of which unpacks to hundreds of megabytes."""
    with pa.ipc.open_file(blob()) as reader:
        batch = reader.get_batch(0)
    metadata = json.loads(batch.schema.metadata[b"tokenscope"])
    return signed(pa.record_batch({"token_id": column}), metadata)


@pytest.mark.parametrize("in_a_dictionary", [False, True])
def test_what_would_unpack_to_too_much_is_refused(in_a_dictionary: bool) -> None:
    zeros = pa.array(np.zeros(70_000_000, np.int32))
    packed = bomb(pa.DictionaryArray.from_arrays([0], zeros) if in_a_dictionary else zeros)
    assert len(packed) < 280_000_000 / 200
    with pytest.raises(ts.RecordError, match="would unpack to 280,0"):
        ts.Trace.from_bytes(packed)


@pytest.mark.parametrize("candidates", [4, 200])
def test_a_trace_opens_in_pandas_however_it_is_packed(candidates: int) -> None:
    request = ts.Request("def f(x):\n", max_new_tokens=30, candidates=candidates)
    trace = ts.generate(tiny_models.language_model(), request)
    assert_equal(ts.Trace.from_bytes(trace.to_bytes()), trace)
    frame = pd.read_feather(io.BytesIO(trace.to_bytes()))
    assert frame["token_id"].tolist() == trace.token_ids.tolist()


def test_numbers_without_a_pattern_are_packed_harder() -> None:
    """Where quick packing leaves most of the data."""
    draw = np.random.default_rng(0)
    noise, steps = draw.integers(0, 3000, 20_000).astype(np.int32), np.arange(20_000) // 50
    packed = [arrow_files.write(pa.record_batch({"x": pa.array(x)})) for x in (noise, steps)]
    assert len(packed[0]) < 0.6 * noise.nbytes
    for record, x in zip(packed, (noise, steps), strict=True):
        assert arrow_files.read_batch(record).column("x").to_numpy().tolist() == x.tolist()


def test_what_could_not_be_read_back_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_files, "MAX_UNPACKED_BYTES", 1_000)
    with pytest.raises(ts.RecordError, match="1,000 can be read"):
        example().to_bytes()


def test_the_declared_size_is_what_counts() -> None:
    """Nothing is unpacked of a buffer whose first eight bytes claim a terabyte."""
    packed = bytearray(arrow_files.write(pa.record_batch({"x": pa.array(range(100_000))})))
    declared = (800_000).to_bytes(8, "little")
    assert packed.count(declared) == 1
    place = packed.index(declared)
    packed[place : place + 8] = (2**40).to_bytes(8, "little")
    with pytest.raises(ValueError, match="would unpack to 1,099,511,627,776 bytes"):
        arrow_files.read_batch(bytes(packed))
    packed[place : place + 8] = (-(2**40)).to_bytes(8, "little", signed=True)
    with pytest.raises(ValueError, match="negative size"):
        arrow_files.read_batch(bytes(packed))
