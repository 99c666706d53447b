"""A trace as an Arrow IPC file: one record batch, what is not columnar in the schema metadata.

pandas (`read_feather`), R, DuckDB and Polars open it as it is. A row is a position; its token's
bytes end at `byte_end` of the text and begin where those of the row before end. `candidate_bytes`
names a token where it is first mentioned, and is null where `token_bytes` or an earlier candidate
has its bytes. Log quantities are float32 nats, missing values null.

Each version's own columns are listed once and for all, and a file that lacks one of them, or has it
in another type, is damaged. Columns come and go beyond those without a new version. What is lacking
of a metric that was added later was not recorded, and reads as missing. What a later program added
and this one does not know is passed over: it stays in the file, and is in none that is written from
the trace. A new version is for what would otherwise be misread.

Reading treats the bytes as untrusted: nothing is executed, memory is bounded, and every
inconsistency is a `RecordError`. A checksum in the metadata tells a damaged record from a sound
one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tokenscope_core.errors import RecordError, RequestError
from tokenscope_core.failures import MalformedError, quoted, reason_of
from tokenscope_core.record import arrow_files, trace_format_v1
from tokenscope_core.record.arrays import KEPT, NOT_DRAWN, Floats, Ints, KeptFlags
from tokenscope_core.record.edits import Edit
from tokenscope_core.record.metric_registry import STORED
from tokenscope_core.record.request import Request
from tokenscope_core.record.rounding import Rounding
from tokenscope_core.record.trace_columns import FINISH_REASONS, ModelIdentity, TraceColumns
from tokenscope_core.record.vocabulary import Vocabulary

FORMAT_VERSION = 2
_METADATA_KEY = b"tokenscope"
_CHECKSUM_KEY = b"tokenscope.sha256"
# Far beyond any vocabulary; a table of so many bytes is still small.
_MAX_TOKEN_ID = 2**24
_SOURCES = ("prompt", "sampled", "forced")
# Of the log-probability of a certain token, in nats.
_ROUNDING = 1e-3
_LISTS = ("candidate_ids", "candidate_logprobs", "candidate_kept", "candidate_bytes")
# Those of version 2, whatever is stored today: never to be changed.
_METRICS_OF_2 = (
    "logprob", "entropy", "varentropy", "margin", "rank", "sampled_logprob", "elapsed_ms",
)  # fmt: skip
_METRIC = pa.float32()
_Columns = TypeVar("_Columns", bound=TraceColumns)


def _schema(candidates: int, metrics: Sequence[str]) -> pa.Schema:
    return pa.schema(
        [
            ("token_id", pa.int32()),
            ("token_bytes", pa.binary()),
            ("byte_end", pa.int64()),
            ("source", pa.dictionary(pa.int8(), pa.string())),
            ("special", pa.bool_()),
            *((name, _METRIC) for name in metrics),
            ("candidate_ids", pa.list_(pa.int32(), candidates)),
            ("candidate_logprobs", pa.list_(pa.float32(), candidates)),
            ("candidate_kept", pa.list_(pa.bool_(), candidates)),
            ("candidate_bytes", pa.list_(pa.binary(), candidates)),
        ]
    )


def encode(trace: TraceColumns) -> bytes:
    """Write a trace.

    Raises:
        RecordError: it is too large to be read back.
    """
    width = trace.candidate_ids.shape[1]
    table = trace.vocabulary.token_bytes
    ids = trace.candidate_ids.ravel()
    logprobs = trace.candidate_logprobs.ravel().astype(np.float32)
    kept = trace.candidate_kept.ravel()
    sources = [_SOURCES.index(source) for source in trace.source.tolist()]
    columns = [
        pa.array(trace.token_ids.astype(np.int32)),
        pa.array([table[i] for i in trace.token_ids.tolist()], pa.binary()),
        pa.array(trace.byte_end),
        pa.DictionaryArray.from_arrays(pa.array(sources, pa.int8()), list(_SOURCES)),
        pa.array(trace.special),
        *(pa.array(trace.metrics[name].astype(np.float32), from_pandas=True) for name in STORED),
        _fixed_lists(pa.array(ids.astype(np.int32), mask=ids < 0), width),
        _fixed_lists(pa.array(logprobs, from_pandas=True), width),
        _fixed_lists(pa.array(kept == KEPT, mask=kept == NOT_DRAWN), width),
        _fixed_lists(_first_mentions(trace), width),
    ]
    batch = pa.record_batch(columns, schema=_schema(width, STORED))
    description = json.dumps(_metadata(trace), separators=(",", ":")).encode("utf-8")
    unsigned = arrow_files.write(batch)
    size = arrow_files.unpacked_bytes(unsigned)
    if size > arrow_files.MAX_UNPACKED_BYTES:
        raise RecordError(
            asked=f"A trace of {len(trace):,} tokens with {width:,} candidates was to be saved.",
            found=f"It takes {size:,} bytes, and {arrow_files.MAX_UNPACKED_BYTES:,} can be read.",
            action="Record fewer candidates.",
        )
    checksum = arrow_files.checksum(unsigned, description)
    return arrow_files.write(
        batch.replace_schema_metadata({_METADATA_KEY: description, _CHECKSUM_KEY: checksum})
    )


def _first_mentions(trace: TraceColumns) -> pa.Array:
    """The bytes of each candidate that neither `token_ids` nor an earlier candidate names."""
    ids = trace.candidate_ids.ravel()
    mentioned, first = np.unique(np.concatenate((trace.token_ids, ids)), return_index=True)
    new = (mentioned >= 0) & (first >= len(trace))
    pieces = np.full(len(ids), None, dtype=object)
    pieces[first[new] - len(trace)] = [
        trace.vocabulary.token_bytes[i] for i in mentioned[new].tolist()
    ]
    return pa.array(pieces, pa.binary())


def _metadata(trace: TraceColumns) -> dict[str, Any]:
    rounding = trace.model.rounding
    unknown = sorted(trace.vocabulary.unknown_ids)
    return {
        "version": FORMAT_VERSION,
        "request": trace.request.to_json(),
        "model": {
            "name": trace.model.name,
            "fingerprint": trace.model.fingerprint,
            "vocabulary_size": trace.model.vocabulary_size,
            **({"rounding": [rounding.mean, rounding.most]} if rounding else {}),
        },
        "prompt_length": trace.prompt_length,
        "finish_reason": trace.finish_reason,
        "branch": [trace.branch[0], trace.branch[1].to_json()] if trace.branch else None,
        "special_ids": sorted(trace.vocabulary.special_ids),
        "dummy_prefix": trace.vocabulary.dummy_prefix,
        # Left out where there are none: the record is then what it always was.
        **({"unknown_ids": unknown} if unknown else {}),
    }


def _fixed_lists(values: pa.Array, width: int) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(values, width)


def decode(blob: bytes, kind: type[_Columns]) -> _Columns:
    """A trace of that kind from `encode`'s output, or from what an earlier version wrote.

    Raises:
        RecordError: the bytes are damaged or of an unknown version.
    """
    try:
        described = arrow_files.read_schema(blob).metadata or {}
        metadata = json.loads(described[_METADATA_KEY])
        checksum = described[_CHECKSUM_KEY]
    except (pa.ArrowException, OSError, KeyError, ValueError, RecursionError) as error:
        found = f"it is not a complete Arrow file of this kind ({reason_of(error)})"
        raise _damaged(found) from error
    if not isinstance(metadata, dict):
        raise _damaged("its description is not an object")
    version = metadata.get("version")
    if version not in (trace_format_v1.FORMAT_VERSION, FORMAT_VERSION):
        raise RecordError(
            asked="A saved trace was to be read.",
            found=f"It has format version {quoted(version)}; "
            f"this program reads 1 to {FORMAT_VERSION}.",
            action="Open it with the version that wrote it, or compute it again.",
        )
    try:
        batch = arrow_files.read_batch(blob)
        if version == FORMAT_VERSION:
            expected = arrow_files.checksum(blob, described[_METADATA_KEY])
        else:
            expected = trace_format_v1.checksum(batch, described[_METADATA_KEY])
            batch, metadata = trace_format_v1.upgraded(batch, metadata)
        if checksum != expected:
            raise MalformedError("its checksum does not match")
        return _trace_of(batch, metadata, kind)
    except (
        LookupError, TypeError, ValueError, AttributeError, OSError, RequestError,
        pa.ArrowException,
    ) as error:  # fmt: skip
        raise _damaged(f"its parts do not fit together ({reason_of(error)})") from error


def _damaged(what: str) -> RecordError:
    return RecordError(
        asked="A saved trace was to be read.",
        found=f"The record is damaged: {what}.",
        action="Compute it again, or take another copy of the file.",
    )


def _trace_of(batch: pa.RecordBatch, metadata: dict[str, Any], kind: type[_Columns]) -> _Columns:
    candidates = batch.column("candidate_ids")
    width = candidates.type.list_size
    for field in _schema(width, _METRICS_OF_2):
        if batch.schema.field(field.name).type != field.type:
            raise MalformedError(f"its column {field.name!r} has another type")
    if any(batch.column(name).null_count for name in _LISTS):
        raise MalformedError("a position has no list of candidates")
    candidate_ids = _ints(candidates.flatten().fill_null(-1))
    token_ids = _ints(batch.column("token_id"))
    branch = metadata["branch"]
    trace = kind(
        request=Request.from_json(metadata["request"]),
        model=_identity(metadata["model"]),
        vocabulary=Vocabulary(
            _token_bytes(batch, token_ids, candidate_ids),
            frozenset(_whole(i) for i in metadata["special_ids"]),
            _yes_or_no(metadata["dummy_prefix"]),
            frozenset(_whole(i) for i in metadata.get("unknown_ids", ())),
        ),
        prompt_length=_whole(metadata["prompt_length"]),
        finish_reason=metadata["finish_reason"],
        token_ids=token_ids,
        source=_sources(batch.column("source")),
        metrics={name: _metric(batch, name) for name in STORED},
        candidate_ids=candidate_ids.reshape(-1, width),
        candidate_logprobs=_floats(batch.column("candidate_logprobs").flatten()).reshape(-1, width),
        candidate_kept=_kept(batch.column("candidate_kept").flatten()).reshape(-1, width),
        branch=(_text(branch[0]), Edit.from_json(branch[1])) if branch else None,
    )
    _require_consistent(trace, _ints(batch.column("byte_end")))
    return trace


def _metric(batch: pa.RecordBatch, name: str) -> Floats:
    if name not in batch.schema.names:
        return np.full(len(batch), np.nan)
    if batch.schema.field(name).type != _METRIC:
        raise MalformedError(f"its column {name!r} has another type")
    return _floats(batch.column(name))


def _token_bytes(batch: pa.RecordBatch, token_ids: Ints, candidate_ids: Ints) -> dict[int, bytes]:
    """The bytes of every token in the batch, from where it is first mentioned."""
    taken, candidates = batch.column("token_bytes"), batch.column("candidate_bytes").flatten()
    named_ids = candidate_ids[candidates.is_valid().to_numpy(zero_copy_only=False)]
    lowest = min(int(ids.min(initial=0)) for ids in (token_ids, named_ids))
    highest = max(int(ids.max(initial=0)) for ids in (token_ids, candidate_ids))
    if lowest < 0 or candidate_ids.min(initial=0) < -1 or highest > _MAX_TOKEN_ID:
        raise MalformedError("no vocabulary has such ids")
    has_bytes = np.zeros(highest + 2, dtype=np.bool_)
    has_bytes[token_ids] = has_bytes[named_ids] = True
    has_bytes[-1] = True  # stands for a missing candidate, -1
    if taken.null_count or not has_bytes[candidate_ids].all():
        raise MalformedError("a token has no bytes")
    table = dict(zip(named_ids.tolist(), candidates.drop_null().to_pylist(), strict=True))
    table.update(zip(token_ids.tolist(), taken.to_pylist(), strict=True))
    return table


def _identity(values: dict[str, Any]) -> ModelIdentity:
    size = _whole(values["vocabulary_size"])
    if size < 0:
        raise MalformedError("the vocabulary has fewer than no tokens")
    rounding = _rounding(values["rounding"]) if "rounding" in values else None
    return ModelIdentity(_text(values["name"]), _text(values["fingerprint"]), size, rounding)


def _rounding(values: Any) -> Rounding:
    mean, most = values
    if not (isinstance(mean, float) and isinstance(most, float) and 0 <= mean <= most < math.inf):
        raise MalformedError("what rounding makes of its figures is no mean and largest value")
    return Rounding(mean, most)


def _require_consistent(trace: TraceColumns, byte_end: Ints) -> None:
    metrics = trace.metrics
    prompt, generated = trace.source[: trace.prompt_length], trace.source[trace.prompt_length :]
    if not 0 <= trace.prompt_length <= len(trace) or not len(trace):
        raise MalformedError("the prompt is longer than the trace")
    edited = {"prompt", "forced"} if trace.branch else {"prompt"}
    if not set(prompt.tolist()) <= edited or not set(generated.tolist()) <= {"sampled", "forced"}:
        raise MalformedError("token sources do not match the prompt's length")
    if trace.finish_reason not in FINISH_REASONS:
        raise MalformedError(f"unknown finish reason {quoted(trace.finish_reason)}")
    if not trace.vocabulary.unknown_ids <= trace.vocabulary.special_ids:
        raise MalformedError("a token of unknown bytes adds some to the text")
    if not np.array_equal(trace.byte_end, byte_end):
        raise MalformedError("byte offsets do not match the tokens")
    for logprobs in (metrics["logprob"], metrics["sampled_logprob"], trace.candidate_logprobs):
        if (logprobs > _ROUNDING).any():
            raise MalformedError("a probability is above 1")
    rank = metrics["rank"][~np.isnan(metrics["rank"])]
    if (rank < 1).any() or (rank != np.floor(rank)).any() or np.isinf(rank).any():
        raise MalformedError("a rank is no whole number from 1 on")
    if trace.branch and not 0 <= trace.branch[1].position <= len(trace):
        raise MalformedError("the fork lies outside the trace")


def _whole(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise MalformedError(f"{quoted(value)} is not a whole number")
    return value


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise MalformedError(f"{quoted(value)} is neither true nor false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise MalformedError(f"{quoted(value)} is not a text")
    value.encode("utf-8")  # refuses half of a surrogate pair
    return value


def _floats(column: pa.Array) -> Floats:
    return cast(Floats, column.to_numpy(zero_copy_only=False).astype(np.float64))


def _ints(column: pa.Array) -> Ints:
    if column.null_count:
        raise MalformedError("a required number is missing")
    return cast(Ints, column.to_numpy(zero_copy_only=False).astype(np.int64))


def _kept(column: pa.Array) -> KeptFlags:
    known = column.cast(pa.int8()).fill_null(NOT_DRAWN)
    return cast(KeptFlags, known.to_numpy(zero_copy_only=False))


def _sources(column: pa.DictionaryArray) -> NDArray[np.str_]:
    names = np.array(column.dictionary.to_pylist(), dtype=np.str_)
    return names[_ints(column.indices)]
