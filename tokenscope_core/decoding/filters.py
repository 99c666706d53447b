"""Which tokens may be drawn: top-k, top-p, min-p and locally typical sampling.

They keep the tokens that transformers' warpers keep, in the order in which `generate` applies them.
They run on the host, where the noise is: numpy sorts a vocabulary in a twentieth of the time that
torch needs on a CPU.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.record.arrays import Ints
from tokenscope_core.record.request import Sampling

Scores = NDArray[np.float32]


def kept_tokens(scores: Scores, sampling: Sampling) -> Ints | None:
    """The ids of the tokens that pass the filters, int64 [n], ascending, n > 0; None means all.

    Args:
        scores: [V], logits after penalties and temperature.
        sampling: which filters to apply.
    """
    token_ids: Ints | None = None
    if 0 < sampling.top_k < len(scores):
        # Tokens that tie with the last of the k are kept with it.
        token_ids = np.flatnonzero(scores >= np.partition(scores, -sampling.top_k)[-sampling.top_k])
    if sampling.top_p < 1.0:
        token_ids = _among(token_ids, _nucleus(_of(scores, token_ids), sampling.top_p))
    if sampling.min_p > 0.0:
        likely = _of(scores, token_ids) >= float(scores.max()) + math.log(sampling.min_p)
        token_ids = _among(token_ids, np.flatnonzero(likely))
    if sampling.typical_p < 1.0:
        token_ids = _among(token_ids, _typical(_of(scores, token_ids), sampling.typical_p))
    return token_ids


def _of(scores: Scores, token_ids: Ints | None) -> Scores:
    return scores if token_ids is None else scores[token_ids]


def _among(token_ids: Ints | None, indices: Ints) -> Ints:
    return indices if token_ids is None else token_ids[indices]


def _nucleus(scores: Scores, top_p: float) -> Ints:
    """Indices of the fewest most probable tokens that hold `top_p` of the probability.

    The token that crosses the threshold is among them (arXiv:1904.09751).
    """
    # Values are sorted, not indices: numpy does that several times faster.
    falling = np.sort(scores)[::-1].astype(np.float64)
    weights = np.exp(falling - falling[0])
    before = np.cumsum(weights) - weights
    count = max(1, int(np.count_nonzero(before < top_p * weights.sum())))
    last = falling[count - 1]
    kept = scores > last
    kept[np.flatnonzero(scores == last)[: count - np.count_nonzero(kept)]] = True
    return np.flatnonzero(kept)


def _typical(scores: Scores, typical_p: float) -> Ints:
    """Indices of the tokens whose surprisal is nearest to the entropy, until they hold `typical_p`.

    Tokens as far from it as the one that crosses the threshold are kept with it
    (arXiv:2202.00666).
    """
    falling = np.sort(scores)[::-1].astype(np.float64)
    weights = np.exp(falling - falling[0])
    probs = weights / weights.sum()
    normaliser = falling[0] + math.log(weights.sum())
    possible = probs > 0.0
    entropy = float((probs[possible] * (normaliser - falling[possible])).sum())
    typical_score = normaliser - entropy
    distance = np.abs(falling - typical_score)
    # Falling scores come nearer, then go away: two runs, which a stable sort merges in one pass.
    nearest = np.argsort(distance, kind="stable")
    before = int(np.count_nonzero(np.cumsum(probs[nearest]) < typical_p))
    furthest = distance[nearest[min(before, len(scores) - 1)]]
    return np.flatnonzero(np.abs(scores.astype(np.float64) - typical_score) <= furthest)
