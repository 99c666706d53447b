"""What branches make use of: prefixes that were kept, the old text as a guess."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
import torch
from grown_branches import NEW_TOKENS, SAMPLINGS, assert_same_record, endless, parent_of

import tokenscope_core as ts
from tokenscope_core.branches import growing as branching
from tokenscope_core.branches.plans import plan


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
        chosen = plan(parent, ts.Edit.continue_from(parent.prompt_length))
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
