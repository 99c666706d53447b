"""What can be asked for, and how a request is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tokenscope_core as ts
from tokenscope_core.record.trace import recipe_key


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": -0.1}, {"temperature": math.nan}, {"temperature": math.inf},
        {"temperature": 1e-30}, {"temperature": "1"}, {"temperature": None}, {"temperature": True},
        {"top_k": -1}, {"top_k": 1.5}, {"top_k": True},
        {"top_p": 0.0}, {"top_p": 1.01}, {"top_p": math.nan},
        {"min_p": -0.01}, {"min_p": 1.01},
        {"repetition_penalty": 0.0}, {"repetition_penalty": math.inf},
        {"seed": -1}, {"seed": 2**63}, {"seed": 0.5},
        {"typical_p": 0.0}, {"typical_p": 1.1}, {"typical_p": math.nan},
        {"frequency_penalty": 2.1}, {"frequency_penalty": math.nan}, {"presence_penalty": -2.1},
        {"presence_penalty": None}, {"no_repeat_ngram_size": -1}, {"no_repeat_ngram_size": 2.0},
        {"logit_bias": 3}, {"logit_bias": {-1: 1.0}}, {"logit_bias": {1: math.nan}},
        {"logit_bias": [(1,)]}, {"logit_bias": {1.5: 2}},
    ],
)  # fmt: skip
def test_sampling_out_of_range_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ts.RequestError, match=f"{next(iter(values))} was set to"):
        ts.Sampling(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"max_new_tokens": -1}, {"max_new_tokens": 2.5}, {"max_new_tokens": "3"},
        {"candidates": 0}, {"candidates": 201}, {"candidates": math.nan},
        {"stop": ("",)}, {"stop": ("ok", "")}, {"stop": "end"}, {"stop": (3,)},
        {"prompt": 3}, {"prompt": b"x"}, {"prompt": None},
        {"suffix": 0}, {"suffix": ["x"]}, {"suffix": "\udc00"},
        {"stop_token_ids": (-1,)}, {"stop_token_ids": (1.0,)}, {"stop_token_ids": (True,)},
        {"stop_token_ids": "12"}, {"stop_token_ids": 5}, {"stop_token_ids": (None,)},
    ],
)  # fmt: skip
def test_a_request_out_of_range_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ts.RequestError) as caught:
        ts.Request(**{"prompt": "x", **values})
    assert caught.value.asked
    assert caught.value.found
    assert caught.value.action


@pytest.mark.parametrize("text", ["\ud800", "a\udc00b", "\ude00\ud83d"])
def test_half_a_surrogate_pair_is_refused_with_its_place(text: str) -> None:
    place = next(i for i, c in enumerate(text, 1) if "\ud800" <= c <= "\udfff")
    with pytest.raises(ts.RequestError, match=f"Character {place} is half of a surrogate pair"):
        ts.Request(text)
    with pytest.raises(ts.RequestError, match="surrogate"):
        ts.Request("x", stop=(text,))


@given(
    prompt=st.text(),
    stop=st.lists(st.text(min_size=1), max_size=3),
    temperature=st.just(0.0) | st.floats(1e-6, 1e6),
    seed=st.integers(0, 2**63 - 1),
    top_p=st.floats(0, 1, exclude_min=True),
)
def test_a_request_survives_json(
    prompt: str, stop: list[str], temperature: float, seed: int, top_p: float
) -> None:
    sampling = ts.Sampling(temperature, top_p=top_p, seed=seed)
    request = ts.Request(prompt, sampling=sampling, stop=tuple(stop))
    again = ts.Request.from_json(json.loads(json.dumps(request.to_json())))
    assert again == request
    assert recipe_key("model", again) == recipe_key("model", request)


def test_equal_requests_have_equal_keys_however_their_numbers_are_written() -> None:
    plain = ts.Request("x", max_new_tokens=5, sampling=ts.Sampling(0.0, top_p=1.0))
    new_tokens: Any = np.int64(5)
    same = ts.Request("x", max_new_tokens=new_tokens, sampling=ts.Sampling(-0.0, top_p=1))
    assert plain == same
    stopped = [ts.Request("x", stop_token_ids=ids) for ids in ((7, 5), [np.int64(5), 7, 7])]
    assert stopped[0] == stopped[1]
    assert recipe_key("m", plain) == recipe_key("m", same)


@pytest.mark.parametrize(
    "other",
    [
        ts.Request("y"),
        ts.Request("x", max_new_tokens=65),
        ts.Request("x", candidates=21),
        ts.Request("x", stop=("a",)),
        ts.Request("x", suffix=""),
        ts.Request("x", sampling=ts.Sampling(1.0)),
        ts.Request("x", sampling=ts.Sampling(seed=1)),
        ts.Request("x", sampling=ts.Sampling(typical_p=0.5)),
        ts.Request("x", sampling=ts.Sampling(frequency_penalty=0.5)),
        ts.Request("x", sampling=ts.Sampling(presence_penalty=0.5)),
        ts.Request("x", sampling=ts.Sampling(no_repeat_ngram_size=3)),
        ts.Request("x", stop_token_ids=(1,)),
    ],
)
def test_whatever_decides_the_result_decides_the_key(other: ts.Request) -> None:
    assert recipe_key("m", other) != recipe_key("m", ts.Request("x"))
    assert recipe_key("m", other) != recipe_key("n", other)


def test_what_is_said_of_single_tokens_is_one_value_however_it_is_written() -> None:
    one = ts.Sampling(logit_bias={7: -2, 3: 1, 9: 0}, suppress_tokens=[5, 2, 5])
    assert one == ts.Sampling(logit_bias=((3, 1.0), (7, -2.0)), suppress_tokens=(2, 5))
    request = ts.Request("x", sampling=one)
    again = ts.Request.from_json(json.loads(json.dumps(request.to_json())))
    assert again == request
    assert recipe_key("f", again) == recipe_key("f", request) != recipe_key("f", ts.Request("x"))
    assert hash(again) == hash(request)
