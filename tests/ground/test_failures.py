"""What a person is told of an error that is not ours: a sentence, and nothing of its own text."""

from __future__ import annotations

import binascii
import json
import logging
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import tokenscope_core as ts
from tokenscope_core.failures import (
    MalformedError,
    explain,
    is_out_of_memory,
    log_place,
    quoted,
    reason_of,
)

DEEP = 200_000


def raised(work: Callable[[], object]) -> Exception:
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError("it raised nothing")


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (lambda: "a\ud800".encode(), "character 2 of a text in it is half of a surrogate pair"),
        (lambda: b"ab\xff".decode(), "no text in UTF-8: byte 3"),
        (lambda: json.loads("[" * DEEP), "nested too deeply"),
        (lambda: json.loads("9" * 5000), "too many digits"),
        (lambda: json.loads('{"a":\n x}'), "no JSON from line 2, character 2 on"),
        (lambda: {}["view"], "it lacks 'view'"),
        (lambda: [1][DEEP], "a place that it names does not exist"),
        (lambda: len(3), "of another kind"),  # type: ignore[arg-type]
        (lambda: float(10**400), "too large"),
        (lambda: zlib.decompress(b"xx"), "damaged"),
        (lambda: struct.unpack("<I", b""), "damaged"),
        (lambda: binascii.a2b_base64("x"), "damaged"),
        (lambda: zipfile.ZipFile("/etc/hostname"), "damaged"),
        (lambda: pa.ipc.open_file(b"x"), "damaged"),
        (Path("/no/such/place").read_bytes, "damaged"),
    ],
)  # fmt: skip
def test_a_foreign_error_is_told_in_words_of_ours(work: Callable[[], object], said: str) -> None:
    error = raised(work)
    reason = reason_of(error)
    assert said in reason
    assert not reason.endswith(".")
    assert str(error) not in reason or isinstance(error, KeyError)


def test_what_our_own_code_says_of_something_malformed_is_told_as_it_is() -> None:
    assert reason_of(MalformedError("it holds two batches, not one")) == (
        "it holds two batches, not one"
    )
    assert len(reason_of(MalformedError("x" * 1000))) == 300


@pytest.mark.parametrize(
    "value",
    [10**5000, "\ud800", [[]] * 1000, b"\0", None],
    ids=("number", "half", "list", "bytes", "none"),
)
def test_any_value_can_be_quoted_on_a_page(value: object) -> None:
    assert len(quoted(value)) <= 50
    quoted(value).encode("utf-8")


def test_an_error_that_quotes_half_of_a_character_can_be_shown() -> None:
    error = ts.RequestError(asked="It said “\ud800”.", found="b", action="c")
    assert str(error) == "It said “\\ud800”. b c"
    str(error).encode("utf-8")


def test_an_unforeseen_end_of_a_run_shows_neither_text_nor_path() -> None:
    secret = RuntimeError("weights of /srv/models/secret: “def prompt()”")
    told = explain(secret, model="tiny")
    assert "RuntimeError" in told.found
    for word in ("secret", "/srv", "prompt()"):
        assert word not in str(told)


def test_short_memory_is_told_without_the_allocator_s_words() -> None:
    error = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 5 bytes at 0x7f")
    assert is_out_of_memory(error)
    assert "0x7f" not in str(explain(error, model="tiny"))


def test_the_log_says_type_and_place_and_not_what_was_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = raised(lambda: {}["a prompt"])
    with caplog.at_level(logging.ERROR):
        log_place(logging.getLogger("test"), "A run failed", error)
    assert re.search(r"A run failed: KeyError at test_failures\.py:\d+ ", caplog.text)
    assert "a prompt" not in caplog.text


@pytest.mark.parametrize("value", [10**5000, "x" * 10**6], ids=("number", "text"))
def test_a_request_with_a_monstrous_value_is_refused_with_a_short_sentence(value: object) -> None:
    with pytest.raises(ts.RequestError) as refused:
        ts.Request("x", max_new_tokens=3, sampling=ts.Sampling(temperature=value))  # type: ignore[arg-type]
    assert len(str(refused.value)) < 300
