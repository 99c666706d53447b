"""What can be put in place of a token, and where a branch then ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny_models
from grown_branches import (
    NEW_TOKENS,
    PROMPT,
    SAMPLINGS,
    assert_same_record,
    endless,
    from_scratch,
    parent_of,
)

import tokenscope_core as ts
from tokenscope_core.branches import growing as branching
from tokenscope_core.branches.plans import plan


@pytest.mark.parametrize("position", [0, 1, 5])
def test_a_token_of_the_prompt_can_be_replaced(position: int) -> None:
    lm = endless()
    parent = parent_of(lm)
    rest = parent.prompt_length - position - 1
    child = ts.fork(lm, parent, position, token_id=77, kept=rest)
    assert child.prompt_length == parent.prompt_length
    assert child.token_ids[position] == 77
    assert child.source[position] == "forced"
    assert (child.source[position + 1 : child.prompt_length] == "prompt").all()
    assert len(child) == len(parent)
    from_scratch(lm, child)
    assert ts.Trace.from_bytes(child.to_bytes()).key == child.key


@pytest.mark.parametrize("text", ["x", "while True:\n", "é👋", "  ", "\n"])
def test_text_of_any_length_is_put_in_byte_for_byte(text: str) -> None:
    lm = endless()
    parent = parent_of(lm)
    position = parent.prompt_length + 5
    child = ts.fork(lm, parent, position, text=text, removed=0)
    start = int(parent.byte_start[position])
    assert child.text_bytes[start : start + len(text.encode())] == text.encode()
    forced = child.source == "forced"
    assert int(forced.sum()) == len(child.token_ids[forced]) >= 1
    from_scratch(lm, child)


def test_deleting_tokens_and_keeping_the_rest_rescores_it() -> None:
    lm = endless()
    parent = parent_of(lm)
    position = parent.prompt_length + 5
    rest = len(parent) - position - 2
    child = ts.fork(lm, parent, position, removed=2, kept=rest, max_new_tokens=0)
    expected = np.delete(parent.token_ids, [position, position + 1])
    np.testing.assert_array_equal(child.token_ids, expected)
    assert (child.source[position:] == "forced").all()
    assert child.finish_reason == "length"
    from_scratch(lm, child)


def test_going_on_past_the_end_appends() -> None:
    lm = endless()
    parent = parent_of(lm)
    child = ts.fork(lm, parent, len(parent), max_new_tokens=7)
    np.testing.assert_array_equal(child.token_ids[: len(parent)], parent.token_ids)
    assert len(child) == len(parent) + 7
    whole = ts.generate(lm, ts.Request(PROMPT, NEW_TOKENS + 7))
    np.testing.assert_array_equal(child.token_ids, whole.token_ids)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_a_fork_at_the_end_goes_on_as_one_longer_run_would(sampling: str) -> None:
    lm = endless()
    parent = parent_of(lm, sampling)
    child = ts.fork(lm, parent, len(parent))
    longer = ts.Request(PROMPT, 2 * NEW_TOKENS, SAMPLINGS[sampling])
    assert_same_record(child, ts.generate(lm, longer))
    assert (child.source[parent.prompt_length :] == "sampled").all()
    on = ts.fork(lm, child, len(child))
    assert len(on) == len(child) + NEW_TOKENS, "and again, from what it has come to"


def test_a_text_that_was_only_scored_goes_on_as_any_request_would() -> None:
    lm = endless()
    scored = ts.score(lm, "x = 1")
    child = ts.fork(lm, scored, len(scored))
    assert len(child) == min(len(scored) + ts.Request("").max_new_tokens, tiny_models.CONTEXT)


def test_a_fork_at_the_end_that_adds_nothing_is_refused() -> None:
    lm = endless()
    parent = parent_of(lm)
    with pytest.raises(ts.RequestError, match="0 new tokens"):
        ts.fork(lm, parent, len(parent), max_new_tokens=0)
    room = tiny_models.CONTEXT - parent.prompt_length
    full = ts.generate(lm, ts.Request(PROMPT, room))
    assert len(full) == tiny_models.CONTEXT
    with pytest.raises(ts.RequestError, match="fills the model's context"):
        ts.fork(lm, full, len(full))


def test_fresh_noise_gives_another_branch_and_the_same_seed_the_same() -> None:
    lm = endless()
    parent = parent_of(lm, "sampled")
    position = parent.prompt_length + 3
    children = [ts.fork(lm, parent, position, seed=seed) for seed in (5, 6, 7, 6)]
    assert children[0].token_ids.tolist() == parent.token_ids.tolist()
    assert children[1].key == children[3].key
    assert children[1].token_ids.tolist() == children[3].token_ids.tolist()
    assert len({tuple(child.token_ids.tolist()) for child in children}) == 3


def test_a_fork_of_a_fork_goes_as_far_as_its_parents_were_to() -> None:
    lm = endless()
    parent = parent_of(lm)
    child = ts.fork(lm, parent, parent.prompt_length + 4, text="if x")
    grandchild = ts.fork(lm, child, parent.prompt_length + 12, text="y")
    assert len(parent) == len(child) == len(grandchild)
    assert grandchild.parent == (child.key, parent.prompt_length + 12)
    from_scratch(lm, grandchild)


def test_a_forced_end_token_ends_the_branch() -> None:
    lm = tiny_models.language_model()
    parent = parent_of(endless())
    end = next(iter(lm.end_ids))
    child = ts.fork(lm, parent, parent.prompt_length + 4, token_id=end)
    assert child.finish_reason == "eos"
    assert len(child) == parent.prompt_length + 5


def test_a_stop_string_across_the_fork_ends_the_branch() -> None:
    lm = endless()
    parent = parent_of(lm)
    position = parent.prompt_length + 6
    child = ts.fork(lm, parent, position, text="qqz")
    following = lm.vocabulary.label(int(child.token_ids[position + child_width(child)]))
    stopping = parent_of(lm, stop=("z" + following,))
    stopped = ts.fork(lm, stopping, position, text="qqz")
    assert stopped.finish_reason == "stop"
    assert stopped.text.endswith("z" + following)


def test_text_that_completes_a_stop_string_ends_the_branch_as_it_would_had_it_been_drawn() -> None:
    lm = endless()
    position = parent_of(lm).prompt_length + 6
    before = lm.vocabulary.label(int(parent_of(lm).token_ids[position - 1]))
    parent = parent_of(lm, stop=(before + "qqz",))
    ended = ts.fork(lm, parent, position, text="qqz")
    assert ended.finish_reason == "stop"
    assert ended.text.endswith("qqz")
    gone_on = ts.fork(lm, parent, position, text="qqzy")
    assert (gone_on.source[position:] == "sampled").any(), "a person wrote on after it"
    on = ts.fork(lm, ended, len(ended), max_new_tokens=3)
    assert len(on) > len(ended), "a person may still go on from there"


def test_a_stop_string_in_the_prompt_does_not_end_a_branch() -> None:
    lm = endless()
    parent = parent_of(lm, stop=("qqz",))
    child = ts.fork(lm, parent, parent.prompt_length - 1, text="qqz")
    assert len(child) > child.prompt_length
    assert child.finish_reason == "length"


def child_width(child: ts.Trace) -> int:
    return int((child.source == "forced").sum())


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"position": 10**6}, "The trace has"),
        ({"position": 3, "token_id": 10**6}, "rows for 290 tokens"),
        ({"position": 3, "text": ""}, "no tokens"),
        ({"position": 3, "token_id": 1, "text": "x"}, "Only one"),
        ({"position": -1, "token_id": 1}, "whole number"),
        ({"position": 0, "removed": 0, "max_new_tokens": 0}, "Nothing would be left"),
        ({"position": 0, "removed": 20}, "Nothing would be left"),
        ({"position": 5, "token_id": 1, "max_new_tokens": 10**6}, "context"),
    ],
)
def test_an_impossible_edit_is_refused_by_name(values: dict[str, Any], found: str) -> None:
    lm = endless()
    with pytest.raises(ts.RequestError, match=found):
        ts.fork(lm, parent_of(lm), **values)


def test_the_model_must_be_the_one_the_trace_came_from() -> None:
    with pytest.raises(ts.RequestError, match="tiny-gpt2"):
        ts.fork(endless("gpt2"), parent_of(endless()), 5, token_id=3)


def test_a_branch_stopped_within_its_prompt_can_be_stored() -> None:
    lm = endless()
    parent = parent_of(lm)
    chosen = plan(parent, ts.Edit(3, (50,), kept=parent.prompt_length - 4))
    rows = [next(branching.branch_rows(lm, chosen))]
    stopped = chosen.trace(lm.identity, lm.vocabulary, rows, "cancelled")
    assert ts.Trace.from_bytes(stopped.to_bytes()).key == stopped.key
    assert len(stopped) == stopped.prompt_length == 3
