"""Trying a model before it is trusted: how far its cache repeats one full pass, and whether its
head can be applied apart from its body."""

from __future__ import annotations

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from tokenscope_core.errors import CapabilityError, summary_of
from tokenscope_core.metrics import no_numbers
from tokenscope_core.reading import CacheUse, Reader, input_device

_PROBE_LENGTHS = (17, 9, 1, 9, *[1] * 12)
_PROBE_ERRORS = (ValueError, TypeError, RuntimeError, AttributeError, LookupError)


def find_cache_use(model: PreTrainedModel, vocabulary_size: int, name: str) -> CacheUse:
    """The most that the cache can be used for and give the numbers of one full pass, by trying.

    Args:
        model: ready to run.
        vocabulary_size: how many token ids it knows.
        name: what the model is called in an error.

    Raises:
        CapabilityError: later tokens change what the model says of earlier ones (it is no
            decoder), or it does not run on tokens alone.
        ModelError: its output is not a number.
    """
    token_ids = _text(model, vocabulary_size)
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
    ways: tuple[CacheUse, ...] = ("branches", "chunks", "steps")
    return next((use for use in ways if _reproduces(model, use, token_ids, whole)), "none")


def head_is_apart(model: PreTrainedModel, vocabulary_size: int, cache_use: CacheUse) -> bool:
    """Whether the head, given the states of a body that was run before, gives the model's logits,
    by trying.

    Args: as `find_cache_use`, and what that found.
    """
    plain, apart = (Reader(model, cache_use, head_apart=apart) for apart in (False, True))
    try:
        for part in torch.split(_text(model, vocabulary_size), list(_PROBE_LENGTHS), dim=1)[:2]:
            expected, later = plain.read(part), apart.read_later(part)
            rows = (later.rows(start, start + 5) for start in range(0, len(later), 5))
            if not _agree(torch.cat(list(rows)), expected, model.dtype, half=0.01):
                return False
    except _PROBE_ERRORS:
        return False
    return True


def _text(model: PreTrainedModel, vocabulary_size: int) -> torch.Tensor:
    """Token ids [1, n] from all over the vocabulary: a text of few words does not meet every rule
    of a recurrence."""
    length = sum(_PROBE_LENGTHS)
    places = torch.arange(length, device=input_device(model)) * 7 % length
    return (places * vocabulary_size // length).unsqueeze(0)


def _reproduces(
    model: PreTrainedModel, use: CacheUse, token_ids: torch.Tensor, whole: torch.Tensor
) -> bool:
    first, *rest = torch.split(token_ids, list(_PROBE_LENGTHS), dim=1)
    reader = Reader(model, use)
    try:
        parts = [reader.read(first)]
        # Another text in between: a memory kept in the model's layers would mix them up.
        Reader(model, use).read(rest[-1])
        if use == "branches" and not _branches(reader, token_ids, whole, model.dtype):
            return False
        parts += [reader.read(part) for part in rest]
    except _PROBE_ERRORS:
        return False
    return reader.holds_cache and _agree(torch.cat(parts), whole, model.dtype)


def _branches(
    reader: Reader, token_ids: torch.Tensor, whole: torch.Tensor, precision: torch.dtype
) -> bool:
    """Whether the model fills a cache of plain keys and values, and reads on from a part of it
    what it reads in one pass, also several texts side by side."""
    cache = reader._cache.get("past_key_values")
    layers = getattr(cache, "layers", [])
    plain = type(cache) is DynamicCache and all(type(layer) is DynamicLayer for layer in layers)
    if not plain or not reader._layers():
        return False
    length = reader.length - 6
    read_on = reader.branch(length, texts=2).read_rows(
        token_ids[:, length : length + 9].expand(2, -1)
    )
    expected = whole[length : length + 9]
    return all(_agree(row, expected, precision) for row in read_on)


def _agree(a: torch.Tensor, b: torch.Tensor, precision: torch.dtype, *, half: float = 0.1) -> bool:
    """Whether logits [n, V] of a model that runs in this precision differ by rounding only.

    Rounding in half precision can send a token to another expert, which changes a row; what was
    forgotten changes most of them. Hence the mean over rows, in units of the logits' spread; in
    half precision it may be `half`.
    """
    tolerance = 2e-5 if precision in (torch.float32, torch.float64) else half
    error = (a.float() - b.float()).square().mean(dim=-1).sqrt().mean()
    return bool(error <= tolerance * b.float().std())


def _refusal(name: str, found: str) -> CapabilityError:
    return CapabilityError(
        asked=f"The model “{name}” was to be loaded.",
        found=found,
        action="Choose a decoder, such as a Llama, Qwen, Gemma, GPT or Mamba.",
    )
