"""Forks, warm and cold, against running from scratch."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import oracles
import pytest
import tiny_families
import tiny_models
import torch

import tokenscope_core as ts
from tokenscope_core import branches, branching
from tokenscope_core.branches import plan
from tokenscope_core.steps import latest

PROMPT = "def add(a, b):\n    return a + b\n"
NEW_TOKENS = 24
SAMPLINGS = {
    "greedy": ts.Sampling(),
    "sampled": ts.Sampling(temperature=1.0, top_p=0.95, repetition_penalty=1.1, seed=5),
}


def endless(family: str = "llama") -> ts.LanguageModel:
    return dataclasses.replace(tiny_models.language_model(family), end_ids=frozenset())


def parent_of(lm: ts.LanguageModel, sampling: str = "greedy", **values: Any) -> ts.Trace:
    request = ts.Request(PROMPT, NEW_TOKENS, SAMPLINGS[sampling], **values)
    return ts.generate(lm, request)


def assert_same_record(a: ts.Trace, b: ts.Trace, tolerance: float = 5e-5) -> None:
    np.testing.assert_array_equal(a.token_ids, b.token_ids)
    for name in ("logprob", "entropy", "varentropy", "margin", "sampled_logprob"):
        np.testing.assert_allclose(a.column(name), b.column(name), atol=tolerance, err_msg=name)
    assert a.finish_reason == b.finish_reason


def from_scratch(lm: ts.LanguageModel, child: ts.Trace) -> ts.Trace:
    """The branch's text scored in one go: what every metric must be."""
    logits = oracles.full_pass(lm, child.token_ids)
    logprobs = oracles.log_softmax(logits)
    for position in range(1, len(child)):
        expected = logprobs[position - 1, child.token_ids[position]]
        assert child.logprob[position] == pytest.approx(expected, abs=5e-4)
    return child


@pytest.fixture(scope="module", params=tiny_families.FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_a_warm_fork_a_cold_fork_and_a_full_pass_agree(family: str, sampling: str) -> None:
    lm = endless(family)
    parent = parent_of(lm, sampling)
    before = parent.to_bytes()
    position = parent.prompt_length + 9
    other = int(parent.candidate_ids[position, 1])
    warm = ts.fork(lm, parent, position, token_id=other)
    lm.prefixes.clear()
    cold = ts.fork(lm, parent, position, token_id=other)
    assert warm.key == cold.key
    assert_same_record(warm, cold)
    from_scratch(lm, warm)
    assert warm.token_ids[position] == other
    assert warm.source[position] == "forced"
    assert len(warm) == len(parent)
    assert parent.to_bytes() == before


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_an_edit_that_changes_nothing_reproduces_the_parent(family: str, sampling: str) -> None:
    lm = endless(family)
    parent = parent_of(lm, sampling)
    position = parent.prompt_length + 4
    child = ts.fork(lm, parent, position, token_id=int(parent.token_ids[position]))
    np.testing.assert_array_equal(child.token_ids, parent.token_ids)
    np.testing.assert_allclose(child.logprob, parent.logprob, atol=5e-5)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_alternatives_grown_as_a_batch_equal_single_forks(family: str, sampling: str) -> None:
    lm = endless(family)
    parent = parent_of(lm, sampling)
    position = parent.prompt_length + 6
    together = ts.explore(lm, parent, position, top=5)
    taken = int(parent.token_ids[position])
    others = [i for i in parent.candidate_ids[position].tolist() if i != taken]
    assert [int(child.token_ids[position]) for child in together] == others[:5]
    for child in together:
        alone = ts.fork(lm, parent, position, token_id=int(child.token_ids[position]))
        assert child.key == alone.key
        assert_same_record(child, alone)


def test_running_on_from_the_same_tokens_is_the_same_run(family: str) -> None:
    """A fork greedily writes what a run writes that had the forced tokens for its prompt."""
    lm = endless(family)
    parent = parent_of(lm)
    position = parent.prompt_length + 9
    other = int(parent.candidate_ids[position, 2])
    child = ts.fork(lm, parent, position, token_id=other)
    ids = child.token_ids[: position + 1].tolist()
    request = ts.Request("unused", max_new_tokens=len(child) - len(ids))
    rows = branching.run(
        lm, lm.new_reader(), ids, ["prompt"] * len(ids), request, prompt_length=len(ids)
    )
    written = [token_id for part in latest(rows) for token_id in part.token_ids.tolist()]
    assert written == child.token_ids.tolist()


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


def test_fresh_noise_gives_another_branch_and_the_same_seed_the_same() -> None:
    lm = endless()
    parent = parent_of(lm, "sampled")
    position = parent.prompt_length + 3
    children = [ts.fork(lm, parent, position, seed=seed) for seed in (5, 6, 7, 6)]
    assert children[0].token_ids.tolist() == parent.token_ids.tolist()
    assert children[1].key == children[3].key
    assert children[1].token_ids.tolist() == children[3].token_ids.tolist()
    assert len({tuple(child.token_ids.tolist()) for child in children}) == 3


def test_draws_with_fresh_noise_as_a_batch_equal_single_ones() -> None:
    lm = endless()
    parent = parent_of(lm, "sampled")
    position = parent.prompt_length + 5
    plans = branches.redraws(parent, position, [11, 12, 13])
    parts: list[list[Any]] = [[], [], []]
    for index, part in branching.explore_rows(lm, plans):
        parts[index].append(part)
    for chosen, rows in zip(plans, parts, strict=True):
        together = branching.grown(lm, chosen, rows)
        alone = ts.fork(lm, parent, position, seed=chosen.request.sampling.seed)
        assert together.key == alone.key
        assert_same_record(together, alone)
    with pytest.raises(ts.RequestError, match="greedily"):
        branches.redraws(parent_of(lm), position, [1])


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
        ({"position": 3, "token_id": 10**6}, "vocabulary has"),
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


def test_more_alternatives_than_were_recorded_are_refused() -> None:
    lm = endless()
    parent = parent_of(lm, candidates=3)
    with pytest.raises(ts.RequestError, match="records 2 other"):
        ts.explore(lm, parent, parent.prompt_length, top=3)
    with pytest.raises(ts.RequestError, match="no distribution"):
        ts.explore(lm, parent, 0, top=1)


def test_an_alternative_that_ends_the_text_leaves_the_batch() -> None:
    open_ended = endless()
    parent = parent_of(open_ended)
    position = parent.prompt_length + 2
    taken = int(parent.token_ids[position])
    others = [i for i in parent.candidate_ids[position].tolist() if i != taken]
    lm = dataclasses.replace(open_ended, end_ids=frozenset({others[1]}))
    children = ts.explore(lm, parent, position, top=3)
    assert children[1].finish_reason == "eos"
    assert len(children[1]) == position + 1
    for child in children:
        assert_same_record(child, ts.fork(lm, parent, position, token_id=child.token_ids[position]))


def test_an_alternative_that_is_a_stop_token_ends_there_as_it_would_had_it_been_drawn() -> None:
    lm = endless()
    position = parent_of(lm).prompt_length + 2
    stop = int(parent_of(lm).candidate_ids[position, 1])
    parent = parent_of(lm, stop_token_ids=(stop,))
    alone = ts.fork(lm, parent, position, token_id=stop)
    assert alone.finish_reason == "stop"
    assert len(alone) == position + 1
    assert_same_record(ts.explore(lm, parent, position, top=2)[0], alone)
    on = ts.fork(lm, alone, len(alone), max_new_tokens=3)
    assert len(on) > len(alone), "a person may still go on from there"


def test_first_tokens_put_in_place_as_a_batch_equal_single_ones() -> None:
    lm = endless()
    parent = parent_of(lm)
    request = dataclasses.replace(parent.request, max_new_tokens=6)
    plans = [branches.BranchPlan(parent, ts.Edit(0, (token_id,)), request) for token_id in (50, 60)]
    parts: list[list[Any]] = [[], []]
    for index, part in branching.explore_rows(lm, plans):
        parts[index].append(part)
    for chosen, rows in zip(plans, parts, strict=True):
        alone = branching.grown(lm, chosen, branching.branch_rows(lm, chosen))
        assert_same_record(branching.grown(lm, chosen, rows), alone)


def test_a_branch_stopped_within_its_prompt_can_be_stored() -> None:
    lm = endless()
    parent = parent_of(lm)
    chosen = plan(parent, ts.Edit(3, (50,), kept=parent.prompt_length - 4))
    rows = [next(branching.branch_rows(lm, chosen))]
    stopped = chosen.trace(lm.identity, lm.vocabulary, rows, "cancelled")
    assert ts.Trace.from_bytes(stopped.to_bytes()).key == stopped.key
    assert len(stopped) == stopped.prompt_length == 3


@pytest.mark.parametrize("stop_after", range(1, 8))
def test_what_is_kept_of_a_stopped_branch_is_what_its_tokens_read(stop_after: int) -> None:
    """Also where a block of other tokens had been read ahead of the choice."""
    lm = endless()
    parent = parent_of(lm)
    ids = parent.token_ids[: parent.prompt_length].tolist()
    right = parent.token_ids[parent.prompt_length :].tolist()
    guess = [token_id if at % 4 != 3 else (token_id + 1) % 300 for at, token_id in enumerate(right)]
    lm.prefixes.clear()
    reader = lm.new_reader()
    rows = branching.run(
        lm, reader, ids, ["prompt"] * len(ids), parent.request,
        prompt_length=len(ids), guess=guess,
    )  # fmt: skip
    drawn = 0
    for part in rows:
        drawn += part.source == "sampled"
        if drawn == stop_after:
            break
    rows.close()
    kept = lm.prefixes.branch(parent.token_ids.tolist())
    assert kept is not None
    end = kept.length
    logits = kept.read(torch.tensor([parent.token_ids[end : end + 1].tolist()]))
    expected = oracles.full_pass(lm, parent.token_ids[: end + 1])[-1]
    np.testing.assert_allclose(logits[0].numpy(), expected, atol=1e-4)


def test_an_old_continuation_is_verified_not_trusted() -> None:
    """Whatever the guess, what is drawn is what single steps draw."""
    lm = endless()
    for sampling in SAMPLINGS:
        parent = parent_of(lm, sampling)
        chosen = plan(parent, ts.Edit(parent.prompt_length, (), removed=0))
        for wrong in (set(), {3}, {0, 9, 10, 17}, set(range(NEW_TOKENS))):
            guess = [
                (i + 1) % 300 if at in wrong else i for at, i in enumerate(chosen.old_continuation)
            ]
            ids = parent.token_ids[: parent.prompt_length].tolist()
            reader = lm.new_reader()
            rows = branching.run(
                lm, reader, ids, ["prompt"] * len(ids), parent.request,
                prompt_length=len(ids), guess=guess,
            )  # fmt: skip
            trace = ts.Trace.from_rows(
                parent.request, lm.identity, lm.vocabulary, rows, parent.finish_reason
            )
            assert_same_record(trace, parent)


def test_kept_prefixes_stay_within_their_limit() -> None:
    lm = endless()
    lm.prefixes.clear()
    parent = parent_of(lm)
    one = lm.prefixes.nbytes
    assert one > 0
    lm.prefixes.limit_bytes = 3 * one
    try:
        for seed in range(8):
            ts.fork(lm, parent, parent.prompt_length, text=f"a{seed}")
            assert 0 < lm.prefixes.nbytes <= 3 * one
        lm.prefixes.limit_bytes = kept = lm.prefixes.nbytes
        ts.fork(lm, parent, len(parent), max_new_tokens=150)
        assert lm.prefixes.nbytes == kept, "a text too large to keep drives out no other"
        lm.prefixes.limit_bytes = 0
        ts.fork(lm, parent, parent.prompt_length, text="b")
        assert lm.prefixes.nbytes == 0
    finally:
        lm.prefixes.limit_bytes = 2**28


def test_turning_points_are_the_most_open_generated_positions() -> None:
    lm = endless()
    parent = parent_of(lm)
    unknown = np.full(len(parent), np.nan)
    first = branches.turning_points(parent, "entropy", 5, unknown)
    assert all(position >= parent.prompt_length for position in first)
    assert parent.entropy[first[0]] == parent.entropy[parent.prompt_length :].max()
    assert list(parent.entropy[list(first)]) == sorted(parent.entropy[list(first)], reverse=True)
    closest = branches.turning_points(parent, "margin", 1, unknown)
    assert parent.margin[closest[0]] == parent.margin[parent.prompt_length :].min()
    assert branches.turning_points(parent, "influence", 3, unknown) == ()
    mattered = ts.influence(lm, parent).total
    assert branches.turning_points(parent, "influence", 1, mattered) == (np.nanargmax(mattered),)


def test_branches_at_several_positions_grow_one_after_another() -> None:
    lm = endless()
    parent = parent_of(lm)
    plans = [branches.alternatives(parent, parent.prompt_length + at, 1)[0] for at in (3, 9)]
    parts: list[list[Any]] = [[], []]
    for index, part in branching.explore_rows(lm, plans):
        parts[index].append(part)
    for chosen, rows in zip(plans, parts, strict=True):
        alone = ts.fork(lm, parent, chosen.edit.position, token_id=chosen.edit.token_ids[0])
        assert_same_record(branching.grown(lm, chosen, rows), alone)
