"""Forks of every architecture, warm and cold, against running from scratch."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_families
from grown_branches import SAMPLINGS, assert_same_record, endless, from_scratch, parent_of

import tokenscope_core as ts
from tokenscope_core.branches import growing as branching
from tokenscope_core.record.steps import latest


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
