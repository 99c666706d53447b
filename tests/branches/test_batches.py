"""Several branches at once against one by one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from grown_branches import assert_same_record, endless, parent_of

import tokenscope_core as ts
from tokenscope_core.branches import growing as branching
from tokenscope_core.branches import plans as branches


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
