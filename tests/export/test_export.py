"""Traces leave in the formats of others, exact to the byte, and nothing is made up."""

from __future__ import annotations

import csv as csv_reader
import io
import json
import math

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_traces import END, made

import tokenscope_core as ts
from tokenscope_core import export
from tokenscope_core.record.metric_registry import METRICS
from tokenscope_core.record.vocabulary import Vocabulary

HALVES = "😀".encode()[:2], "😀".encode()[2:]


@pytest.fixture(scope="module")
def trace() -> ts.Trace:
    return ts.generate(ts.load_model(), ts.Request("s = '😀é'\r\n=", 12, ts.Sampling(1.0, seed=5)))


def spelled(*pieces: bytes) -> ts.Trace:
    """A trace of tokens of these bytes, nothing of it prompt but the first."""
    words = [f"token {i}" for i in range(len(pieces))]
    plain = made(words)
    table = dict(plain.vocabulary.token_bytes)
    table |= dict(zip(plain.token_ids.tolist(), pieces, strict=True))
    return ts.Trace(
        plain.request, plain.model, Vocabulary(table), plain.prompt_length, plain.finish_reason,
        plain.token_ids.copy(), plain.source, plain.metrics, plain.candidate_ids,
        plain.candidate_logprobs, plain.candidate_kept,
    )  # fmt: skip


def test_parquet_has_the_columns_and_the_description_of_the_arrow_file(trace: ts.Trace) -> None:
    blob = export.parquet(trace)
    table = pq.read_table(io.BytesIO(blob))
    arrow = pd.read_feather(io.BytesIO(trace.to_bytes()))
    assert table.column_names == list(arrow.columns)
    assert table["token_id"].to_pylist() == trace.token_ids.tolist()
    assert b"".join(table["token_bytes"].to_pylist()) == b"".join(
        trace.vocabulary.token_bytes[i] for i in trace.token_ids.tolist()
    )
    described = json.loads(table.schema.metadata[b"tokenscope"])
    assert ts.Request.from_json(described["request"]) == trace.request
    assert described["model"]["fingerprint"] == trace.model.fingerprint


def test_json_lines_hold_every_figure_and_every_byte(trace: ts.Trace) -> None:
    lines = export.json_lines(trace).decode().splitlines()
    tokens = [json.loads(line, parse_constant=lambda name: pytest.fail(name)) for line in lines]
    assert b"".join(bytes(token["bytes"]) for token in tokens) == trace.text_bytes
    for metric in METRICS:
        values = [math.nan if t[metric.name] is None else t[metric.name] for t in tokens]
        np.testing.assert_array_equal(values, trace.column(metric.name))
    listed = sum(len(token["candidates"]) for token in tokens)
    assert listed == len(ts.candidate_frame(trace))
    first = tokens[1]["candidates"][0]
    assert first["logprob"] == trace.candidate_logprobs[1, 0]
    assert bytes(first["bytes"]) == trace.vocabulary.token_bytes[first["token_id"]]


def test_halves_of_characters_are_exact_in_json_lines() -> None:
    lines = export.json_lines(spelled(b"x", *HALVES)).splitlines()
    tokens = [json.loads(line) for line in lines]
    assert [bytes(token["bytes"]) for token in tokens] == [b"x", *HALVES]
    assert tokens[1]["token"] == "\ufffd"


def test_a_line_of_json_is_a_token_whatever_it_spells() -> None:
    blob = export.json_lines(spelled(b"a\n", b"\r", "\u2028\x85".encode()))
    assert blob.count(b"\n") == 3


@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_impossible_token_is_put_as_each_format_can() -> None:
    trace = made(["a", "b"], surprisal=math.inf)
    line = json.loads(export.json_lines(trace).splitlines()[1], parse_constant=pytest.fail)
    assert (line["logprob"], line["prob"]) == (None, 0.0)
    chat = json.dumps(export.openai_chat(trace), allow_nan=False)
    assert json.loads(chat)["choices"][0]["logprobs"]["content"][0]["logprob"] == -9999.0
    json.dumps(export.openai_completion(trace), allow_nan=False)
    assert b"Infinity" not in export.report(trace).partition(b'id="data"')[2].partition(b"</s")[0]


def test_csv_is_exact_and_reads_back(trace: ts.Trace) -> None:
    blob = export.csv(ts.token_frame(trace))
    rows = list(csv_reader.DictReader(io.StringIO(blob.decode(), newline="")))
    assert [row["token"] for row in rows] == ts.token_frame(trace)["token"].tolist()
    assert b"".join(bytes.fromhex(row["token_bytes"]) for row in rows).endswith(
        trace.text_bytes[-4:]
    )
    assert rows[0]["surprisal"] == ""
    assert float(rows[3]["entropy"]) == trace.entropy[3]


def test_csv_for_a_spreadsheet_holds_no_formula() -> None:
    frame = ts.token_frame(spelled(b"x", b"=1+1", b"@SUM(A1)", b"\tx", "é".encode()))
    blob = export.csv(frame, for_spreadsheet=True)
    rows = list(csv_reader.DictReader(io.StringIO(blob.decode("utf-8-sig"), newline="")))
    assert [row["token"] for row in rows] == ["x", "'=1+1", "'@SUM(A1)", "'\tx", "é"]
    assert [row["logprob"] for row in rows][1] == "-1.0", "numbers are numbers"


def test_a_chat_answer_has_openai_s_shape(trace: ts.Trace) -> None:
    answer = json.loads(json.dumps(export.openai_chat(trace), allow_nan=False))
    assert answer["object"] == "chat.completion"
    content = answer["choices"][0]["logprobs"]["content"]
    assert len(content) == len(trace) - trace.prompt_length
    first = content[0]
    assert first.keys() == {"token", "logprob", "bytes", "top_logprobs"}
    assert first["logprob"] == trace.logprob[trace.prompt_length]
    assert len(first["top_logprobs"]) == 20
    assert answer["usage"]["total_tokens"] == len(trace)


def test_a_legacy_answer_has_openai_s_shape() -> None:
    answer = export.openai_completion(spelled(b"x", *HALVES, b"y"), echo=True)
    logprobs = answer["choices"][0]["logprobs"]
    assert logprobs["tokens"] == ["x", r"bytes:\xf0\x9f", r"bytes:\x98\x80", "y"]
    assert logprobs["token_logprobs"] == [None, -1.0, -1.0, -1.0]
    assert logprobs["text_offset"] == [0, 1, 1, 2]
    assert answer["choices"][0]["text"] == "x😀y"
    plain = export.openai_completion(spelled(b"x", *HALVES, b"y"))
    assert plain["choices"][0]["logprobs"]["text_offset"] == [0, 0, 1]


def test_a_chat_answer_comes_back_as_it_went(trace: ts.Trace) -> None:
    answer = json.dumps(export.openai_chat(trace))
    back = ts.import_openai_logprobs(answer)
    start = trace.prompt_length
    assert back.text_bytes == trace.text_bytes[trace.byte_start[start] :]
    np.testing.assert_array_equal(back.logprob, trace.logprob[start:])
    np.testing.assert_array_equal(back.candidate_logprobs, trace.candidate_logprobs[start:])
    np.testing.assert_allclose(back.margin, trace.margin[start:], atol=1e-6)
    known = ~np.isnan(back.rank)
    np.testing.assert_array_equal(back.rank[known], trace.rank[start:][known])
    assert known.sum() > len(back) // 2
    assert back.finish_reason == "length"


def test_an_echoed_answer_comes_back_with_its_prompt(trace: ts.Trace) -> None:
    back = ts.import_openai_logprobs(export.openai_completion(trace, echo=True))
    assert (back.prompt_length, len(back)) == (trace.prompt_length, len(trace))
    assert back.source.tolist() == trace.source.tolist()


@given(st.lists(st.binary(min_size=1, max_size=5), min_size=2, max_size=8))
def test_bytes_survive_both_of_openai_s_shapes(pieces: list[bytes]) -> None:
    trace = spelled(*pieces)
    chat = json.loads(json.dumps(export.openai_chat(trace)))
    assert ts.import_openai_logprobs(chat).text_bytes == b"".join(pieces[1:])
    legacy = json.loads(json.dumps(export.openai_completion(trace, echo=True)))
    assert ts.import_openai_logprobs(legacy).text_bytes == trace.text_bytes


def test_special_tokens_have_no_bytes_and_come_back_special() -> None:
    trace = made(["x", "y", END], finish_reason="eos")
    back = ts.import_openai_logprobs(export.openai_chat(trace))
    assert back.text == "y"
    assert back.special.tolist() == [False, True]


def test_special_tokens_come_back_special_from_a_legacy_answer_too() -> None:
    trace = made(["x", "y", END, "z", END], finish_reason="eos")
    for answer in (
        export.openai_completion(trace, echo=True),
        json.loads(json.dumps(export.openai_completion(trace, echo=True))),
    ):
        back = ts.import_answer(answer).trace
        assert back.text == "xyz"
        assert back.special.tolist() == trace.special.tolist()
        listed = back.candidate_ids[1:, 0].tolist()
        assert {back.vocabulary.token_bytes[i] for i in listed} == {b"<end>"}
        assert set(listed) <= back.vocabulary.special_ids
    # Others say it by the offsets alone.
    del answer["choices"][0]["logprobs"]["special_tokens"]
    back = ts.import_answer(answer).trace
    assert back.text == "xyz"
    assert back.special.tolist() == trace.special.tolist()


def test_a_text_that_reads_like_a_special_token_stays_text() -> None:
    trace = spelled(b"x", b"<end>", b"token_id:7", rb"bytes:\xe2", "\ufffd".encode())
    for echo in (True, False):
        back = ts.import_answer(export.openai_completion(trace, echo=echo)).trace
        assert back.text_bytes.endswith(trace.text_bytes[1:])
        assert not back.special.any()


def test_tokens_of_unknown_bytes_go_out_and_come_back_by_their_ids() -> None:
    answer = {"tokens": ["token_id:7", "a"], "token_logprobs": [-1.0, -2.0]}
    trace = ts.import_answer({"choices": [{"logprobs": answer}]}).trace
    for exported in (export.openai_chat(trace), export.openai_completion(trace)):
        back = ts.import_answer(json.loads(json.dumps(exported)))
        assert back.trace.token_ids[0] == 7
        assert back.trace.vocabulary.unknown_ids == {7}
        assert back.trace.text == "a"
    line = json.loads(export.json_lines(trace).splitlines()[0])
    assert (line["bytes"], line["special"]) == (None, False)
    assert b"<token 7>,," in export.csv(ts.token_frame(trace))


CHAT = {
    "model": "gpt-x",
    "choices": [
        {
            "finish_reason": "stop",
            "logprobs": {
                "content": [
                    {
                        "token": "a", "bytes": [97], "logprob": -0.5,
                        "top_logprobs": [
                            {"token": "a", "bytes": [97], "logprob": -0.5},
                            {"token": "b", "bytes": [98], "logprob": -1.5},
                            {"token": "c", "bytes": [99], "logprob": -3.0},
                        ],
                    },
                    {
                        "token": "c", "bytes": [99], "logprob": -3.0,
                        "top_logprobs": [
                            {"token": "a", "bytes": [97], "logprob": -0.5},
                            {"token": "b", "bytes": [98], "logprob": -1.5},
                            {"token": "c", "bytes": [99], "logprob": -3.0},
                        ],
                    },
                    {"token": "\\xf0", "bytes": [240], "logprob": -9999.0, "top_logprobs": []},
                ]
            },
        }
    ],
}  # fmt: skip


def test_what_an_answer_lacks_is_missing() -> None:
    trace = ts.import_openai_logprobs(CHAT)
    assert trace.text_bytes == b"ac\xf0"
    assert trace.model.name == "gpt-x (imported)"
    assert (trace.prompt_length, trace.request.prompt) == (0, "")
    np.testing.assert_array_equal(trace.logprob, [-0.5, -3.0, np.nan])
    # “c” is listed last, which it would be too if it were only listed because it was taken.
    np.testing.assert_array_equal(trace.rank, [1, np.nan, np.nan])
    gap = math.exp(-0.5) - math.exp(-1.5)
    np.testing.assert_array_equal(trace.margin, [gap, gap, np.nan])
    for name in ("entropy", "varentropy", "sampled_logprob", "elapsed_ms", "entropy_norm"):
        assert np.isnan(trace.column(name)).all()


def test_an_imported_trace_is_kept_and_compared_like_any_other(store: ts.Store) -> None:
    trace = ts.import_openai_logprobs(CHAT)
    store.put(trace)
    back = store.get(trace.key)
    assert back is not None
    assert back.text_bytes == trace.text_bytes
    assert ts.import_openai_logprobs(json.dumps(CHAT)).key == trace.key
    changed = json.loads(json.dumps(CHAT).replace("-3.0", "-3.1"))
    assert ts.import_openai_logprobs(changed).key != trace.key
    assert ts.token_frame(trace)["rank"].isna().tolist() == [False, True, True]
    assert ts.Session.start(trace).root.name == "original"


def test_servers_that_give_no_bytes_mean_the_text() -> None:
    content = [{"token": "é", "logprob": -1.0}, {"token": "<s>", "logprob": -1.0, "bytes": None}]
    trace = ts.import_openai_logprobs({"content": content})
    assert trace.text == "é<s>"
    assert not trace.special.any()


def test_the_responses_api_is_read() -> None:
    token = {"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}
    output = [{"type": "reasoning"}, {"type": "message", "content": [{"logprobs": [token]}]}]
    assert ts.import_openai_logprobs({"model": "m", "output": output}).text == "a"


def test_a_legacy_answer_that_lists_the_taken_token_extra_gives_it_no_rank() -> None:
    lists = {
        "tokens": ["x", "y"],
        "token_logprobs": [-2.0, -0.1],
        "top_logprobs": [{"y": -0.2, "x": -2.0}, {"y": -0.1}],
    }
    trace = ts.import_openai_logprobs(lists)
    assert np.isnan(trace.rank).all()
    assert np.isnan(trace.margin).all()


def legacy(**changes: object) -> dict[str, object]:
    return {"tokens": ["a", "b"], "token_logprobs": [-1.0, -2.0]} | changes


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "cannot be used"),
        (b"\xff", "cannot be used"),
        ("[]", "no JSON object"),
        ("{}", "no log-probabilities"),
        ({"choices": []}, "no choice 0"),
        ({"choices": [{"logprobs": None}]}, "no log-probabilities"),
        ({"choices": 7}, "no choice"),
        ({"choices": [3]}, "cannot be used"),
        ({"output": [3]}, "cannot be used"),
        ({"content": []}, "no log-prob"),
        ({"content": [{"token": "a", "bytes": [256], "logprob": -1}]}, "no bytes|no list"),
        ({"content": [{"token": "a", "bytes": "a", "logprob": -1}]}, "no list"),
        ({"content": [{"token": 1, "logprob": -1}]}, "no text"),
        ({"content": [{"token": "\ud800", "logprob": -1}]}, "half of a surrogate"),
        (legacy(token_logprobs=[-1.0]), "equally long"),
        (legacy(token_logprobs=[-1.0, 0.5]), "above 0"),
        (legacy(token_logprobs=[-1.0, "x"]), "no number"),
        (legacy(token_logprobs=[-1.0, True]), "no number"),
        (legacy(text_offset=[0]), "equally long"),
        (legacy(text_offset=[0, -1]), "offset"),
        (legacy(top_logprobs=[1, 2]), "cannot be used"),
        (legacy(top_logprobs=[{str(i): -9.0 for i in range(300)}, {}]), "300 alternatives"),
        ('{"tokens":' + "[" * 100_000, "cannot be used"),
    ],
)
def test_what_is_no_such_answer_is_refused_with_a_sentence(source: object, said: str) -> None:
    with pytest.raises(ts.RecordError, match=said):
        ts.import_openai_logprobs(source)  # type: ignore[arg-type]
