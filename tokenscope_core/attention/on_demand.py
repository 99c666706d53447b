"""Attention of a finished text, computed when somebody asks for it. Nothing here needs torch until
a model is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tokenscope_core.attention.maps import AttentionMap, TopAttention, Weights
from tokenscope_core.attention.selection import Fold, Selection, Weighting
from tokenscope_core.errors import RequestError
from tokenscope_core.trace import Trace

if TYPE_CHECKING:
    from tokenscope_core.models import LanguageModel

Text = Trace | Sequence[int]


def attention(
    lm: LanguageModel,
    trace: Text,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    queries: tuple[int, int] | None = None,
    fold: Fold | None = None,
    weighting: Weighting = "weights",
) -> AttentionMap:
    """Where the attention of a text went: weights of chosen layers, heads and rows.

    In float32 they agree with transformers' eager matrices to 1e-5. In half precision they are the
    exact softmax of the model's own rounded queries and keys, where eager rounds once more.

    Args:
        lm: the model that the trace came from.
        trace: a trace, or token ids.
        layers, heads: indices, ascending; None for all there are.
        queries: first position and the one past the last; None for all.
        fold: mean or maximum over the heads of a layer; None keeps each.
        weighting: the softmax's weights, or the lengths of what the keys add (Kobayashi et al.
            2020, arXiv:2004.10102), as shares of the row.

    Raises:
        RequestError: the trace is another model's, or there is no such layer, head or position.
        SelectionTooLargeError: it would not fit into the memory that is free.
        CapabilityError: the model gives no attention, or not this kind.
    """
    from tokenscope_core.attention.capture import captured

    found = captured(lm, trace, _selection(layers, heads, queries, fold, weighting))
    assert found is not None, "nobody cancels"
    return found


def top_attention(
    lm: LanguageModel,
    trace: Text,
    top: int,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    queries: tuple[int, int] | None = None,
    fold: Fold | None = None,
    weighting: Weighting = "weights",
) -> TopAttention:
    """The `top` keys of each row with the largest weights; else as `attention`.

    Raises: as `attention`.
    """
    from tokenscope_core.attention.capture import captured_top

    if top < 1:
        raise RequestError(
            asked=f"The {top} largest weights of each row were asked for.",
            found="That is none.",
            action="Ask for at least 1, or for the whole map.",
        )
    found = captured_top(lm, trace, _selection(layers, heads, queries, fold, weighting, top))
    assert found is not None, "nobody cancels"
    return found


def rollout(lm: LanguageModel, trace: Text, up_to: int | None = None) -> Weights:
    """How much of each position a position holds after the layers, float32 [query, key].

    Per layer the mean over the heads, half of it the position's own (for the residual), each row
    brought to a sum of 1; multiplied from the first layer up. Abnar and Zuidema 2020,
    arXiv:2005.00928. Layers without attention are passed over.

    Args:
        lm: the model that the trace came from.
        trace: a trace, or token ids.
        up_to: the last layer; None for all.

    Raises: as `attention`.
    """
    from tokenscope_core.attention.rollout import rolled_out

    found = rolled_out(lm, trace, up_to)
    assert found is not None, "nobody cancels"
    return found.weights


def _selection(
    layers: Sequence[int] | None,
    heads: Sequence[int] | None,
    queries: tuple[int, int] | None,
    fold: Fold | None,
    weighting: Weighting,
    top: int = 0,
) -> Selection:
    return Selection(
        None if layers is None else tuple(layers),
        None if heads is None else tuple(heads),
        queries,
        fold,
        weighting,
        top,
    )
