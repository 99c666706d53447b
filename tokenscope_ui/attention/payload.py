"""Code as the strip paints it, tinted by attention."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from tokenscope_core import Trace
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.scales import Scale
from tokenscope_core.display.tokens import tokens
from tokenscope_core.record.arrays import Floats
from tokenscope_ui.attention.rows import Laid
from tokenscope_ui.attention.view_choice import ReceivedTint, WeightScale
from tokenscope_ui.attention.weights import (
    points_scale,
    points_text,
    received_tint,
    share_text,
    times_text,
    tinted,
    weight_scale,
)
from tokenscope_ui.components import strip
from tokenscope_ui.trace.strip_payload import numbers, strip_scale

NOTHING_LATER = "no later token that counts can see it"
SET_APART = "an attention sink, set apart"


def laid_payload(
    trace: Trace, laid: Laid, scale: WeightScale, *, label: str, over: str, invisibles: bool
) -> bytes:
    """The payload of attention laid onto the text.

    Args:
        trace: the text.
        laid: a number a token.
        scale: how the weights are tinted.
        label: what the weights are, for the legend.
        over: what a relative scale is stretched over.
        invisibles: whether white space is spelled out.
    """
    hover = ((label, _shown(laid.weight, share_text)),
             ("of an even share", _shown(laid.times_uniform, times_text)))  # fmt: skip
    return _encoded(
        trace,
        tuple(numbers(tinted(laid.weight, scale))),
        tuple(laid.reasons.items()),
        weight_scale(laid.weight, scale, label=label, over=over),
        hover,
        invisibles,
    )


def difference_payload(
    trace: Trace, values: Floats, a: Floats, b: Floats, *, invisibles: bool
) -> bytes:
    """The payload of a difference of two rows, B - A, laid onto the text; NaN is missing.

    Args:
        trace: the text.
        values: B - A, a number a token.
        a, b: the weights themselves.
        invisibles: whether white space is spelled out.
    """
    hover = (("B − A", _shown(values, points_text)), ("A", _shown(a, share_text)),
             ("B", _shown(b, share_text)))  # fmt: skip
    missing = np.flatnonzero(np.isnan(values)).tolist()
    reasons = tuple((i, "it comes later, or one of the two has no such token") for i in missing)
    plain = np.nan_to_num(100 * values)
    return _encoded(
        trace, tuple(numbers(plain)), reasons, points_scale(values), hover, invisibles
    )  # fmt: skip


def received_payload(
    trace: Trace,
    frame: pd.DataFrame,
    tint: ReceivedTint,
    apart: tuple[int, ...],
    *,
    invisibles: bool,
) -> bytes:
    """The payload of what tokens receive.

    Args:
        trace: the text.
        frame: `Received.frame` of it.
        tint: which of its columns.
        apart: positions that are not tinted, and that the scale is not stretched over.
        invisibles: whether white space is spelled out.
    """
    values, scale = received_tint(frame, tint, apart)
    reasons = dict.fromkeys(np.flatnonzero(np.isnan(values)).tolist(), NOTHING_LATER)
    reasons |= dict.fromkeys(apart, SET_APART)
    hover = (
        ("received, rows", _shown(frame["received"].to_numpy(), "{:.2f}".format)),
        ("of each later row", _shown(frame["mean"].to_numpy(), share_text)),
        ("of an even share", _shown(frame["ratio"].to_numpy(), times_text)),
    )
    return _encoded(
        trace, tuple(numbers(values)), tuple(reasons.items()), scale, hover, invisibles
    )  # fmt: skip


def plain_payload(trace: Trace, *, invisibles: bool) -> bytes:
    """The payload of a text on which there is nothing to lay."""
    nothing = np.zeros(len(trace))
    scale = weight_scale(nothing, "linear")
    return _encoded(trace, tuple(numbers(nothing)), (), scale, (), invisibles)


@lru_cache(maxsize=32)
def _encoded(
    trace: Trace,
    values: tuple[float | None, ...],
    reasons: tuple[tuple[int, str], ...],
    scale: Scale,
    hover: tuple[tuple[str, tuple[str | None, ...]], ...],
    invisibles: bool,
) -> bytes:
    # Cached by value, since equal bytes are not sent again.
    texts, flags = _tokens(trace, invisibles)
    return strip.encode(
        {
            "key": f"{trace.key} attention",
            "text": texts,
            "flags": flags,
            "values": values,
            "reasons": dict(reasons),
            "scale": strip_scale(scale),
            "hover": [{"label": label, "values": shown} for label, shown in hover],
            "invisibles": invisibles,
            "first_position": 0,
            "first_line": trace.first_line,
            "running": False,
        }
    )


@lru_cache(maxsize=8)
def _tokens(trace: Trace, invisibles: bool) -> tuple[list[str], list[int]]:
    return tokens(trace, show_bytes=invisibles)


def _shown(values: Floats, text: Callable[[float], str]) -> tuple[str | None, ...]:
    return tuple(None if math.isnan(value) else text(value) for value in values.tolist())
