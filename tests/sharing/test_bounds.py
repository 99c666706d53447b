"""A small file from outside cannot make the server take much memory."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from typing import Any

import pytest
from made_traces import made

import tokenscope_core as ts
from tokenscope_core.sessions.recipe_format import MAX_CONTAINERS
from tokenscope_core.sharing import session_file

BRACKETS = b"[" + b"{}," * MAX_CONTAINERS + b"{}]"


def test_an_answer_of_nothing_but_brackets_is_not_parsed() -> None:
    with pytest.raises(ts.RecordError, match="1,000,002 brackets, and 1,000,000 are read"):
        ts.import_openai_logprobs(BRACKETS)


def test_a_session_file_of_nothing_but_brackets_is_not_parsed() -> None:
    sound = session_file.write(ts.Session.start(made(["x"])))
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(sound)) as members,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        packed.writestr("about.json", members.read("about.json"))
        packed.writestr("session.json", BRACKETS)
    assert len(sink.getvalue()) < 20_000
    with pytest.raises(ts.RecordError, match="brackets"):
        session_file.read(sink.getvalue())


def answer(tokens: int, widest: int) -> bytes:
    """Of that many tokens, of which one has alternatives."""
    token = {"token": "x", "logprob": -1.0}
    top = [{"token": str(i), "logprob": -1.0 - i} for i in range(widest)]
    content: list[dict[str, Any]] = [token] * (tokens - 1) + [{**token, "top_logprobs": top}]
    return json.dumps({"content": content}).encode()


def dense(tokens: int, alternatives: int) -> bytes:
    """Lists as short as they can be written: most figures for a megabyte."""
    row = {chr(97 + i): -1.5 - i for i in range(alternatives)}
    lists = {
        "tokens": ["a"] * tokens,
        "token_logprobs": [-1.5] * tokens,
        "top_logprobs": [row] * tokens,
    }
    return json.dumps(lists, separators=(",", ":")).encode()


def test_a_large_answer_takes_little_memory() -> None:
    blob = dense(20_000, 20)
    tracemalloc.start()
    try:
        trace = ts.import_answer(blob).trace
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(trace) == 20_000
    assert trace.candidate_ids.shape[1] == 20
    assert peak < 20 * len(blob), f"{peak:,} bytes for {len(blob):,}"


def test_answers_beyond_the_bounds_are_refused_before_they_are_parsed() -> None:
    with pytest.raises(ts.RecordError, match="colons, and 3,000,000 are read"):
        ts.import_answer(b'{"a":' + b"1:" * 3_000_001)
    with pytest.raises(ts.RecordError, match="more than 200,000 tokens"):
        ts.import_answer(dense(200_001, 1))


def test_one_token_with_many_alternatives_does_not_widen_a_long_table() -> None:
    with pytest.raises(ts.RecordError, match="21,000 tokens with 200 alternatives each"):
        ts.import_openai_logprobs(answer(21_000, 200))
    assert len(ts.import_openai_logprobs(answer(500, 200))) == 500
