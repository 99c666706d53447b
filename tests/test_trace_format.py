"""A saved trace comes back bit for bit, or is refused by name."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st

import tokenscope_core as ts
from tokenscope_core import arrow_files
from tokenscope_core.edits import Edit
from tokenscope_core.trace import recipe_key

AWKWARD = st.text(max_size=30) | st.sampled_from(
    [
        "",
        "👩‍👩‍👧",
        "\r\n\tx",
        "\u202eabc\u202c",
        "a\0b",
        "\u200b",
        "</script><img src=x>",
        "\x1b[31m",
    ]
)
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


def test_a_generated_trace_comes_back_equal(any_lm: ts.LanguageModel) -> None:
    sampling = ts.Sampling(temperature=0.9, top_k=50, seed=8)
    trace = ts.generate(any_lm, ts.Request("x = 1\n", max_new_tokens=20, sampling=sampling))
    assert_equal(ts.Trace.from_bytes(trace.to_bytes()), trace)


@given(text=AWKWARD, stop=st.lists(st.text(min_size=1, max_size=3), max_size=2))
def test_any_text_comes_back_equal(text: str, stop: list[str]) -> None:
    request = ts.Request(text, max_new_tokens=2, candidates=3, stop=tuple(stop))
    trace = ts.generate(tiny_models.language_model(), request)
    again = ts.Trace.from_bytes(trace.to_bytes())
    assert_equal(again, trace)
    assert again.text.startswith(text)


def test_a_fork_and_a_stopped_run_come_back_equal() -> None:
    cancelled = dataclasses.replace(example(), finish_reason="cancelled")
    forked = dataclasses.replace(example(), branch=("0" * 64, Edit(5, (1, 2), kept=3)))
    for trace in (cancelled, forked):
        assert_equal(ts.Trace.from_bytes(trace.to_bytes()), trace)


def test_saving_is_deterministic() -> None:
    assert ts.Trace.from_bytes(blob()).to_bytes() == blob()


@given(data=st.data())
def test_a_flipped_bit_is_noticed(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(blob()) - 1))
    bit = data.draw(st.integers(0, 7))
    damaged = bytearray(blob())
    damaged[place] ^= 1 << bit
    try:
        trace = ts.Trace.from_bytes(bytes(damaged))
    except ts.RecordError:
        return
    assert_equal(trace, example())  # padding, which carries nothing


@given(length=st.integers(0, 6000))
def test_a_cut_record_is_refused(length: int) -> None:
    with pytest.raises(ts.RecordError):
        ts.Trace.from_bytes(blob()[: min(length, len(blob()) - 1)])


@given(noise=st.binary(max_size=200))
def test_other_bytes_are_refused(noise: bytes) -> None:
    for data in (noise, blob()[:8] + noise, noise + blob()[-200:]):
        with pytest.raises(ts.RecordError):
            ts.Trace.from_bytes(data)


def test_the_altered_record_is_otherwise_sound() -> None:
    assert_equal(ts.Trace.from_bytes(rewritten()), example())


@pytest.mark.parametrize("version", [0, 3, "1", None, [1], 10**30])
def test_an_unknown_version_is_named(version: Any) -> None:
    with pytest.raises(ts.RecordError, match="format version"):
        ts.Trace.from_bytes(rewritten(lambda m: m.update(version=version)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("prompt_length", -1), ("prompt_length", 10**9), ("prompt_length", 10**40),
        ("prompt_length", 1.5), ("prompt_length", 2), ("prompt_length", float("inf")),
        ("finish_reason", "tired"), ("finish_reason", ["length"]), ("finish_reason", None),
        ("branch", ["key"]), ("branch", [1, 2]), ("branch", ["key", {}]), ("branch", "key"),
        ("branch", ["key", {"position": 10**6, "token_ids": []}]),
        ("branch", ["key", {"position": -1, "token_ids": []}]),
        ("special_ids", [None]), ("special_ids", 3), ("special_ids", [1e400]),
        ("model", None), ("model.name", 7), ("model.name", "\ud800"), ("model.fingerprint", None),
        ("model.vocabulary_size", 0), ("model.vocabulary_size", "many"),
        ("model.vocabulary_size", -5),
        ("request", []), ("request.prompt", 5), ("request.candidates", 10**6),
        ("request.sampling", []), ("request.sampling.temperature", float("nan")),
        ("request.sampling.colour", "red"), ("request.max_new_tokens", "all"),
        ("request.stop", None), ("request.prompt", "\ud800"),
    ],
)  # fmt: skip
def test_an_absurd_description_is_refused(path: str, value: Any) -> None:
    def change(metadata: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for name in parents:
            metadata = metadata[name]
        metadata[last] = value

    with pytest.raises(ts.RecordError):
        ts.Trace.from_bytes(rewritten(change))


@pytest.mark.parametrize("description", [[1], 3, "text", {"version": 1}])
def test_a_description_of_another_kind_is_refused(description: Any) -> None:
    with pytest.raises(ts.RecordError):
        ts.Trace.from_bytes(rewritten(lambda metadata: description))


def test_a_description_nested_without_end_is_refused() -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.open_file(blob()) as reader:
        batch = reader.get_batch(0).replace_schema_metadata({"tokenscope": "[" * 200_000})
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    with pytest.raises(ts.RecordError):
        ts.Trace.from_bytes(sink.getvalue().to_pybytes())


def _replace(name: str, values: list[Any], kind: Any) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    def change(batch: pa.RecordBatch) -> pa.RecordBatch:
        index = batch.schema.get_field_index(name)
        padded = (values * len(batch))[: len(batch)]
        return batch.set_column(index, pa.field(name, kind), pa.array(padded, kind))

    return change


def _nothing(name: str) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    def change(batch: pa.RecordBatch) -> pa.RecordBatch:
        index = batch.schema.get_field_index(name)
        kind = batch.schema.field(name)
        return batch.set_column(index, kind, pa.nulls(len(batch), kind.type))

    return change


@pytest.mark.parametrize(
    "columns",
    [
        _nothing("candidate_ids"),
        _nothing("candidate_logprobs"),
        _nothing("candidate_kept"),
        _nothing("candidate_bytes"),
        _replace("token_id", [-1], pa.int32()),
        _replace("token_id", [None], pa.int32()),
        _replace("token_id", [1.5], pa.float64()),
        _replace("token_bytes", [None], pa.binary()),
        _replace("token_bytes", [b"longer than before"], pa.binary()),
        _replace("source", ["sampled"], pa.dictionary(pa.int8(), pa.string())),
        _replace("source", [None], pa.dictionary(pa.int8(), pa.string())),
        _replace("source", ["prompt"], pa.string()),
        _replace("byte_end", [3], pa.int64()),
        _replace("logprob", ["low"], pa.string()),
        _replace("logprob", [0.5], pa.float32()),
        _replace("rank", [1.5], pa.float32()),
        _replace("rank", [0.0], pa.float32()),
        _replace("rank", [float("inf")], pa.float32()),
        lambda batch: batch.drop_columns(["entropy"]),
        lambda batch: batch.rename_columns(["x" + name for name in batch.schema.names]),
        lambda batch: batch.slice(0, 3),
        lambda batch: batch.slice(0, 0),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    columns: Callable[[pa.RecordBatch], pa.RecordBatch],
) -> None:
    with pytest.raises(ts.RecordError):
        ts.Trace.from_bytes(rewritten(columns=columns))


def test_a_saved_trace_opens_in_pandas() -> None:
    frame = pd.read_feather(io.BytesIO(blob()))
    trace = example()
    assert frame["token_id"].tolist() == trace.token_ids.tolist()
    assert b"".join(frame["token_bytes"][~frame["special"]]) == trace.text_bytes
    np.testing.assert_array_equal(frame["entropy"].astype(float), trace.entropy)
    np.testing.assert_array_equal(
        np.stack(frame["candidate_ids"].to_list()[1:]), trace.candidate_ids[1:]
    )


def test_which_candidates_were_kept_is_on_record() -> None:
    frame = pd.read_feather(io.BytesIO(blob()))
    kept = np.stack(frame["candidate_kept"].to_list()[example().prompt_length :])
    assert (kept == (example().candidate_kept[example().prompt_length :] == 1)).all()
    assert kept[:, :3].any() and not kept[:, 3].any(), "top-k removed the fourth"
    assert frame["candidate_kept"][1].tolist() == [None] * 4, "a prompt token was not drawn"


def test_every_token_is_named_once() -> None:
    frame = pd.read_feather(io.BytesIO(blob()))
    table = dict(zip(frame["token_id"], frame["token_bytes"], strict=True))
    for ids, pieces in zip(frame["candidate_ids"], frame["candidate_bytes"], strict=True):
        new = {i: piece for i, piece in zip(ids, pieces, strict=True) if piece is not None}
        assert not table.keys() & new.keys()
        table |= new
    assert table == dict(example().vocabulary.token_bytes)


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
        "model": dataclasses.asdict(trace.model),
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
    """Where quick packing does not even halve the data."""
    draw = np.random.default_rng(0)
    noise, steps = draw.integers(0, 300, 20_000).astype(np.int32), np.arange(20_000) // 50
    packed = [arrow_files.write(pa.record_batch({"x": pa.array(x)})) for x in (noise, steps)]
    assert len(packed[0]) < 0.5 * noise.nbytes
    for blob, x in zip(packed, (noise, steps), strict=True):
        assert arrow_files.read_batch(blob).column("x").to_numpy().tolist() == x.tolist()


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


def test_the_key_of_a_complete_run_is_known_before_it_runs() -> None:
    trace = example()
    assert trace.key == recipe_key(trace.model.fingerprint, trace.request)


def test_arrays_cannot_be_written_to() -> None:
    for trace in (example(), ts.Trace.from_bytes(blob())):
        for name in (*ATTRIBUTES, *trace.metrics):
            with pytest.raises(ValueError, match="read-only"):
                getattr(trace, name)[0] = getattr(trace, name)[1]


def test_opening_and_tabulating_need_neither_torch_nor_transformers() -> None:
    program = """
import sys
import tokenscope_core as ts
trace = ts.Trace.from_bytes(sys.stdin.buffer.read())
print(len(ts.token_frame(trace)), len(ts.candidate_frame(trace)), trace.text)
heavy = {"torch", "transformers", "tokenizers", "streamlit"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], input=blob(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.startswith(f"{len(example())} ".encode())
