"""A saved trace comes back bit for bit, or is refused by name."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st
from trace_records import ATTRIBUTES, assert_equal, blob, example, rewritten

import tokenscope_core as ts
from tokenscope_core.record.edits import Edit
from tokenscope_core.record.trace import recipe_key

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
        ("model.vocabulary_size", "many"),
        ("model.vocabulary_size", -5),
        ("model.rounding", 0.1), ("model.rounding", [0.2, 0.1]), ("model.rounding", [1, None]),
        ("model.rounding", [0.1, float("inf")]), ("model.rounding", [float("nan"), 0.1]),
        ("dummy_prefix", "false"), ("dummy_prefix", None), ("dummy_prefix", 0),
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
        _replace("sampled_logprob", [0.5], pa.float32()),
        _replace("rank", [1.5], pa.float32()),
        _replace("rank", [0.0], pa.float32()),
        _replace("rank", [float("inf")], pa.float32()),
        lambda batch: batch.drop_columns(["entropy"]),
        lambda batch: batch.rename_columns(["x" + name for name in batch.schema.names]),
        lambda batch: batch.append_column("entropy", batch.column("entropy")),
        lambda batch: batch.slice(0, 3),
        lambda batch: batch.slice(0, 0),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    columns: Callable[[pa.RecordBatch], pa.RecordBatch],
) -> None:
    with pytest.raises(ts.RecordError):
        ts.Trace.from_bytes(rewritten(columns=columns))


@pytest.mark.parametrize("kind", [pa.float32(), pa.int32(), pa.list_(pa.string())])
def test_columns_that_a_later_program_added_are_passed_over(kind: pa.DataType) -> None:
    newer = rewritten(columns=lambda b: b.append_column("new", pa.nulls(len(b), kind)))
    opened = ts.Trace.from_bytes(newer)
    assert_equal(opened, example())
    assert opened.to_bytes() == blob(), "it is in no file that is written anew"


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
