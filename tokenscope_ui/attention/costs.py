"""What it takes to capture something, and the smaller captures that fit where it is too much."""

from __future__ import annotations

from dataclasses import replace

from tokenscope_core import SelectionTooLargeError, Trace
from tokenscope_core.attention.capture_tasks import AttentionOf
from tokenscope_core.attention.capturing.estimate import (
    CaptureCost,
    Heads,
    capture_cost,
    described,
    rollout_cost,
)
from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_core.display.formatting import count_text, duration_text
from tokenscope_core.jobs.analysis_tasks import Analysis
from tokenscope_core.models.files.memory_need import size_text
from tokenscope_ui.attention.model import AvailableModel, loading_text
from tokenscope_ui.attention.view_choice import Head

# What takes less begins unasked.
_AT_ONCE_S = 1.5
# Before a model has read anything: so many operations take about as long on an ordinary machine.
_AT_ONCE_OPERATIONS = 3e10
# How many rows are offered where all are too much: the most of these that fit.
_ROWS = (2048, 1024, 512, 256, 128, 64)


def cost_of(reader: AvailableModel, trace: Trace, analysis: Analysis) -> CaptureCost | None:
    """What an analysis takes; None where the model's configuration does not say enough."""
    heads = Heads.of(reader.facts)
    if heads is None:
        return None
    fingerprint = trace.model.fingerprint
    if isinstance(analysis, AttentionOf):
        return capture_cost(heads, len(trace), analysis.selection, fingerprint=fingerprint)
    # Whatever folds all layers holds one at a time, and something of its size.
    return rollout_cost(heads, len(trace), fingerprint=fingerprint)


def is_small(reader: AvailableModel, trace: Trace, analysis: Analysis) -> bool:
    """Whether it takes so little that nobody needs to be asked."""
    cost = cost_of(reader, trace, analysis)
    if cost is not None and cost.seconds is not None:
        return cost.seconds < _AT_ONCE_S
    parameters = reader.facts.parameters
    return parameters is not None and 2 * parameters * len(trace) < _AT_ONCE_OPERATIONS


def cost_text(reader: AvailableModel, trace: Trace, analysis: Analysis) -> str:
    """What an analysis takes, in words."""
    cost = cost_of(reader, trace, analysis)
    text = f"Reads the {count_text(len(trace), 'token')} again"
    if cost is not None:
        text += f": at most {size_text(cost.peak)}"
        if cost.seconds is not None:
            text += f", about {duration_text(cost.seconds)}"
    loading = loading_text(reader)
    return f"{text}. {loading}" if loading else f"{text}."


def smaller(
    reader: AvailableModel,
    trace: Trace,
    problem: SelectionTooLargeError,
    asked: Selection,
    query: int | None,
    head: Head,
) -> list[tuple[str, Selection]]:
    """Less of a layer that fits, in words and as a selection.

    Args:
        reader: the model.
        trace: the text.
        problem: the refusal.
        asked: what was too much.
        query: the row that a person looks at, to have the rows around it.
        head: the head or fold that a person looks at.
    """
    found = []
    one = replace(asked, heads=(head if isinstance(head, int) else 0,))
    if asked.heads is None and _fits(reader, trace, one, problem.present):
        found.append((described(one), one))
    for rows in _ROWS:
        last = min(len(trace), (len(trace) if query is None else query + 1) + rows // 4)
        few = replace(asked, queries=(max(0, last - rows), last))
        if rows < len(trace) and _fits(reader, trace, few, problem.present):
            found.append((described(few), few))
            break
    return found


def _fits(reader: AvailableModel, trace: Trace, selection: Selection, present: int) -> bool:
    heads = Heads.of(reader.facts)
    if heads is None:
        return False
    return capture_cost(heads, len(trace), selection).peak <= present
