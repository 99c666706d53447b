"""The metrics of one batch of distributions, fused: few passes over the vocabulary.

Definitions and sources are in `metric_registry`. Everything is computed in float32 from the
logits, whatever precision the model runs in: bfloat16 carries about three digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tokenscope_core.steps import Floats, Ints

MEASURED = ("logprob", "entropy", "varentropy", "margin", "rank")


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """What n distributions and the tokens taken from them amount to, on the host.

    `columns` maps each name of `MEASURED` to float64 [n]; `candidate_ids` int64 [n, K] and
    `candidate_logprobs` float64 [n, K] hold the K most probable tokens, most probable first.
    """

    columns: dict[str, Floats]
    candidate_ids: Ints
    candidate_logprobs: Floats


def measure(logits: torch.Tensor, token_ids: torch.Tensor, candidates: int) -> Measures:
    """Measure distributions and the tokens taken from them.

    Args:
        logits: [n, V], any float dtype; raw model output.
        token_ids: int64 [n], the token taken at each position.
        candidates: K, how many of the most probable tokens to keep (at most V are kept).
    """
    logits = logits.float()
    vocabulary_size = logits.shape[-1]
    log_normaliser = torch.logsumexp(logits, dim=-1, keepdim=True)
    logprobs = logits - log_normaliser
    probs = logprobs.exp()
    entropy = torch.special.entr(probs).sum(dim=-1)
    deviation = (logprobs + entropy.unsqueeze(-1)).square_()
    # A token of probability 0 has logprob -inf and contributes nothing: 0 * inf is not 0.
    varentropy = (probs * deviation).nan_to_num_(nan=0.0).sum(dim=-1)

    kept = min(max(candidates, 2), vocabulary_size)
    # Ordered by logit: logprobs are rounded, which would tie tokens the model tells apart.
    top = torch.topk(logits, kept, dim=-1)
    top_logprobs = top.values - log_normaliser
    top_probs = top_logprobs[:, :2].exp()
    runner_up = top_probs[:, 1] if kept > 1 else torch.zeros_like(top_probs[:, 0])
    taken_logits = logits.gather(-1, token_ids.unsqueeze(-1))
    taken = taken_logits - log_normaliser
    rank = (logits > taken_logits).sum(dim=-1) + 1

    # One transfer for all floats, whatever the device.
    scalars = torch.stack(
        (taken.squeeze(-1), entropy, varentropy, top_probs[:, 0] - runner_up, rank.float()), dim=-1
    )
    width = min(candidates, vocabulary_size)
    packed = torch.cat((scalars, top_logprobs[:, :width]), dim=-1).cpu().numpy().astype(np.float64)
    return Measures(
        columns={name: packed[:, i] for i, name in enumerate(MEASURED)},
        candidate_ids=top.indices[:, :width].cpu().numpy().astype(np.int64),
        candidate_logprobs=packed[:, len(MEASURED) :],
    )


def missing(count: int, candidates: int) -> Measures:
    """The measures of `count` positions that no distribution precedes."""
    return Measures(
        columns={name: np.full(count, np.nan) for name in MEASURED},
        candidate_ids=np.full((count, candidates), -1, dtype=np.int64),
        candidate_logprobs=np.full((count, candidates), np.nan),
    )
