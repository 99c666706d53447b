"""What a trace is: columns, text, bytes, and the name of its content."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import tiny_models

import tokenscope_core as ts
from tokenscope_core.decoding.request_run import rows
from tokenscope_core.record.edits import Edit
from tokenscope_core.record.trace import recipe_key

REQUEST = ts.Request("def f(é):\n", max_new_tokens=8, sampling=ts.Sampling(1.0, seed=3))


@pytest.fixture
def trace(lm: ts.LanguageModel) -> ts.Trace:
    return ts.generate(lm, REQUEST)


def stopped_after(lm: ts.LanguageModel, parts: int) -> ts.Trace:
    """The run as it stands when somebody stops it."""
    running = rows(lm, REQUEST)
    done = [next(running) for _ in range(parts)]
    running.close()
    return ts.Trace.from_rows(REQUEST, lm.identity, lm.vocabulary, done, "cancelled")


def test_a_complete_run_is_named_by_its_recipe(lm: ts.LanguageModel, trace: ts.Trace) -> None:
    assert trace.key == recipe_key(lm.identity.fingerprint, REQUEST)


def test_a_stopped_run_is_not_taken_for_a_complete_one(
    lm: ts.LanguageModel, trace: ts.Trace
) -> None:
    early, later = stopped_after(lm, 4), stopped_after(lm, 6)
    assert len({trace.key, early.key, later.key}) == 3
    assert stopped_after(lm, 4).key == early.key
    assert trace.text_bytes.startswith(early.text_bytes)
    assert early.prompt_length == trace.prompt_length


def test_what_changes_the_numbers_changes_the_name(trace: ts.Trace) -> None:
    other_model = dataclasses.replace(trace.model, fingerprint="another")
    variants = [
        dataclasses.replace(trace, model=other_model),
        dataclasses.replace(trace, request=dataclasses.replace(REQUEST, candidates=5)),
        dataclasses.replace(trace, branch=("f" * 64, Edit(3, (1,)))),
        dataclasses.replace(trace, branch=("f" * 64, Edit(4, (1,)))),
    ]
    assert len({trace.key, *(variant.key for variant in variants)}) == 5


def test_the_name_people_give_a_model_does_not_change_the_name_of_a_trace(trace: ts.Trace) -> None:
    renamed = dataclasses.replace(trace.model, name="copy of the folder")
    assert dataclasses.replace(trace, model=renamed).key == trace.key


def test_byte_offsets_cut_the_text_into_its_tokens(trace: ts.Trace) -> None:
    assert trace.byte_start[0] == 0
    assert trace.byte_end[-1] == len(trace.text_bytes)
    assert trace.byte_start[1:].tolist() == trace.byte_end[:-1].tolist()
    for i, token_id in enumerate(trace.token_ids.tolist()):
        piece = trace.text_bytes[trace.byte_start[i] : trace.byte_end[i]]
        assert piece == (b"" if trace.special[i] else trace.vocabulary.token_bytes[token_id])


def test_a_character_cut_by_the_token_limit_shows_as_incomplete() -> None:
    vocabulary = tiny_models.language_model().vocabulary
    half = next(i for i, data in vocabulary.token_bytes.items() if data == b"\xf0")
    trace = ts.generate(tiny_models.language_model(), ts.Request("x", max_new_tokens=1))
    cut = dataclasses.replace(
        trace,
        vocabulary=vocabulary,
        token_ids=np.array([*trace.token_ids[:-1], half]),
    )
    assert cut.text_bytes.endswith(b"x\xf0")
    assert cut.text == "x\ufffd"


def test_surprisal_is_exactly_minus_logprob(trace: ts.Trace) -> None:
    np.testing.assert_array_equal(trace.surprisal, -trace.logprob)
    np.testing.assert_array_equal(trace.prob, np.exp(trace.logprob))


def test_a_trace_cannot_be_reassigned(trace: ts.Trace) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        trace.prompt_length = 0  # type: ignore[misc]


def test_making_a_trace_leaves_the_callers_arrays_writeable(lm: ts.LanguageModel) -> None:
    parts = list(rows(lm, REQUEST))
    ts.Trace.from_rows(REQUEST, lm.identity, lm.vocabulary, parts, "length")
    assert all(part.token_ids.flags.writeable for part in parts)
    assert all(part.metrics["entropy"].flags.writeable for part in parts)


def test_only_mentioned_tokens_travel_with_a_trace(trace: ts.Trace) -> None:
    mentioned = {*trace.token_ids.tolist(), *trace.candidate_ids[1:].ravel().tolist()}
    assert set(trace.vocabulary.token_bytes) == mentioned


@pytest.mark.parametrize("show", [repr, str])
def test_a_trace_introduces_itself(trace: ts.Trace, show: Callable[[object], str]) -> None:
    shown = show(trace)
    assert trace.key[:12] in shown
    assert "8 generated tokens, length" in shown
