"""What each view has to have of the model."""

from __future__ import annotations

from tokenscope_core import Trace
from tokenscope_core.attention.capture_tasks import AttentionOf, RolloutOf
from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_core.attention.heads.statistics import Rows
from tokenscope_core.attention.summaries import FlowOf, OverviewOf
from tokenscope_core.attention.tokens.tasks import AttendersOf, ReceivedOf
from tokenscope_ui.attention.view_choice import AttentionLook, Parts
from tokenscope_ui.trace.programs import program_of


def layer_of(trace: Trace, layer: int, look: AttentionLook) -> AttentionOf:
    """All heads of a layer, each for itself, so that any of them and any fold is then at hand; or
    as much of it as the look says."""
    queries = look.queries
    if queries is not None:
        # Of a shorter text, such as another branch, the rows there are.
        first = min(queries[0], len(trace) - 1)
        queries = first, max(first + 1, min(queries[1], len(trace)))
    heads = (look.head,) if look.alone and isinstance(look.head, int) else None
    return AttentionOf(trace, Selection((layer,), heads, queries, weighting=look.weighting))


def row_of_all(trace: Trace, query: int, look: AttentionLook) -> AttentionOf:
    """One row in every head of every layer."""
    selection = Selection(queries=(query, query + 1), weighting=look.weighting)
    return AttentionOf(trace, selection)


def received_of(trace: Trace, rows: Rows) -> ReceivedOf:
    """What every token receives, in every head of every layer."""
    return ReceivedOf(trace, rows=rows)


def attenders_of(trace: Trace, key: int) -> AttendersOf:
    """Who attends to a token, in every head of every layer."""
    return AttendersOf(trace, key)


def rollout_of(trace: Trace) -> RolloutOf:
    """What arrives of each token after all layers."""
    return RolloutOf(trace)


def overview_of(trace: Trace, masked: tuple[int, ...] = ()) -> OverviewOf:
    """All heads, with those positions taken out of every row."""
    return OverviewOf(trace, masked, language=program_of(trace).language)


def flow_of_all(trace: Trace, parts: Parts, masked: tuple[int, ...] = ()) -> FlowOf:
    """The flow of all layers and heads, with those positions taken out of every row."""
    return FlowOf(trace, parts, masked=masked, language=program_of(trace).language)
