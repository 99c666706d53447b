"""Attention of a finished text, computed when somebody asks for it. Nothing here needs torch until
a model is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tokenscope_core.attention.capturing.maps import AttentionMap, TopAttention, Weights
from tokenscope_core.attention.capturing.selection import Fold, Selection, Weighting
from tokenscope_core.attention.flow.flow import Flow, Level
from tokenscope_core.attention.heads.overview import HeadOverview
from tokenscope_core.attention.heads.statistics import Rows
from tokenscope_core.attention.summaries import FlowOf, OverviewOf
from tokenscope_core.errors import RequestError
from tokenscope_core.progress import Report, never, silent
from tokenscope_core.record.trace import Trace

if TYPE_CHECKING:
    from tokenscope_core.models.language_model import LanguageModel

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
    from tokenscope_core.attention.capturing.capture import captured

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
    from tokenscope_core.attention.capturing.capture import captured_top

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
    from tokenscope_core.attention.capturing.rollout import rolled_out

    found = rolled_out(lm, trace, up_to)
    assert found is not None, "nobody cancels"
    return found.weights


def head_overview(
    lm: LanguageModel,
    trace: Trace,
    *,
    masked: Sequence[int] = (),
    rows: Rows = "all",
    language: str | None = None,
    progress: Report | None = None,
) -> HeadOverview:
    """What every head of a model does on a text: statistics, small pictures and sinks, in one pass.

    Args:
        lm: the model that the trace came from.
        trace: any trace of it.
        masked: positions to take out of every row, its weight shared among the rest.
        rows: which count in the statistics: all but the first token's, or those that generated
            tokens were predicted from.
        language: of the syntax; None takes the trace's own, and where that is unknown leaves the
            statistics that need it missing.
        progress: is told after each layer how many are done, and of how many.

    Raises:
        RequestError: the trace is another model's, there is no such language or position.
        CapabilityError: the model gives no attention.
    """
    task = OverviewOf(trace, tuple(masked), rows, language)
    found = task.run(lm, progress or silent, never)
    assert found is not None, "nobody cancels"
    return found


def attention_flow(
    lm: LanguageModel,
    trace: Trace,
    by: Level = "category",
    *,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    masked: Sequence[int] = (),
    rows: Rows = "all",
    whole_tokens: bool = True,
    language: str | None = None,
    progress: Report | None = None,
) -> Flow:
    """How much the parts of a program attend to each other, mean over heads, in one pass.

    Args:
        lm: the model that the trace came from.
        trace: any trace of it.
        by: the parts: a level of the syntax tree, lines, or `unit`, each whole statement.
        layers: which the mean is over; None for all.
        heads: likewise, in each of these layers.
        masked: as in `head_overview`.
        rows: as in `head_overview`.
        progress: as in `head_overview`.
        language: of the syntax; None takes the trace's own.
        whole_tokens: a token counts in the part that most of it is in; else by its bytes.

    Raises: as `head_overview`.
    """
    task = FlowOf(
        trace, by, _tuple(layers), _tuple(heads), tuple(masked), rows, whole_tokens, language
    )  # fmt: skip
    found = task.run(lm, progress or silent, never)
    assert found is not None, "nobody cancels"
    return found


def _selection(
    layers: Sequence[int] | None,
    heads: Sequence[int] | None,
    queries: tuple[int, int] | None,
    fold: Fold | None,
    weighting: Weighting,
    top: int = 0,
) -> Selection:
    return Selection(
        _tuple(layers),
        _tuple(heads),
        queries,
        fold,
        weighting,
        top,
    )


def _tuple(indices: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if indices is None else tuple(indices)
