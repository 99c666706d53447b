"""Tokens that are biased or never drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tokenscope_core as ts
from tokenscope_core.decoding.sampling import Sampler

NOTHING = torch.empty((1, 0), dtype=torch.long)
LOGITS = torch.tensor([[2.0, 1.0, 0.5, 0.0, -1.0, -3.0]])


def test_suppressing_every_token_is_said_in_words() -> None:
    sampler = Sampler(ts.Sampling(suppress_tokens=range(6)))
    with pytest.raises(ts.RequestError, match="any of 6 suppressed tokens"):
        sampler.choose(LOGITS, NOTHING, 0)


def test_greedy_takes_the_favourite_of_what_is_left() -> None:
    choice = Sampler(ts.Sampling(suppress_tokens=(0,), logit_bias={5: 10.0})).choose(
        LOGITS, NOTHING, 0
    )
    assert choice.token_id == 5
    assert choice.kept(np.array([0, 1, 5])).tolist() == [False, True, True]
