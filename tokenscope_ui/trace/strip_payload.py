"""A trace as the block of bytes that the token strip paints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from tokenscope_core.branches.influence import Influence
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.formatting import metric_text
from tokenscope_core.display.painting import HOVER_METRICS, hover_label
from tokenscope_core.display.scales import LogUnit, Scale, tint_values, to_screen, trace_scale
from tokenscope_core.display.tokens import TokenFlag, seam_remarks, tokens
from tokenscope_core.record.arrays import Floats
from tokenscope_core.record.trace import Trace
from tokenscope_ui.components import strip
from tokenscope_ui.trace import code_standing

_VALUE_DIGITS = 3
# Of a growing trace one to two times as many are shown.
_GROWING_TOKENS = 2048


@lru_cache(maxsize=16)
def strip_payload(
    trace: Trace,
    metric: str,
    *,
    run: str,
    relative: bool,
    unit: LogUnit,
    invisibles: bool,
    broken: tuple[int, ...],
    influence: Influence | None = None,
) -> bytes:
    """The payload of a finished trace. Cached, since equal bytes are not sent again."""
    return build_payload(
        trace,
        metric,
        run=run,
        relative=relative,
        unit=unit,
        invisibles=invisibles,
        broken=broken,
        influence=influence,
    )


def build_payload(
    trace: Trace,
    metric: str,
    *,
    run: str,
    relative: bool = False,
    unit: LogUnit = "bits",
    invisibles: bool = False,
    running: bool = False,
    first: int = 0,
    broken: Sequence[int] = (),
    influence: Influence | None = None,
) -> bytes:
    """The payload of a trace, finished or growing; `run` stays the same while it grows, `broken`
    are the positions of the tokens at which its code broke."""
    texts, flags = tokens(trace, show_bytes=invisibles)
    for position in broken:
        flags[position] |= TokenFlag.BROKE
    stored = influence.column_of(trace, metric) if influence else trace.column(metric)
    reasons = {
        position: trace.missing_reason(metric, position)
        for position, value in enumerate(stored.tolist())
        if math.isnan(value)
    }
    remarks = [seam_remarks(trace), dict.fromkeys(broken, code_standing.BROKE)]
    for position, remark in (pair for some in remarks for pair in some.items()):
        reasons[position] = "; ".join(filter(None, [reasons.get(position), remark]))
    return strip.encode(
        {
            "key": run,
            "text": texts,
            "flags": flags,
            "values": numbers(tint_values(metric, stored, unit)),
            "reasons": reasons,
            "scale": strip_scale(trace_scale(trace, metric, stored, relative=relative, unit=unit)),
            "hover": [hover_field(trace, name, unit) for name in HOVER_METRICS],
            "invisibles": invisibles,
            "first_position": first,
            "first_line": trace.first_line,
            "running": running,
        }
    )


def growing_payload(
    trace: Trace, metric: str, *, run: str, relative: bool, unit: LogUnit, invisibles: bool
) -> tuple[bytes, int]:
    """The payload of a growing trace, and the position of its first token: of a long text only the
    end is sent, since all of it again and again would be hundreds of megabytes."""
    first = max(0, len(trace) // _GROWING_TOKENS - 1) * _GROWING_TOKENS
    return (
        build_payload(
            trace if not first else _from(trace, first), metric, run=run, relative=relative,
            unit=unit, invisibles=invisibles, running=True, first=first,
        ),
        first,
    )  # fmt: skip


def _from(trace: Trace, first: int) -> Trace:
    """The tokens of a trace from a position on, to be shown."""
    before = b"".join(trace.vocabulary.pieces(trace.token_ids[:first].tolist()))
    return replace(
        trace,
        request=replace(trace.request, first_line=trace.first_line + before.count(b"\n")),
        prompt_length=max(trace.prompt_length - first, 0),
        token_ids=trace.token_ids[first:].copy(),
        source=trace.source[first:].copy(),
        metrics={name: column[first:].copy() for name, column in trace.metrics.items()},
        candidate_ids=trace.candidate_ids[first:].copy(),
        candidate_logprobs=trace.candidate_logprobs[first:].copy(),
        candidate_kept=trace.candidate_kept[first:].copy(),
    )


def strip_scale(scale: Scale) -> strip.Scale:
    """A scale as the strip's script reads it."""
    return {
        "label": scale.label,
        "unit": scale.unit,
        "low": scale.low,
        "high": scale.high,
        "ticks": scale.ticks,
        "kind": scale.kind,
        "reverse": scale.reverse,
        "root": scale.root,
        "note": scale.note,
    }


def hover_field(trace: Trace, name: str, unit: LogUnit) -> strip.HoverField:
    """A metric as a line of the tooltip."""
    values = to_screen(name, trace.column(name), unit).tolist()
    return {
        "label": hover_label(name),
        "values": [None if math.isnan(v) else metric_text(name, v, unit) for v in values],
    }


def numbers(values: Floats) -> list[float | None]:
    """Values as the strip's script reads them: rounded, None where there is none."""
    return [
        round(value, _VALUE_DIGITS) if math.isfinite(value) else None for value in values.tolist()
    ]
