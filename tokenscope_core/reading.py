"""How a model is fed: through its own cache as far as that gives the numbers of one full pass.

The cache is an accelerator, never a source of other numbers. Attention reads on from any point.
Some recurrent models ignore what they remember when they are given several tokens at once (Mamba,
Jamba); in some a step and a pass disagree, or the memory is hidden in the layers (RecurrentGemma).
Neither raises anything, so each model is tried before it is trusted.
"""

from __future__ import annotations

import inspect
from typing import Any, Literal

import torch
from transformers import PreTrainedModel

from tokenscope_core.errors import CapabilityError, summary_of
from tokenscope_core.metrics import no_numbers

CacheUse = Literal["chunks", "steps", "none"]
"""How far a model's cache can be relied on.

- `chunks`: reading goes on from any point, by any number of tokens.
- `steps`: only by single tokens; several at once are read with all that is before them.
- `none`: every step reads the whole text anew. Slow, and right.
"""

_CACHE_NAMES = ("past_key_values", "cache_params", "state")
_PROBE_LENGTHS = (17, 9, 1, 9, *[1] * 12)
_PROBE_ERRORS = (ValueError, TypeError, RuntimeError, AttributeError, LookupError)


class Reader:
    """One text being read: remembers what came before."""

    def __init__(self, model: PreTrainedModel, cache_use: CacheUse) -> None:
        self._model = model
        self._use = cache_use
        self._cache: dict[str, Any] = {}
        self._ids = torch.empty((1, 0), dtype=torch.long, device=model.device)
        self._cached_tokens = 0
        accepted = inspect.signature(model.forward).parameters
        self._takes_rows = "logits_to_keep" in accepted
        self._takes_positions = "position_ids" in accepted

    @property
    def holds_cache(self) -> bool:
        """Whether the model gave something to read on from."""
        return bool(self._cache)

    @torch.inference_mode()
    def read(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Read on by tokens, int64 [1, n]; the logits [n, V] after each of them."""
        if self._use == "chunks":
            return self._forward(token_ids)
        self._ids = torch.cat((self._ids, token_ids), dim=1)
        count = token_ids.shape[1]
        if self._use == "steps" and count == 1 and self.holds_cache:
            return self._forward(token_ids)
        self._cache, self._cached_tokens = {}, 0
        # The whole text is read, but logits of the new tokens alone stand in memory.
        rows = {"logits_to_keep": count} if self._takes_rows else {}
        return self._forward(self._ids, **rows)[-count:]

    def _forward(self, token_ids: torch.Tensor, **settings: Any) -> torch.Tensor:
        cached = self._use != "none"
        start, count = self._cached_tokens, token_ids.shape[1]
        if self._takes_positions:
            # As `generate` does; Bamba would count from 0 in every chunk.
            positions = torch.arange(start, start + count, device=token_ids.device)
            settings["position_ids"] = positions.unsqueeze(0)
        out = self._model(input_ids=token_ids, use_cache=cached, **self._cache, **settings)
        if cached:
            self._cached_tokens += count
            caches = ((name, getattr(out, name, None)) for name in _CACHE_NAMES)
            self._cache = next(({name: c} for name, c in caches if c is not None), {})
        logits: torch.Tensor = out.logits[0]
        return logits


def find_cache_use(model: PreTrainedModel, vocabulary_size: int, name: str) -> CacheUse:
    """The fastest way of reading that gives the numbers of one full pass, found by trying.

    Args:
        model: ready to run.
        vocabulary_size: how many token ids it knows.
        name: what the model is called in an error.

    Raises:
        CapabilityError: later tokens change what the model says of earlier ones (it is no
            decoder), or it does not run on tokens alone.
        ModelError: its output is not a number.
    """
    # From all over the vocabulary: a text of few words does not meet every rule of a recurrence.
    length = sum(_PROBE_LENGTHS)
    token_ids = (torch.arange(length, device=model.device) * 7 % length * vocabulary_size) // length
    token_ids = token_ids.unsqueeze(0)
    start = _PROBE_LENGTHS[0]
    try:
        whole = Reader(model, "none").read(token_ids)
        beginning = Reader(model, "none").read(token_ids[:, :start])
    except _PROBE_ERRORS as error:
        raise _refusal(name, f"It does not run on tokens alone: {summary_of(error)}") from error
    if whole.isnan().any():
        raise no_numbers()
    if not _agree(beginning, whole[:start], model.dtype):
        raise _refusal(name, "It looks ahead: later tokens change what it says of earlier ones.")
    ways: tuple[CacheUse, ...] = ("chunks", "steps")
    return next((use for use in ways if _reproduces(model, use, token_ids, whole)), "none")


def _reproduces(
    model: PreTrainedModel, use: CacheUse, token_ids: torch.Tensor, whole: torch.Tensor
) -> bool:
    first, *rest = torch.split(token_ids, list(_PROBE_LENGTHS), dim=1)
    reader = Reader(model, use)
    try:
        parts = [reader.read(first)]
        # Another text in between: a memory kept in the model's layers would mix them up.
        Reader(model, use).read(rest[-1])
        parts += [reader.read(part) for part in rest]
    except _PROBE_ERRORS:
        return False
    return reader.holds_cache and _agree(torch.cat(parts), whole, model.dtype)


def _agree(a: torch.Tensor, b: torch.Tensor, precision: torch.dtype) -> bool:
    """Whether logits [n, V] of a model that runs in this precision differ by rounding only.

    Rounding in half precision can send a token to another expert, which changes a row; what was
    forgotten changes most of them. Hence the mean over rows, in units of the logits' spread.
    """
    tolerance = 2e-5 if precision in (torch.float32, torch.float64) else 0.1
    error = (a.float() - b.float()).square().mean(dim=-1).sqrt().mean()
    return bool(error <= tolerance * b.float().std())


def _refusal(name: str, found: str) -> CapabilityError:
    return CapabilityError(
        asked=f"The model “{name}” was to be loaded.",
        found=found,
        action="Choose a decoder, such as a Llama, Qwen, Gemma, GPT or Mamba.",
    )
