"""Trying all ways to read with a model: how far its cache repeats one full pass, and whether its
head can be applied apart from its body."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from tokenscope_core.errors import CapabilityError
from tokenscope_core.failures import reason_of
from tokenscope_core.models.arithmetic import (
    agree,
    arithmetic_of,
    rounding_between,
    rows_apart,
)
from tokenscope_core.models.cache_reader import CacheReader, CacheUse, embedding_rows, input_device
from tokenscope_core.record.metrics import no_numbers
from tokenscope_core.record.rounding import Rounding

_PROBE_LENGTHS = (17, 9, 1, 9, *[1] * 12)
TRIAL_ERRORS = (ValueError, TypeError, RuntimeError, AttributeError, LookupError)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a model has to be read: the most that its cache can be used for, how many tokens its
    logits are of, and how far apart two ways of reading the same text were."""

    cache: CacheUse
    vocabulary_size: int
    rounding: Rounding


def find_reading(model: PreTrainedModel, name: str) -> Reading:
    """How a model has to be read to give the numbers of one full pass, by trying.

    Args:
        model: ready to run, and run by nobody else meanwhile.
        name: what the model is called in an error.

    Raises:
        CapabilityError: later tokens change what the model says of earlier ones (it is no
            decoder), or it does not run on tokens alone.
        ModelError: its output is not a number.
    """
    token_ids = text_over_the_vocabulary(model, sum(_PROBE_LENGTHS))
    arithmetic = arithmetic_of(model)
    ways: tuple[CacheUse, ...] = ("branches", "chunks", "steps")
    with rows_apart(model) as changed:
        whole, beginning = _whole_and_beginning(model, token_ids, name)
        if whole.log_softmax(dim=-1).isnan().any():
            raise no_numbers()
        start = len(beginning)
        if not agree(beginning, whole[:start], arithmetic.tolerance):
            seen = rounding_between(beginning, whole[:start])
            raise _refusal(
                name,
                "It looks ahead: later tokens change what it says of earlier ones. Its first "
                f"{start} tokens were read alone and with {len(whole) - start} more: their "
                f"log-probabilities lie {seen} apart, more than rounding in {arithmetic.name} "
                "makes of it.",
            )
        pieces = None
        for use in ways:
            pieces = _in_pieces(model, use, token_ids, whole, arithmetic.tolerance)
            if pieces is not None:
                break
    found: CacheUse = use if pieces is not None else "none"
    if changed:
        # As it is run from now on, whose rounding was set aside to judge the model.
        whole, beginning = _whole_and_beginning(model, token_ids, name)
        pieces = None if found == "none" else _pieces(CacheReader(model, found), token_ids)
    read, expected = (pieces, whole) if pieces is not None else (beginning, whole[:start])
    return Reading(found, whole.shape[-1], rounding_between(read, expected))


def head_is_apart(model: PreTrainedModel, cache_use: CacheUse) -> bool:
    """Whether the head, given the states of a body that was run before, gives the model's logits,
    by trying.

    Args: as `find_reading`, and what that found.
    """
    # Both read the same by the same way: nothing but the head can differ.
    tolerance = min(0.01, arithmetic_of(model).tolerance)
    plain, apart = (CacheReader(model, cache_use, head_apart=apart) for apart in (False, True))
    try:
        token_ids = text_over_the_vocabulary(model, sum(_PROBE_LENGTHS))
        for part in torch.split(token_ids, list(_PROBE_LENGTHS), dim=1)[:2]:
            expected, later = plain.read(part), apart.read_later(part)
            rows = (later.rows(start, start + 5) for start in range(0, len(later), 5))
            if not agree(torch.cat(list(rows)), expected, tolerance):
                return False
    except TRIAL_ERRORS:
        return False
    return True


def text_over_the_vocabulary(model: PreTrainedModel, length: int) -> torch.Tensor:
    """Token ids, int64 [1, length], from all over the vocabulary: a text of few words does not meet
    every rule of a recurrence."""
    places = torch.arange(length, device=input_device(model)) * 7 % length
    return (places * embedding_rows(model) // length).unsqueeze(0)


def _whole_and_beginning(
    model: PreTrainedModel, token_ids: torch.Tensor, name: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits of a text read in one pass, and those of its beginning read alone."""
    try:
        whole = CacheReader(model, "none").read(token_ids)
        return whole, CacheReader(model, "none").read(token_ids[:, : _PROBE_LENGTHS[0]])
    except TRIAL_ERRORS as error:
        raise _refusal(name, f"It does not run on tokens alone: {reason_of(error)}.") from error


def _pieces(reader: CacheReader, token_ids: torch.Tensor) -> torch.Tensor:
    return torch.cat(
        [reader.read(part) for part in torch.split(token_ids, list(_PROBE_LENGTHS), dim=1)]
    )


def _in_pieces(
    model: PreTrainedModel,
    use: CacheUse,
    token_ids: torch.Tensor,
    whole: torch.Tensor,
    tolerance: float,
) -> torch.Tensor | None:
    """The logits of a text read in pieces by a use of the cache; None where they are not those of
    one pass."""
    first, *rest = torch.split(token_ids, list(_PROBE_LENGTHS), dim=1)
    reader = CacheReader(model, use)
    try:
        parts = [reader.read(first)]
        # Another text in between: a memory kept in the model's layers would mix them up.
        CacheReader(model, use).read(rest[-1])
        if use == "branches" and not _branches(reader, token_ids, whole, tolerance):
            return None
        parts += [reader.read(part) for part in rest]
    except TRIAL_ERRORS:
        return None
    pieces = torch.cat(parts)
    return pieces if reader.holds_cache and agree(pieces, whole, tolerance) else None


def _branches(
    reader: CacheReader, token_ids: torch.Tensor, whole: torch.Tensor, tolerance: float
) -> bool:
    """Whether the model fills a cache of plain keys and values, and reads on from a part of it
    what it reads in one pass, also several texts side by side."""
    if not fills_a_plain_cache(reader):
        return False
    length = reader.length - 6
    read_on = reader.branch(length, texts=2).read_rows(
        token_ids[:, length : length + 9].expand(2, -1)
    )
    expected = whole[length : length + 9]
    return all(agree(row, expected, tolerance) for row in read_on)


def fills_a_plain_cache(reader: CacheReader) -> bool:
    """Whether what a model has read lies in a cache of plain keys and values."""
    cache = reader._cache.get("past_key_values")
    layers = getattr(cache, "layers", [])
    plain = type(cache) is DynamicCache and all(type(layer) is DynamicLayer for layer in layers)
    return plain and bool(reader._layers())


def _refusal(name: str, found: str) -> CapabilityError:
    return CapabilityError(
        asked=f"The model “{name}” was to be loaded.",
        found=found,
        action="Choose a decoder, such as a Llama, Qwen, Gemma, GPT or Mamba.",
    )
