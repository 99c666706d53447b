"""Generating with everything recorded, over plain `model.generate` on the same request."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.paired import Comparison, compare
from tokenscope_core import LanguageModel, Request, Sampling, generate

PROMPT = "def mean(values):\n    return sum(values) / len(values)\n\n\n"
SAMPLINGS = {
    "greedy": Sampling(),
    "top-k 50, top-p 0.95": Sampling(temperature=0.8, top_k=50, top_p=0.95),
    "top-p 0.95": Sampling(temperature=0.8, top_p=0.95),
}
# Generation with 20 candidates a token, over generate.
TARGETS = {"greedy": 1.02, "top-k 50, top-p 0.95": 1.0, "top-p 0.95": 1.0}


def generation_cost(
    lm: LanguageModel, sampling: Sampling, *, new_tokens: int, pairs: int
) -> Comparison:
    """Compare the two on one prompt; both write exactly `new_tokens` tokens."""
    request = Request(PROMPT, max_new_tokens=new_tokens, sampling=sampling, candidates=20)
    ids = torch.tensor([lm.encode(PROMPT)])
    arguments: dict[str, Any] = {"do_sample": not sampling.greedy}
    if not sampling.greedy:
        arguments |= {
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
        }

    def plain() -> None:
        output = lm.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=new_tokens,
            pad_token_id=0,
            **arguments,
        )
        assert output.shape[1] == ids.shape[1] + new_tokens

    def traced() -> None:
        trace = generate(lm, request)
        assert len(trace) == ids.shape[1] + new_tokens

    return compare(plain, traced, pairs=pairs)
