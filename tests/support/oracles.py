"""The formulae of `metric_registry` written out plainly in float64: slow, and nothing shared."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from tokenscope_core import LanguageModel

Floats = NDArray[np.float64]


def full_pass(lm: LanguageModel, token_ids: NDArray[np.int64]) -> Floats:
    """Logits [T, V] of one uncached forward pass of the same weights in float64."""
    precise = copy.deepcopy(lm.model).double()
    precise.set_experts_implementation("eager")  # the fused one knows no float64
    with torch.no_grad():
        logits: torch.Tensor = precise(torch.tensor([token_ids.tolist()]), use_cache=False).logits
    return logits[0].numpy()


def log_softmax(logits: Floats) -> Floats:
    """ln p along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def running_perplexity(logprobs: Floats, prompt_length: int) -> Floats:
    """The perplexity of the generated tokens up to each, or of all tokens where none was generated,
    from ln p [T] of each token taken, NaN where it has none."""
    start = prompt_length if prompt_length < len(logprobs) else 0
    found = np.full(len(logprobs), np.nan)
    for end in range(start, len(logprobs)):
        so_far = [-logprob for logprob in logprobs[start : end + 1] if not np.isnan(logprob)]
        if not np.isnan(logprobs[end]):
            found[end] = np.exp(sum(so_far) / len(so_far))
    return found


def metrics_of(logits: Floats, taken: int, candidates: int) -> dict[str, float]:
    """Every raw metric of one distribution [V], from its definition."""
    logprobs = log_softmax(np.asarray(logits, dtype=np.float64))
    support = logprobs[logprobs > -np.inf]
    probs = np.exp(support)
    entropy = -sum(probs * support)
    ordered = [*sorted(np.exp(logprobs), reverse=True), 0.0]
    top = np.array(ordered[: min(candidates, len(logprobs))])
    shares = top[top > 0] / top.sum()
    logprob = logprobs[taken]
    return {
        "logprob": logprob,
        "prob": np.exp(logprob),
        "surprisal": -logprob,
        "entropy": entropy,
        "entropy_norm": entropy / np.log(len(logprobs)),
        "varentropy": sum(probs * (support + entropy) ** 2),
        "margin": ordered[0] - ordered[1],
        "rank": 1 + sum(logits > logits[taken]),  # p rises with the logit
        "top_mass": top.sum(),
        "top_entropy": -sum(shares * np.log(shares)),
        "min_p_ratio": np.exp(logprob) / ordered[0],
        "typicality": -logprob - entropy,
    }


def context_lengths(length: int, context: int, overlap: int, lead: int) -> list[int]:
    """How many tokens precede each of a text in the window that scores it.

    Of the windows that begin 0, s, 2s ... tokens behind the `lead` tokens of the text, each with
    those before it, the first that reaches a token scores it.
    """
    stride = context - lead - overlap
    seen = []
    for position in range(length):
        skipped = next(s for s in range(0, length, stride) if position < s + context)
        seen.append(position - skipped)
    return seen
