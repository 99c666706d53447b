"""A run that goes on is, bit for bit, the one run that would have been longer."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import tiny_models
from conversations import CHATML, chat_model
from grown_branches import NEW_TOKENS, PROMPT, SAMPLINGS, assert_same_record, endless, parent_of

import tokenscope_core as ts
from tokenscope_core.record.metric_registry import STORED
from tokenscope_core.sessions.traces import cut_short

MORE = 17
PENALISED = {
    **SAMPLINGS,
    "penalised": ts.Sampling(
        repetition_penalty=1.2, frequency_penalty=0.4, presence_penalty=0.3, no_repeat_ngram_size=4
    ),
    "penalised and sampled": ts.Sampling(
        temperature=0.9, top_k=40, min_p=0.02, frequency_penalty=0.5, presence_penalty=0.2, seed=11
    ),
}


def assert_bit_for_bit(found: ts.Trace, whole: ts.Trace) -> None:
    assert found.key == whole.key
    assert found.finish_reason == whole.finish_reason
    assert found.prompt_length == whole.prompt_length
    np.testing.assert_array_equal(found.source, whole.source)
    for name in (name for name in STORED if name != "elapsed_ms"):
        np.testing.assert_array_equal(found.metrics[name], whole.metrics[name], err_msg=name)
    for name in ("token_ids", "candidate_ids", "candidate_logprobs", "candidate_kept"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name), err_msg=name)


def longer(trace: ts.Trace, more: int = MORE) -> ts.Request:
    return replace(trace.request, max_new_tokens=trace.request.max_new_tokens + more)


@pytest.mark.parametrize("sampling", PENALISED)
def test_a_finished_run_goes_on_as_one_longer_run(sampling: str) -> None:
    lm = endless()
    request = ts.Request(PROMPT, NEW_TOKENS, PENALISED[sampling])
    trace = ts.generate(lm, request)
    found = ts.extend(lm, trace, MORE)
    assert len(found) == len(trace) + MORE
    assert_bit_for_bit(found, ts.generate(lm, longer(trace)))
    assert_bit_for_bit(ts.extend(lm, found, 3), ts.generate(lm, longer(trace, MORE + 3)))


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_without_what_was_cached_it_is_the_same_to_the_last_digits(family: str) -> None:
    lm = endless(family)
    trace = parent_of(lm, "sampled")
    lm.prefixes.clear()
    found = ts.extend(lm, trace, MORE)
    assert_same_record(found, ts.generate(lm, longer(trace)))
    assert found.key == ts.generate(lm, longer(trace)).key


@pytest.mark.parametrize("sampling", PENALISED)
def test_a_stopped_run_goes_on_to_what_it_was_to_be(sampling: str) -> None:
    lm = endless()
    whole = ts.generate(lm, ts.Request(PROMPT, NEW_TOKENS, PENALISED[sampling]))
    stopped = cut_short(whole, whole.prompt_length + 9)
    assert_bit_for_bit(ts.extend(lm, stopped, NEW_TOKENS - 9), whole)


def test_a_run_stopped_while_its_prompt_was_read_reads_all_of_it() -> None:
    lm = endless()
    whole = parent_of(lm, "sampled")
    stopped = cut_short(whole, 4)
    assert_bit_for_bit(ts.extend(lm, stopped, NEW_TOKENS), whole)


@pytest.mark.parametrize("sampling", PENALISED)
@pytest.mark.parametrize(
    "forked",
    [
        lambda lm, trace: ts.fork(lm, trace, trace.prompt_length + 6, text="if x", removed=2),
        lambda lm, trace: ts.fork(lm, trace, 3, token_id=77, kept=trace.prompt_length - 4),
        lambda lm, trace: ts.fork(lm, trace, trace.prompt_length + 4, seed=8),
        lambda lm, trace: ts.fork(lm, trace, len(trace), max_new_tokens=5),
    ],
    ids=["put after the prompt", "put into the prompt", "drawn anew", "past the end"],
)
def test_a_branch_goes_on_as_the_same_branch(
    sampling: str, forked: Callable[[ts.LanguageModel, ts.Trace], ts.Trace]
) -> None:
    lm = endless()
    trace = ts.generate(lm, ts.Request(PROMPT, NEW_TOKENS, PENALISED[sampling]))
    branch = forked(lm, trace)
    assert branch.branch is not None
    # Drawn step by step, as a guess taken from the parent is read in blocks.
    lm.prefixes.clear()
    found = ts.extend(lm, branch, MORE)
    assert found.parent == branch.parent
    whole = ts.apply_edit(lm, trace, branch.branch[1], longer(branch))
    assert found.key == whole.key
    assert_same_record(found, whole)
    np.testing.assert_array_equal(found.source, whole.source)


def test_a_rescored_text_goes_on_after_what_was_kept() -> None:
    lm = endless()
    trace = parent_of(lm)
    at = trace.prompt_length + 3
    branch = ts.fork(lm, trace, at, removed=1, kept=len(trace) - at - 1, max_new_tokens=0)
    found = ts.extend(lm, branch, 5)
    assert len(found) == len(branch) + 5
    assert found.request.max_new_tokens == 5
    assert branch.branch is not None
    assert_same_record(found, ts.apply_edit(lm, trace, branch.branch[1], found.request))


def test_a_scored_text_goes_on_greedily() -> None:
    lm = endless()
    found = ts.extend(lm, ts.score(lm, PROMPT), 6)
    assert_same_record(found, ts.generate(lm, ts.Request(PROMPT, 6)))


def test_an_answer_in_a_conversation_goes_on() -> None:
    lm = replace(chat_model(CHATML), end_ids=frozenset())
    request = ts.Request(
        "a = ", 8, ts.Sampling(temperature=1.0, seed=4), messages=(ts.Message("user", "Add."),)
    )
    trace = ts.generate(lm, request)
    assert_bit_for_bit(ts.extend(lm, trace, MORE), ts.generate(lm, longer(trace)))


def test_a_stop_string_that_was_half_written_is_completed() -> None:
    lm = endless()
    trace = parent_of(lm)
    spelled = [
        lm.vocabulary.token_bytes[i] for i in trace.token_ids[trace.prompt_length :].tolist()
    ]
    pairs = (a + b for a, b in itertools.pairwise(spelled) if (a + b).isascii() and a and b)
    stopping = parent_of(lm, stop=(next(pairs).decode(),))
    assert stopping.finish_reason == "stop"
    begun = cut_short(stopping, len(stopping) - 1)
    found = ts.extend(lm, begun, 12)
    assert found.finish_reason == "stop"
    assert_bit_for_bit(found, ts.generate(lm, found.request))
    assert found.token_ids.tolist() == stopping.token_ids.tolist()


def test_a_text_that_ended_by_itself_is_gone_past_by_a_fork_only() -> None:
    lm = endless()
    trace = parent_of(lm)
    end = int(trace.token_ids[trace.prompt_length + 5])
    ending = replace(lm, end_ids=frozenset({end}))
    ended = parent_of(ending)
    assert ended.finish_reason == "eos"
    with pytest.raises(ts.RequestError, match=r"ended with an end token.*Fork it at its end"):
        ts.extend(ending, ended, 4)
    past = ts.fork(ending, ended, len(ended), max_new_tokens=4)
    assert past.token_ids[: len(ended)].tolist() == ended.token_ids.tolist()


def test_what_cannot_go_on_says_why() -> None:
    lm = endless()
    trace = parent_of(lm)
    with pytest.raises(ts.RequestError, match="Ask for 1 or more"):
        ts.extend(lm, trace, 0)
    full = ts.extend(lm, trace, tiny_models.CONTEXT - len(trace))
    with pytest.raises(ts.RequestError, match="fills the model's context"):
        ts.extend(lm, full, 1)
    with pytest.raises(ts.ContextLengthError):
        ts.extend(lm, trace, tiny_models.CONTEXT)
    with pytest.raises(ts.RequestError, match="another version"):
        ts.extend(endless("gpt2"), trace, 1)
