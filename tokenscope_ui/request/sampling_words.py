"""How a token is chosen, in words."""

from __future__ import annotations

from tokenscope_core import Sampling


def in_words(sampling: Sampling) -> str:
    """One sentence: from which distribution, and what is left of it."""
    changed = [
        *["the bias"] * bool(sampling.logit_bias),
        *["the penalties"] * _has_penalties(sampling),
    ]
    penalised = f"after {' and '.join(changed)}" if changed else ""
    if sampling.suppress_tokens:
        penalised = f"{penalised} without the suppressed tokens".strip()
    if sampling.greedy:
        return f"Takes the favourite {penalised or 'every time'}."
    shape = ""
    if sampling.temperature != 1.0:
        shape = "sharpened" if sampling.temperature < 1.0 else "flattened"
    own = "the model’s distribution" if penalised or shape else "the model’s own distribution"
    parts = [" ".join(filter(None, (f"Draws from {own}", penalised))), shape, _kept(sampling)]
    return ", ".join(filter(None, parts)) + "."


def _has_penalties(sampling: Sampling) -> bool:
    return bool(
        sampling.repetition_penalty != 1.0
        or sampling.frequency_penalty
        or sampling.presence_penalty
        or sampling.no_repeat_ngram_size
    )


def _kept(sampling: Sampling) -> str:
    filters = []
    if sampling.top_k:
        filters.append(f"the {sampling.top_k:,} favourites" if sampling.top_k > 1 else "the best")
    if sampling.top_p < 1.0:
        filters.append(f"the fewest tokens that hold {_percent(sampling.top_p)}")
    if sampling.min_p > 0.0:
        filters.append(f"tokens at least {_percent(sampling.min_p)} as likely as the favourite")
    if sampling.typical_p < 1.0:
        filters.append(f"the most typical {_percent(sampling.typical_p)}")
    return "cut to " + ", then ".join(filters) if filters else ""


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
