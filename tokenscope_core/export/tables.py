"""A trace as Parquet and as JSON Lines; any table as CSV."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa

from tokenscope_core.record import arrow_files
from tokenscope_core.record.arrays import KEPT, NOT_DRAWN
from tokenscope_core.record.metric_registry import HINDSIGHT, METRICS, metric_named
from tokenscope_core.record.tables import MeasuredByPosition
from tokenscope_core.record.trace import Trace

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def parquet(trace: Trace, *, hindsight: MeasuredByPosition | None = None) -> bytes:
    """The columns of the Arrow file, with its description as metadata, and `hindsight`, the largest
    log-odds in nats, where it is given.

    Raises:
        RecordError: the trace is too large to be saved.
    """
    import pyarrow.parquet as pq

    batch = arrow_files.read_batch(trace.to_bytes())
    # The checksum is over the bytes of the Arrow file.
    described = {
        name: value
        for name, value in (batch.schema.metadata or {}).items()
        if not name.endswith(b".sha256")
    }
    table = pa.Table.from_batches([batch]).replace_schema_metadata(described)
    if hindsight is not None:
        values = pa.array(hindsight.best(len(trace)), from_pandas=True)
        table = table.append_column(HINDSIGHT.name, values)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def json_lines(trace: Trace, *, hindsight: MeasuredByPosition | None = None) -> bytes:
    """One JSON object a token, one a line, in UTF-8.

    Each has `position`, `token_id`, `token` (text; U+FFFD where the bytes are no whole character),
    `bytes` (what the token adds to the text, a list of numbers from 0 to 255; empty for a special
    token), `byte_start`, `byte_end`, `source`, `special`, every metric of `metric_registry` under
    its name, and `candidates`, most probable first: objects of `token_id`, `token`, `bytes` (of the
    token by itself), `special`, `logprob`, `prob`, `taken` and `kept`, as `candidate_frame` has
    them; and `hindsight`, the largest log-odds, where it is given. What is missing or infinite is
    null: JSON has no other word for either.
    """
    return b"".join(
        json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
        for line in token_records(trace, hindsight=hindsight)
    )


def token_records(
    trace: Trace, *, hindsight: MeasuredByPosition | None = None
) -> Iterator[dict[str, Any]]:
    """The objects of `json_lines`, one a token."""
    columns = {metric.name: trace.column(metric.name).tolist() for metric in METRICS}
    if hindsight is not None:
        columns[HINDSIGHT.name] = hindsight.best(len(trace)).tolist()
    pieces = trace.vocabulary.pieces(trace.token_ids.tolist())
    unknown = trace.vocabulary.unknown_ids
    source, special = trace.source.tolist(), trace.special.tolist()
    start, end = trace.byte_start.tolist(), trace.byte_end.tolist()
    for position, token_id in enumerate(trace.token_ids.tolist()):
        yield {
            "position": position,
            "token_id": token_id,
            "token": trace.vocabulary.label(token_id),
            "bytes": None if token_id in unknown else list(pieces[position]),
            "byte_start": start[position],
            "byte_end": end[position],
            "source": source[position],
            "special": special[position] and token_id not in unknown,
            **{name: _number(name, values[position]) for name, values in columns.items()},
            "candidates": _candidates(trace, position),
        }


def csv(frame: pd.DataFrame, *, for_spreadsheet: bool = False) -> bytes:
    """A table as CSV in UTF-8, with a header and CR LF, its bytes in hexadecimal.

    Args:
        frame: any of the tables.
        for_spreadsheet: put an apostrophe before texts that a spreadsheet would take for a formula,
            `=` and `+` among them, and say by a byte order mark that it is UTF-8. Without it the
            texts are exact.
    """
    written = frame.copy()
    for name in written.columns:
        if pd.api.types.is_numeric_dtype(written[name]) or written[name].dtype == bool:
            continue
        written[name] = pd.Series(
            [_cell(value, for_spreadsheet) for value in written[name]], written.index, object
        )
    text = written.to_csv(index=False, lineterminator="\r\n")
    return text.encode("utf-8-sig" if for_spreadsheet else "utf-8")


def _cell(value: Any, for_spreadsheet: bool) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if for_spreadsheet and isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def _candidates(trace: Trace, position: int) -> list[dict[str, Any]]:
    vocabulary, taken = trace.vocabulary, int(trace.token_ids[position])
    return [
        {
            "token_id": token_id,
            "token": vocabulary.label(token_id),
            "bytes": None
            if token_id in vocabulary.unknown_ids
            else list(vocabulary.token_bytes[token_id]),
            "special": token_id in vocabulary.special_ids - vocabulary.unknown_ids,
            "logprob": _number("logprob", logprob),
            "prob": _number("prob", math.exp(logprob)),
            "taken": token_id == taken,
            "kept": None if kept == NOT_DRAWN else kept == KEPT,
        }
        for token_id, logprob, kept in zip(
            trace.candidate_ids[position].tolist(),
            trace.candidate_logprobs[position].tolist(),
            trace.candidate_kept[position].tolist(),
            strict=True,
        )
        if token_id >= 0
    ]


def _number(name: str, value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if metric_named(name).whole else value
