"""A link to what two models made of one text: the text and the models, trusted as little as any."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from made_traces import made

import tokenscope_core as ts
from tokenscope_core import ModelIdentity, Request
from tokenscope_core.sharing import links as share

TEXT = Request("def f(é):\n    return '👋'\n", max_new_tokens=0)


def reading(name: str, request: Request = TEXT, **more: Any) -> ts.Trace:
    model = ModelIdentity(name, f"fingerprint of {name}", 1000)
    return made(["a", "b"], prompt_length=2, model=model, request=request, **more)


A, B = reading("one"), reading("org/two")


def payload(**view: share.View) -> str:
    return share.encode_readings(A, B, view, choices=(None, ts.ModelChoice("x", "bfloat16")))


def packed(values: Any) -> str:
    body = base64.urlsafe_b64encode(zlib.compress(json.dumps(values).encode())).decode()
    return f"ts2.{body.rstrip('=')}"


def unpacked(text: str) -> dict[str, Any]:
    body = text.removeprefix("ts2.")
    values: dict[str, Any] = json.loads(
        zlib.decompress(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    )
    return values


def test_a_link_carries_the_text_and_the_two_models() -> None:
    shared = share.decode_readings(payload(tint="A", line=3))
    assert shared.request == TEXT
    assert [one.model for one in shared.readers] == [A.model, B.model]
    assert [one.choice for one in shared.readers] == [
        ts.ModelChoice("one"), ts.ModelChoice("org/two", "bfloat16"),
    ]  # fmt: skip
    assert shared.keys == (A.key, B.key)
    assert shared.view == {"tint": "A", "line": 3}


def test_the_two_kinds_of_links_are_told_apart() -> None:
    session = share.encode(ts.Session.start(A))
    assert share.is_payload(payload())
    assert share.is_readings(payload())
    assert not share.is_readings(session)
    with pytest.raises(ts.ShareError, match="carries a session"):
        share.decode_readings(session)
    with pytest.raises(ts.ShareError, match="carries a text that two models read"):
        share.decode(payload())


@pytest.mark.parametrize(
    "other",
    [reading("two", Request("another text", max_new_tokens=0)), reading("two", Request("a", 1))],
)
def test_runs_of_different_texts_are_no_comparison_to_share(other: ts.Trace) -> None:
    with pytest.raises(ts.RequestError, match="not asked for the same"):
        share.encode_readings(A, other)


def test_what_was_generated_is_not_shared_as_read() -> None:
    generated = reading("one", Request("a", 1)), reading("two", Request("a", 1))
    with pytest.raises(ts.RequestError, match="generated"):
        share.encode_readings(*generated)
    values = unpacked(payload())
    with pytest.raises(ts.ShareError, match="generated"):
        share.decode_readings(packed(values | {"request": Request("a", 1).to_json()}))


def test_a_text_beyond_a_link_is_refused_with_what_to_do() -> None:
    noise = "".join(chr(33 + (i * i * 7919) % 15_000) for i in range(9_000))
    long = Request(noise, max_new_tokens=0)
    with pytest.raises(ts.ShareError, match="short link where there is one, or pass on the text"):
        share.encode_readings(reading("one", long), reading("two", long))


def test_a_text_beyond_a_link_can_be_carried_outside_of_addresses() -> None:
    noise = "".join(chr(33 + (i * i * 7919) % 15_000) for i in range(9_000))
    long = Request(noise, max_new_tokens=0)
    text = share.encode_readings(reading("one", long), reading("two", long), longest=None)
    with pytest.raises(ts.ShareError, match="no link more than"):
        share.decode_readings(text)
    assert share.decode_readings(text, longest=None).request == long


@pytest.mark.parametrize(
    "change",
    [
        {"models": []},
        {"models": [unpacked(payload())["models"][0]] * 3},
        {"models": [{"name": "../../etc", "fingerprint": "f", "vocabulary_size": 1}] * 2},
        {"models": None},
        {"request": {}},
        {"view": {"a": "x" * 201}},
        {"view": {"a": {"branch": 0}}},
    ],
)
def test_a_link_that_says_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ts.ShareError):
        share.decode_readings(packed(unpacked(payload()) | change))


def test_no_damage_leads_anywhere_but_to_a_sentence() -> None:
    sound = payload()
    for place in range(0, len(sound), 7):
        with pytest.raises(ts.ShareError):
            share.decode_readings(sound[:place] + "!" + sound[place + 1 :])
        with pytest.raises(ts.ShareError):
            share.decode_readings(sound[:place])
