"""The units of a table's columns, carried by the table."""

from __future__ import annotations

import pandas as pd

from tokenscope_core.record.metric_registry import BY_NAME, ON_REQUEST

# Of columns that are no metric. Counts of tokens and places in a list have none.
_UNITS = {
    "byte_start": "bytes", "byte_end": "bytes", "bytes": "bytes", "shared_bytes": "bytes",
    "kl_ab": "nats", "kl_ba": "nats", "jsd": "nats", "difference": "nats",
    "mean_surprisal": "nats", "mean_entropy": "nats", "total_logprob": "nats",
    "bits_per_byte": "bits/byte", "tokens_per_byte": "tokens/byte",
    "decode_ms": "ms", "mean_step_ms": "ms",
    "choice": "nats", "rest": "nats", "log_odds": "nats", "at_most": "nats",
    **{metric.name: metric.unit for metric in ON_REQUEST},
}  # fmt: skip
_SIDES = ("_a", "_b", "_diff", "_difference")


def with_units(frame: pd.DataFrame, **units: str) -> pd.DataFrame:
    """The frame itself, with `frame.attrs["units"]`: a dict from columns to units.

    A column named after a metric, also with `_a`, `_b` or `_diff` behind it, has the metric's unit
    (`metric_registry`: nats, nats², probability, rank, ratio, perplexity, ms). Columns without a
    unit, such as texts, keys and counts of tokens, are not in it. pandas carries `attrs` through
    most operations on one frame and into Parquet; it drops them where frames that differ in them
    are joined, and CSV has no place for them.

    Args:
        frame: a table that was just made: its `attrs` are changed.
        units: of further columns, or other than by their names.
    """
    found = {str(name): unit for name in frame.columns if (unit := _unit_of(str(name)))}
    frame.attrs["units"] = found | units
    return frame


def _unit_of(column: str) -> str | None:
    for end in ("", *_SIDES):
        if column.endswith(end):
            name = column.removesuffix(end)
            if name in BY_NAME:
                return BY_NAME[name].unit
            if name in _UNITS:
                return _UNITS[name]
    return None
