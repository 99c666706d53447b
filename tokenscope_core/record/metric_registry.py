"""What each number means: name, unit, definition, source. The one list screens and files use.

Throughout, p is the model's raw distribution over the whole vocabulary V before the token at a
position, y the token taken there, and ln the natural logarithm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

NATS_PER_BIT = 0.6931471805599453


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of a trace: how it is defined, where it comes from and how it is measured."""

    name: str
    label: str
    unit: Literal["nats", "nats²", "probability", "rank", "ratio", "ms"]
    formula: str
    meaning: str
    source: str
    distribution: Literal["raw", "sampled", "none"] = "raw"
    stored: bool = False

    @property
    def range(self) -> tuple[float, float]:
        """Between which values it always lies, and so does its mean."""
        return _RANGES.get(self.name, (-math.inf, math.inf))


_FROM_ZERO, _SHARE, _UP_TO_ZERO = (0.0, math.inf), (0.0, 1.0), (-math.inf, 0.0)
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("surprisal", "entropy", "varentropy", "top_entropy", "elapsed_ms"), _FROM_ZERO
    ),
    **dict.fromkeys(("prob", "entropy_norm", "margin", "top_mass", "min_p_ratio"), _SHARE),
    **dict.fromkeys(("logprob", "sampled_logprob"), _UP_TO_ZERO),
    "rank": (1.0, math.inf),
}

METRICS: tuple[Metric, ...] = (
    Metric(
        "surprisal", "surprisal", "nats", "−ln p(y)",
        "How unexpected the token taken was. 0 when the model was certain of it.",
        "Hale 2001; Levy 2008",
    ),
    Metric(
        "prob", "probability", "probability", "p(y)",
        "The model's probability of the token taken.",
        "softmax of the logits, temperature 1, no filter",
    ),
    Metric(
        "logprob", "log-probability", "nats", "ln p(y)",
        "The logarithm of the probability of the token taken.",
        "log-softmax of the logits", stored=True,
    ),
    Metric(
        "entropy", "entropy", "nats", "H = −Σ p ln p over V",
        "How spread out the whole distribution was, whichever token was taken.",
        "Shannon 1948", stored=True,
    ),
    Metric(
        "entropy_norm", "normalised entropy", "ratio", "H / ln |V|",
        "Entropy as a share of the largest possible for the vocabulary.",
        "Shannon 1948",
    ),
    Metric(
        "varentropy", "varentropy", "nats²", "Σ p (ln p + H)²",
        "The variance of surprisal: high when a few likely tokens stand before a long tail.",
        "variance of the information content", stored=True,
    ),
    Metric(
        "margin", "margin", "probability", "p(1) − p(2)",
        "The gap between the two most probable tokens, whichever was taken.",
        "Scheffer et al. 2001", stored=True,
    ),
    Metric(
        "rank", "rank", "rank", "1 + #{v : p(v) > p(y)}",
        "The place of the token taken among all tokens; 1 is the favourite.",
        "GLTR, arXiv:1906.04043 (counts from 0)", stored=True,
    ),
    Metric(
        "top_mass", "candidates' mass", "probability", "Σ p over the K candidates",
        "How much probability the recorded candidates hold together; the rest is the tail.",
        "sum of the K largest probabilities",
    ),
    Metric(
        "top_entropy", "candidates' entropy", "nats", "−Σ q ln q, q = p / Σ p, over the K",
        "Entropy of the recorded candidates alone, renormalised. Not the entropy.",
        "Shannon 1948, on the renormalised top K",
    ),
    Metric(
        "min_p_ratio", "ratio to favourite", "ratio", "p(y) / max p",
        "How likely the token taken was compared with the favourite.",
        "min-p sampling, arXiv:2407.01082",
    ),
    Metric(
        "typicality", "typicality", "nats", "−ln p(y) − H",
        "Surprisal against what was to be expected: positive when more surprising than average.",
        "locally typical sampling, arXiv:2202.00666",
    ),
    Metric(
        "sampled_logprob", "sampled log-probability", "nats", "ln q(y), q as processed",
        "The log-probability under the distribution the token was really drawn from.",
        "after penalties, temperature and filters", distribution="sampled", stored=True,
    ),
    Metric(
        "elapsed_ms", "step time", "ms", "wall time of the decode step",
        "How long this token took: forward pass, metrics and choice.",
        "monotonic clock", distribution="none", stored=True,
    ),
)  # fmt: skip

# Not a column of a trace: it takes another reading of the text for every token.
INFLUENCE = Metric(
    "influence", "influence", "nats", "ln p(rest | y) − ln p(rest | runner-up)",
    "By how much less likely all that follows would be after the runner-up instead. High: the "
    "rest depends on this choice.",
    "substitution of the runner-up, after erasure, arXiv:1612.08220",
)  # fmt: skip

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}
STORED: tuple[str, ...] = tuple(metric.name for metric in METRICS if metric.stored)


def metric_named(name: str) -> Metric:
    """A column of a trace, or `INFLUENCE`.

    Raises:
        KeyError: no metric has that name.
    """
    return INFLUENCE if name == INFLUENCE.name else BY_NAME[name]


def missing_reason(name: str, *, position: int, source: str) -> str:
    """Why a metric has no value at a position: a clause that a screen can show as it is."""
    if name == "influence":
        if source == "prompt":
            return "it is measured for generated tokens"
        return "nothing follows the token, no other candidate was recorded, or it was not measured"
    if name == "elapsed_ms" and source == "prompt":
        return "prompt tokens are read together, not one step each"
    if name == "sampled_logprob" and source != "sampled":
        return f"a {source} token was not drawn from a distribution"
    if position == 0:
        return "nothing precedes the first token, so the model gave it no probability"
    if source != "sampled":
        return "it is measured once the next token is drawn"
    return "it was not recorded"
