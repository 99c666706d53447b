"""A comparison as the strip paints it: a span an entry, tinted by how the models differ there."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from tokenscope_core import ModelComparison, Trace, compare_models
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.formatting import metric_text
from tokenscope_core.display.scales import LogUnit, Scale, scale_of, to_screen
from tokenscope_core.display.tokens import spelled
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_ui.components import strip
from tokenscope_ui.trace.strip_payload import numbers, strip_scale

DIFFERENCE = "A − B"
TINTS = (DIFFERENCE, "A", "B")


@lru_cache(maxsize=8)
def compared(a: Trace, b: Trace) -> ModelComparison:
    """The comparison of two finished traces, made once.

    Raises: as `compare_models`.
    """
    return compare_models(a, b)


@lru_cache(maxsize=8)
def span_payload(
    comparison: ModelComparison, tint: str, *, relative: bool, unit: LogUnit, invisibles: bool
) -> bytes:
    """The payload of a comparison. Cached, since equal bytes are not sent again."""
    text = comparison.text_bytes
    pieces = [
        text[start:end]
        for start, end in zip(
            comparison.byte_start.tolist(), comparison.byte_end.tolist(), strict=True
        )
    ]
    texts, flags = spelled(pieces, [0] * len(pieces), show_bytes=invisibles)
    columns = {
        DIFFERENCE: comparison.difference,
        "A": comparison.a.surprisal,
        "B": comparison.b.surprisal,
    }
    return strip.encode(
        {
            "key": f"{comparison.a.trace.key} {comparison.b.trace.key}",
            "text": texts,
            "flags": flags,
            "values": numbers(to_screen("surprisal", columns[tint], unit)),
            "reasons": _reasons(comparison),
            "scale": strip_scale(_scale(tint, columns[tint], relative=relative, unit=unit)),
            "hover": [
                _hover("surprisal A", comparison.a.surprisal, unit),
                _hover("surprisal B", comparison.b.surprisal, unit),
                _hover(DIFFERENCE, comparison.difference, unit),
                _counts("tokens A", comparison.a.tokens),
                _counts("tokens B", comparison.b.tokens),
            ],
            "invisibles": invisibles,
            "first_position": 0,
            "first_line": comparison.first_line,
            "item": "span",
            "running": False,
        }
    )


def signed_text(difference: float, unit: LogUnit) -> str:
    """A difference of surprisals in screen units, with its sign."""
    shown = metric_text("surprisal", difference, unit)
    return f"+{shown}" if difference > 0 and not shown.startswith("0.000") else shown


def missing_side(comparison: ModelComparison, span: int) -> str:
    """Why a span has no difference: a clause; empty where it has one."""
    without = [
        name
        for name, side in (("A", comparison.a), ("B", comparison.b))
        if np.isnan(side.surprisal[span])
    ]
    if not without:
        return ""
    models = "both models" if len(without) == 2 else f"model {without[0]}"
    return f"nothing precedes its first token in {models}, so it has no probability there"


def _reasons(comparison: ModelComparison) -> dict[int, str]:
    missing = np.flatnonzero(~comparison.known).tolist()
    return {span: missing_side(comparison, span) for span in missing}


def _scale(tint: str, values: Floats, *, relative: bool, unit: LogUnit) -> Scale:
    # Typicality is the other signed difference of surprisals: the same range suits both.
    like = "typicality" if tint == DIFFERENCE else "surprisal"
    scale = scale_of(like, values, relative=relative, unit=unit)
    note = scale.note.replace("this trace", "this comparison")
    return replace(scale, label=f"surprisal {tint}", note=note)


def _hover(label: str, values: Floats, unit: LogUnit) -> strip.HoverField:
    shown = to_screen("surprisal", values, unit).tolist()
    text = signed_text if label == DIFFERENCE else functools.partial(metric_text, "surprisal")
    return {"label": label, "values": [None if np.isnan(v) else text(v, unit) for v in shown]}


def _counts(label: str, counts: Ints) -> strip.HoverField:
    return {"label": label, "values": [f"{count:,}" for count in counts.tolist()]}
