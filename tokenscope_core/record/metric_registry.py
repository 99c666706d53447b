"""What each number means, one row a metric: whatever screens, tables and files say of it is here.

Throughout, p is the model's raw distribution over the whole vocabulary V before the token at a
position, y the token taken there, and ln the natural logarithm. A new metric is a row and, under
the same name, the attribute of a `Trace` that computes it or gives its column; `docs/adding.md`
has the steps.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Literal

NATS_PER_BIT = 0.6931471805599453


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, whole: a row that lacks something cannot be made.

    - `name`: of the attribute of a trace, and of the column in tables and files.
    - `label`, `unit`, `formula`, `meaning`, `source`: as people read them.
    - `distribution`: which one it is of.
    - `known_for`: the tokens that have it; of others it is missing.
    - `storage`: "column" of the trace file, "derived" from those of its own token whenever it is
      asked for, "accumulated" from those of all tokens up to it, or "on request", measured by
      running the model once more.
    - `range`: between which values it always lies, and so does its mean; in its `unit`.
    - `tint`: the values at the two ends of a fixed scale, log quantities in bits and variances in
      their square; of a rank the decimal logarithms.
    - `root`: the tint grows with this root of the distance from the end that is not tinted: small
      values are told apart on a model that is sure, and large ones on one that is not.
    - `strong`: which end of that is tinted strongly, where the model is less sure: the "high" one,
      the "low" one, or "both", away from 0.
    - `difference_tint`: how far a scale of differences reaches to both sides, in units of `tint`.
    - `menu`: its place among what code can be tinted by, the most useful first; None where another
      metric shows the same.
    """

    name: str
    label: str
    unit: Literal["nats", "nats²", "probability", "rank", "ratio", "perplexity", "ms", "tokens"]
    formula: str
    meaning: str
    source: str
    _: KW_ONLY
    distribution: Literal["raw", "sampled", "none"]
    known_for: Literal[
        "all tokens",
        "drawn tokens",
        "decode steps",
        "generated tokens",
        "generated tokens, or all where none is",
        "tokens with a rest",
    ]
    storage: Literal["column", "derived", "accumulated", "on request"]
    range: tuple[float, float]
    tint: tuple[float, float]
    root: Literal[1, 2, 3]
    strong: Literal["high", "low", "both"]
    difference_tint: float
    menu: int | None

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.unit in ("rank", "tokens")

    @property
    def logarithmic(self) -> bool:
        """Whether its scale is of decimal logarithms."""
        return self.unit == "rank"

    @property
    def tint_ends(self) -> tuple[float, float]:
        """The value that is not tinted at all and the one that is tinted fully, as `tint` has
        them; where both ends are strong, 0 and the upper one."""
        low, high = self.tint
        return {"high": (low, high), "low": (high, low), "both": (0.0, high)}[self.strong]


_FROM_ZERO, _SHARE, _UP_TO_ZERO = (0.0, math.inf), (0.0, 1.0), (-math.inf, 0.0)
_ANY = (-math.inf, math.inf)

METRICS: tuple[Metric, ...] = (
    Metric(
        "surprisal", "surprisal", "nats", "−ln p(y)",
        "How unexpected the token taken was. 0 when the model was certain of it.",
        "Hale 2001; Levy 2008",
        distribution="raw", known_for="all tokens", storage="derived", range=_FROM_ZERO,
        tint=(0, 12), root=3, strong="high", difference_tint=8, menu=1,
    ),
    Metric(
        "prob", "probability", "probability", "p(y)",
        "The model's probability of the token taken.",
        "softmax of the logits, temperature 1, no filter",
        distribution="raw", known_for="all tokens", storage="derived", range=_SHARE,
        tint=(0, 1), root=2, strong="low", difference_tint=1, menu=3,
    ),
    Metric(
        "logprob", "log-probability", "nats", "ln p(y)",
        "The logarithm of the probability of the token taken.",
        "log-softmax of the logits",
        distribution="raw", known_for="all tokens", storage="column", range=_UP_TO_ZERO,
        tint=(-12, 0), root=3, strong="low", difference_tint=8, menu=None,
    ),
    Metric(
        "entropy", "entropy", "nats", "H = −Σ p ln p over V",
        "How spread out the whole distribution was, whichever token was taken.",
        "Shannon 1948",
        distribution="raw", known_for="all tokens", storage="column", range=_FROM_ZERO,
        tint=(0, 10), root=3, strong="high", difference_tint=6, menu=2,
    ),
    Metric(
        "entropy_norm", "normalised entropy", "ratio", "H / ln |V|",
        "Entropy as a share of the largest possible for the vocabulary.",
        "Shannon 1948",
        distribution="raw", known_for="all tokens", storage="derived", range=_SHARE,
        tint=(0, 1), root=3, strong="high", difference_tint=1, menu=8,
    ),
    Metric(
        "varentropy", "varentropy", "nats²", "Σ p (ln p + H)²",
        "The variance of surprisal: high when a few likely tokens stand before a long tail.",
        "variance of the information content",
        distribution="raw", known_for="all tokens", storage="column", range=_FROM_ZERO,
        tint=(0, 20), root=3, strong="high", difference_tint=12, menu=7,
    ),
    Metric(
        "margin", "margin", "probability", "p(1) − p(2)",
        "The gap between the two most probable tokens, whichever was taken.",
        "Scheffer et al. 2001",
        distribution="raw", known_for="all tokens", storage="column", range=_SHARE,
        tint=(0, 1), root=2, strong="low", difference_tint=1, menu=4,
    ),
    Metric(
        "rank", "rank", "rank", "1 + #{v : p(v) > p(y)}",
        "The place of the token taken among all tokens; 1 is the favourite.",
        "GLTR, arXiv:1906.04043 (counts from 0)",
        distribution="raw", known_for="all tokens", storage="column", range=(1.0, math.inf),
        tint=(0, 3), root=2, strong="high", difference_tint=3, menu=5,
    ),
    Metric(
        "top_mass", "candidates' mass", "probability", "Σ p over the K candidates",
        "How much probability the recorded candidates hold together; the rest is the tail.",
        "sum of the K largest probabilities",
        distribution="raw", known_for="all tokens", storage="derived", range=_SHARE,
        tint=(0, 1), root=2, strong="low", difference_tint=1, menu=10,
    ),
    Metric(
        "top_entropy", "candidates' entropy", "nats", "−Σ q ln q, q = p / Σ p, over the K",
        "Entropy of the recorded candidates alone, renormalised. Not the entropy.",
        "Shannon 1948, on the renormalised top K",
        distribution="raw", known_for="all tokens", storage="derived", range=_FROM_ZERO,
        tint=(0, 4), root=3, strong="high", difference_tint=4, menu=11,
    ),
    Metric(
        "min_p_ratio", "ratio to favourite", "ratio", "p(y) / max p",
        "How likely the token taken was compared with the favourite.",
        "min-p sampling, arXiv:2407.01082",
        distribution="raw", known_for="all tokens", storage="derived", range=_SHARE,
        tint=(0, 1), root=2, strong="low", difference_tint=1, menu=9,
    ),
    Metric(
        "typicality", "typicality", "nats", "−ln p(y) − H",
        "Surprisal against what was to be expected: positive when more surprising than average.",
        "locally typical sampling, arXiv:2202.00666",
        distribution="raw", known_for="all tokens", storage="derived", range=_ANY,
        tint=(-8, 8), root=2, strong="both", difference_tint=8, menu=6,
    ),
    Metric(
        "running_perplexity", "running perplexity", "perplexity",
        "exp(Σ −ln p(y) / n) over the n tokens up to here",
        "Of how many equally likely tokens the model was choosing, on average up to here. Over the "
        "generated tokens, or all of a text where none was generated, that have a surprisal.",
        "Jelinek et al. 1977, up to each token",
        distribution="raw", known_for="generated tokens, or all where none is",
        storage="accumulated", range=(1.0, math.inf),
        tint=(1, 16), root=3, strong="high", difference_tint=8, menu=15,
    ),
    Metric(
        "sampled_logprob", "sampled log-probability", "nats", "ln q(y), q as processed",
        "The log-probability under the distribution the token was really drawn from.",
        "after penalties, temperature and filters",
        distribution="sampled", known_for="drawn tokens", storage="column", range=_UP_TO_ZERO,
        tint=(-12, 0), root=3, strong="low", difference_tint=8, menu=12,
    ),
    Metric(
        "elapsed_ms", "step time", "ms", "wall time of the decode step",
        "How long this token took: forward pass, metrics and choice.",
        "monotonic clock",
        distribution="none", known_for="decode steps", storage="column", range=_FROM_ZERO,
        tint=(0, 100), root=1, strong="high", difference_tint=60, menu=13,
    ),
    Metric(
        "context_length", "context length", "tokens", "tokens read before y",
        "How many tokens the model was given before this one. It falls where a text longer than "
        "the context is read in windows and a window begins.",
        "count; layers that see only the last tokens use fewer",
        distribution="none", known_for="all tokens", storage="column", range=_FROM_ZERO,
        tint=(0, 1024), root=1, strong="low", difference_tint=1024, menu=16,
    ),
)  # fmt: skip

# No columns of a trace: they take another reading of the text for every token.
INFLUENCE = Metric(
    "influence", "influence", "nats", "ln p(rest | y) − ln p(rest | runner-up)",
    "By how much less likely all that follows would be after the runner-up instead. High: the "
    "rest depends on this choice.",
    "substitution of the runner-up, after erasure, arXiv:1612.08220",
    distribution="raw", known_for="generated tokens", storage="on request", range=_ANY,
    tint=(-16, 16), root=2, strong="both", difference_tint=16, menu=14,
)  # fmt: skip

HINDSIGHT = Metric(
    "hindsight", "hindsight", "nats",
    "max over a of ln p(a) − ln p(y) + ln p(rest | a) − ln p(rest | y)",
    "By how much the model, knowing what follows, would rather have seen another token. High: the "
    "rest is written as if another token stood here.",
    "Bayes’ rule over the recorded candidates, the rest cut at a horizon",
    distribution="raw", known_for="tokens with a rest", storage="on request", range=_ANY,
    tint=(-16, 16), root=2, strong="both", difference_tint=16, menu=None,
)  # fmt: skip
ON_REQUEST = (INFLUENCE, HINDSIGHT)

# What says something of its own token, so that a mean over some tokens does of these.
OF_ONE_TOKEN: tuple[str, ...] = tuple(
    metric.name for metric in (*METRICS, *ON_REQUEST) if metric.storage != "accumulated"
)
BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}
STORED: tuple[str, ...] = tuple(metric.name for metric in METRICS if metric.storage == "column")
# What is measured of each distribution, whichever way its token is chosen.
MEASURED: tuple[str, ...] = tuple(name for name in STORED if BY_NAME[name].distribution == "raw")


def metric_named(name: str) -> Metric:
    """A column of a trace, or one of `ON_REQUEST`.

    Raises:
        KeyError: no metric has that name.
    """
    return next((metric for metric in ON_REQUEST if metric.name == name), None) or BY_NAME[name]


_NOT_ON_REQUEST = (
    "nothing follows the token, no other candidate was recorded, or it was not measured"
)


def missing_reason(
    name: str, *, position: int, source: str, measured: bool = False, begins_window: bool = False
) -> str:
    """Why a metric has no value at a position: a clause that a screen can show as it is.

    Args:
        name: of the metric.
        position, source: of the token.
        measured: whether other metrics have a value there.
        begins_window: whether it is the first of a window of a long text.
    """
    known_for = metric_named(name).known_for
    if known_for == "generated tokens, or all where none is":
        if source == "prompt" and (measured or position > 0):
            return "it runs over the generated tokens, or over all where none was generated"
        known_for = "all tokens"
    if known_for == "generated tokens":
        if source == "prompt":
            return "it is measured for generated tokens"
        return _NOT_ON_REQUEST
    if known_for == "tokens with a rest":
        return _NOT_ON_REQUEST
    if known_for == "decode steps" and source != "sampled":
        return f"{source} tokens are read together, not one step each"
    if known_for == "drawn tokens" and source != "sampled":
        return f"a {source} token was not drawn from a distribution"
    if position == 0 and source != "sampled" and not measured:
        return "nothing precedes the first token, so the model gave it no probability"
    if begins_window and not measured:
        return "nothing precedes the token in its window, so the model gave it no probability"
    if source != "sampled" and not measured:
        return "it is measured once the next token is drawn"
    return "it was not recorded"
