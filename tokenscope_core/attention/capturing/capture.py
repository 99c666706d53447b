"""One pass over a text that keeps of its attention what was asked for, a layer at a time.

The attention of all layers and heads would be 80 times 16 MB for a small model and 2,048 tokens. So
each layer's weights are computed for the chosen heads and rows alone, handed to those who fold
them, and dropped before the next layer. Layers above the last one asked for are not run.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from tokenscope_core.attention.capturing.accumulators import KeepTop, KeepWeights, LayerFold
from tokenscope_core.attention.capturing.estimate import note_pass
from tokenscope_core.attention.capturing.maps import AttentionMap, TopAttention
from tokenscope_core.attention.capturing.resolved_selection import chosen_layers, require_map
from tokenscope_core.attention.capturing.selection import Fold, Selection
from tokenscope_core.attention.capturing.sources import source_of
from tokenscope_core.branches.growing import require_same_model
from tokenscope_core.decoding.windowed import require_one_piece
from tokenscope_core.errors import CapabilityError, RequestError
from tokenscope_core.models.attention_layers import (
    after_each,
    decoder_layers,
    layout_of,
)
from tokenscope_core.models.cache_reader import takes_rows
from tokenscope_core.models.known_tokens import require_known_tokens
from tokenscope_core.progress import Cancelled, Report, never, silent
from tokenscope_core.record.trace import Trace

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tokenscope_core.models.language_model import LanguageModel

Text = Trace | Sequence[int]
Array = TypeVar("Array", bound=npt.NDArray[Any])


class _EnoughError(Exception):
    """No further layer is wanted."""


def attend(
    lm: LanguageModel,
    text: Text,
    selection: Selection,
    folds: Sequence[LayerFold],
    report: Report = silent,
    cancelled: Cancelled = never,
) -> tuple[int, ...]:
    """Read a text once, and show each fold the attention of a selection, layer by layer.

    Where the selection folds its heads, what is shown has one; where it asks for value norms, they
    are what is shown.

    Args:
        lm: the model; it is left as it was.
        text: a trace of that model, or token ids.
        selection: which layers, heads and rows. Its `top` is for a fold to heed.
        folds: each is given every layer.
        report: is told how many layers have run, and how many have to, wanted or not.
        cancelled: is asked after every layer; when true, no further one is run.

    Returns:
        The layers that were shown; none where it was cancelled below the first one wanted.

    Raises:
        RequestError: the trace is another model's, or there is no such layer, head, position or
            token.
        CapabilityError: the model gives no attention, or not this kind.
    """
    ids = _ids_of(lm, text)
    layout = layout_of(lm.model, lm.identity.vocabulary_size)
    shown: list[int] = []
    ran = 0
    with source_of(
        lm.model,
        layout,
        value_norms=selection.weighting == "value norms",
        name=lm.identity.name,
    ) as source:
        heads = chosen_layers(layout.facts, selection, len(ids))
        rows = selection.queries or (0, len(ids))

        count = max(heads) + 1

        def done(layer: int) -> None:
            nonlocal ran
            if layer in shown:
                raise _not_captured(lm, layer, "it runs several times a pass")
            ran = layer + 1
            if layer in heads:
                weights = source.take(list(heads[layer]), rows)
                if weights is None:
                    raise _not_captured(lm, layer, source.hidden_by())
                weights = _folded(weights, selection.fold)
                first_keys = source.first_keys()
                for fold in folds:
                    fold.add(layer, weights, first_keys)
                shown.append(layer)
            source.forget()
            report(ran, count)
            if ran == count or cancelled():
                raise _EnoughError

        report(0, count)
        began = time.perf_counter()
        with after_each(decoder_layers(lm.model), done):
            _read(lm.model, torch.tensor([ids], device=lm.device))
    if ran:
        note_pass(lm.identity.fingerprint, len(ids), ran, time.perf_counter() - began)
    return tuple(shown)


def captured(
    lm: LanguageModel,
    text: Text,
    selection: Selection,
    report: Report = silent,
    cancelled: Cancelled = never,
) -> AttentionMap | None:
    """The map of a selection; when cancelled, of the layers there are by then, or None.

    Raises: as `attend`, and
        SelectionTooLargeError: it would not fit into the memory that is free.
    """
    kept = KeepWeights(len(selection.layers or lm.capabilities.attention.layers))
    described = _taken_in(kept, lm, text, selection, report, cancelled)
    return (
        None
        if described is None
        else AttentionMap(_frozen(kept.weights()), **described, first_keys=kept.first_keys())
    )


def captured_top(
    lm: LanguageModel,
    text: Text,
    selection: Selection,
    report: Report = silent,
    cancelled: Cancelled = never,
) -> TopAttention | None:
    """The largest weights of a selection; when cancelled, of the layers by then, or None.

    Raises: as `attend`, and
        SelectionTooLargeError: it would not fit into the memory that is free.
    """
    kept = KeepTop(selection.top)
    described = _taken_in(kept, lm, text, selection, report, cancelled)
    if described is None:
        return None
    return TopAttention(_frozen(kept.keys()), _frozen(kept.weights()), **described)


def _ids_of(lm: LanguageModel, text: Text) -> list[int]:
    if not len(text):
        raise RequestError(
            asked="The attention of a text was asked for.",
            found="It has no tokens.",
            action="Give a trace, or at least one token id.",
        )
    if isinstance(text, Trace):
        require_same_model(lm, text)
        require_one_piece(text, "The attention was to be captured")
        traced: list[int] = text.token_ids.tolist()
        return traced
    ids = [_token_id(token_id) for token_id in text]
    require_known_tokens(lm, ids, "The text")
    return ids


def _token_id(given: object) -> int:
    try:
        token_id = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        token_id = -1
    if token_id < 0:
        raise RequestError(
            asked=f"The attention of a text with token {given!r} was asked for.",
            found="A token's id is a whole number, 0 or more.",
            action="Give the ids that the model's tokenizer makes of a text.",
        )
    return token_id


def _taken_in(
    fold: LayerFold, lm: LanguageModel, text: Text, selection: Selection, report: Report,
    cancelled: Cancelled,
) -> dict[str, Any] | None:  # fmt: skip
    """Have a fold take in what fits into memory; what describes the map it then holds, or None
    where no layer came."""
    heads = require_map(lm, selection, len(text))
    layers = attend(lm, text, selection, [fold], report, cancelled)
    if not layers:
        return None
    return {
        "layers": layers,
        "heads": heads,
        "queries": _frozen(np.arange(*(selection.queries or (0, len(text))), dtype=np.int64)),
        "fold": selection.fold,
        "weighting": selection.weighting,
    }


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _folded(weights: torch.Tensor, fold: Fold | None) -> torch.Tensor:
    if fold == "mean":
        return weights.mean(dim=0, keepdim=True)
    if fold == "max":
        return weights.amax(dim=0, keepdim=True)
    return weights


@torch.inference_mode()
def _read(model: PreTrainedModel, ids: torch.Tensor) -> None:
    """Run the layers until one says that it is enough; nobody wants the logits."""
    rows = {"logits_to_keep": 1} if takes_rows(model) else {}
    try:
        model(input_ids=ids, use_cache=False, **rows)
    except _EnoughError:
        return


def _not_captured(lm: LanguageModel, layer: int, instead: str) -> CapabilityError:
    return CapabilityError(
        asked=f"The attention of layer {layer} of “{lm.identity.name}” was asked for.",
        found=f"On a short text the layer gave it token by token; on this one {instead}.",
        action="Ask for other layers, or report the model's architecture.",
    )
