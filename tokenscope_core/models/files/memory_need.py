"""How much memory a model will take, from its facts alone, and whether the machine has it."""

from __future__ import annotations

from dataclasses import dataclass

from tokenscope_core.errors import ModelTooLargeError
from tokenscope_core.models.files.choice import BYTES_PER_NUMBER, ModelChoice
from tokenscope_core.models.files.facts import ModelFacts
from tokenscope_core.record.request import Request

# About what a token of code stands for; the exact count needs the tokenizer.
_BYTES_PER_TOKEN = 4
_HALF = "bfloat16"


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes of memory a run takes, a lower bound: a run also needs room to compute in.

    `weights` are those in the precision asked for; `cache` is the key-value cache of `tokens`
    tokens and `cache_when_full` of the whole context, None where the configuration does not say.
    """

    weights: int
    cache: int | None
    tokens: int
    cache_when_full: int | None

    @property
    def total(self) -> int:
        """Weights and the cache of the run together."""
        return self.weights + (self.cache or 0)


def tokens_of(request: Request) -> int:
    """About how long a run gets, in tokens, judged by the size of its texts. One in windows holds
    no more than the context at a time, at which `memory_need` cuts it like any other."""
    texts = (request.prompt, request.suffix or "", *(m.content for m in request.messages))
    return about_tokens(*texts) + request.max_new_tokens


def about_tokens(*texts: str) -> int:
    """About how many tokens texts have together."""
    return sum(len(text.encode(errors="replace")) for text in texts) // _BYTES_PER_TOKEN


def memory_need(facts: ModelFacts, *, dtype: str | None = None, tokens: int = 0) -> MemoryNeed:
    """What a run takes.

    Args:
        facts: of the model.
        dtype: precision to run in; None is the model's own. Quantised weights stay as they are.
        tokens: how long the run gets; cut at the model's context.
    """
    stored = BYTES_PER_NUMBER.get(facts.precision, 4)
    run = BYTES_PER_NUMBER[dtype] if dtype else stored
    if facts.quantised is not None:
        weights = facts.weight_bytes
    elif facts.parameters is not None:
        # An embedding is built as large as the configuration says, whatever the files hold.
        embedding = (facts.vocabulary or 0) * (facts.width or 0)
        weights = max(facts.parameters, embedding) * run
    else:
        weights = facts.weight_bytes * run // stored
    tokens = min(tokens, facts.context or tokens)
    per_token = facts.cache_bytes_per_token and facts.cache_bytes_per_token * run // stored
    return MemoryNeed(
        weights=weights,
        cache=per_token and per_token * tokens,
        tokens=tokens,
        cache_when_full=per_token and facts.context and per_token * facts.context,
    )


def shortage(
    choice: ModelChoice, facts: ModelFacts, *, tokens: int, present: int, free: bool = True
) -> ModelTooLargeError | None:
    """The refusal of a model that needs more than `present` bytes; None where it fits.

    Those are the bytes that are `free` now, or else all that the device has.
    """
    need = memory_need(facts, dtype=choice.dtype, tokens=tokens)
    if need.total <= present:
        return None
    parts = f"{size_text(need.weights)} for its weights in {choice.dtype or facts.precision}"
    if need.cache:
        parts += f" and {size_text(need.cache)} for {need.tokens:,} tokens"
    half = memory_need(facts, dtype=_HALF, tokens=tokens)
    fits_in_half = half.total < need.total and half.total <= present
    billions = present / BYTES_PER_NUMBER[_HALF] / 1e9
    if need.weights < present:
        advice = "Ask for fewer tokens, or choose a smaller model."
    elif fits_in_half:
        advice = (
            f"Choose {_HALF}: it then needs {size_text(half.total)}. Or choose a smaller model."
        )
    else:
        advice = (
            f"Choose a smaller model: up to about {billions:,.1f} billion parameters fit in "
            f"{_HALF}, more where the weights are quantised."
        )
    return ModelTooLargeError(
        asked=f"The model “{choice.label}” was to be loaded.",
        found=f"It needs at least {parts}; "
        + (
            f"{size_text(present)} are free." if free else f"there are {size_text(present)} in all."
        ),
        action=advice,
        needed=need.total,
        present=present,
        fitting_dtype=_HALF if fits_in_half else None,
    )


def size_text(count: int) -> str:
    """A size as people say it: `1.5 GB`, `45.3 MB`."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count} B"
