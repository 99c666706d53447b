"""What a model can do: found on a small copy or remembered, and checked on the model itself.

To try all ways in which a text can be read takes some thirty forward passes, minutes on a large
model. What they find follows from the model's construction, so that they run on a small copy of it,
once. Weights can still make a difference: the model itself then reads one short text in one pass
and in parts. Where that is not the same, or no copy stands for the model, it is tried in full.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from transformers import PreTrainedModel

from tokenscope_core.errors import TokenScopeError
from tokenscope_core.models.arithmetic import agree, arithmetic_of, rounding_between, rows_apart
from tokenscope_core.models.attention_layers import AttentionFacts, keep_facts, layout_of
from tokenscope_core.models.cache_reader import CacheReader, embedding_rows
from tokenscope_core.models.trial.full_trial import (
    TRIAL_ERRORS,
    Reading,
    fills_a_plain_cache,
    find_reading,
    head_is_apart,
    text_over_the_vocabulary,
)
from tokenscope_core.models.trial.records import Known, TrialRecords
from tokenscope_core.models.trial.shrunk import shrunk_copies
from tokenscope_core.record.metrics import no_numbers

_records = TrialRecords()
# Of the text that the model itself reads. In half precision several reads of each length are
# compared, since how far they lie apart is told to whoever reads figures.
_STEP, _CHUNKS, _IN_HALF = (8, 1), (5, 3, 1), (9, 1, 5, 1, 1)


@dataclass(frozen=True, slots=True)
class Findings:
    """How a model has to be read, whether its head can be applied apart from its body, and which
    of its layers attend."""

    reading: Reading
    head_apart: bool
    attention: AttentionFacts


def find_out(model: PreTrainedModel, name: str) -> Findings:
    """What a model can do.

    Args:
        model: ready to run, and run by nobody else meanwhile.
        name: what the model is called in an error.

    Raises: as `find_reading`.
    """
    known = _records.get(model) or _tried_on_a_copy(model)
    if known is not None and "forward" in vars(model):
        known = replace(known, head_apart=False)
    reading = None if known is None else _checked(model, known)
    if known is None or reading is None:
        reading = find_reading(model, name)
        known = Known(reading.cache, head_is_apart(model, reading.cache), None)
    if known.attention is not None:
        keep_facts(model, known.attention)
    rows = min(embedding_rows(model), reading.vocabulary_size)
    attention = layout_of(model, rows).facts
    if "forward" not in vars(model):
        # Modules that give their attention are those of one model.
        remembered = attention if attention.way != "modules" else None
        _records.put(model, replace(known, attention=remembered))
    return Findings(reading, known.head_apart, attention)


def _tried_on_a_copy(model: PreTrainedModel) -> Known | None:
    """What a small copy of a model can do; None where there is none that goes on from what it has
    read. Whether it does not as the model does not, or because it is small, the model tells."""
    for small in shrunk_copies(model):
        try:
            reading = find_reading(small, "a small copy")
        except (TokenScopeError, *TRIAL_ERRORS):
            continue
        if reading.cache in ("branches", "chunks"):
            return Known(reading.cache, head_is_apart(small, reading.cache), None)
        return None
    return None


@torch.inference_mode()
def _checked(model: PreTrainedModel, known: Known) -> Reading | None:
    """How a model is read, where it reads a short text in the way that is known of such models as
    it does in one pass; else None.

    Raises:
        ModelError: its output is not a number.
    """
    arithmetic = arithmetic_of(model)
    lengths: tuple[int, ...] = _CHUNKS if known.cache == "chunks" else _STEP
    if not arithmetic.single:
        lengths = _IN_HALF
    try:
        with rows_apart(model) as changed:
            whole, parts = _read_twice(model, known, lengths)
            if whole.log_softmax(dim=-1).isnan().any():
                raise no_numbers()
            if parts is None or not agree(parts, whole[-len(parts) :], arithmetic.tolerance):
                return None
        if changed:  # as it is run from now on
            whole, parts = _read_twice(model, known, lengths)
    except TRIAL_ERRORS:
        return None
    if parts is None:
        return None
    return Reading(known.cache, whole.shape[-1], rounding_between(parts, whole[-len(parts) :]))


def _read_twice(
    model: PreTrainedModel, known: Known, lengths: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The logits [n, V] of a text read at once, and those of its last tokens read in parts; None
    where the cache is not what is known of such models."""
    ids = text_over_the_vocabulary(model, sum(lengths))
    reader = CacheReader(model, known.cache, head_apart=known.head_apart)
    if known.cache == "branches" and lengths == _STEP:
        # One pass and one step: the text is read at once, and its last token again.
        later = reader.read_later(ids)
        whole = later.rows(0, len(later))
        if not fills_a_plain_cache(reader):
            return whole, None
        return whole, reader.branch(lengths[0]).read(ids[:, lengths[0] :])
    whole = CacheReader(model, "none").read(ids)
    first, *rest = torch.split(ids, list(lengths), dim=1)
    later = reader.read_later(first)
    parts = torch.cat([later.rows(0, len(later)), *(reader.read(part) for part in rest)])
    if known.cache == "branches" and not fills_a_plain_cache(reader):
        return whole, None
    return whole, parts
