"""Arrow IPC files of one record batch, compressed; read with a bound on what they unpack to.

A file is the streaming format between two marks, then a footer for those who jump to a batch. It is
read here as the stream, message by message, so that what was measured is what is unpacked: a few
kilobytes of Zstandard can declare terabytes. The layout of messages is that of Arrow's Message.fbs.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import cast

import pyarrow as pa

from tokenscope_core.failures import MalformedError, reason_of

# A trace of 100,000 positions with 200 candidates each takes 250 MB.
MAX_UNPACKED_BYTES = 256 * 1024**2

_FILE_START, _FILE_END = b"ARROW1\0\0", b"ARROW1"
# Of 1,000 tokens it leaves 0.43 where the model is sure, 0.52 where it guesses.
_QUICK_ENOUGH = 0.6
# For a trace of usual size, waking other threads takes longer than what they would do.
_IN_THIS_THREAD = pa.ipc.IpcReadOptions(use_threads=False)


def write(batch: pa.RecordBatch) -> bytes:
    """The batch as a file.

    LZ4 unpacks six times as fast as Zstandard, which packs harder: a trace of 1,000 tokens in
    0.12 ms instead of 0.8. It is used where what it leaves of the data is little enough.
    """
    quick = _written(batch, "lz4")
    left = sum(len(message.body) for message in _messages(quick))
    if left <= _QUICK_ENOUGH * unpacked_bytes(quick):
        return quick
    return _written(batch, "zstd")


def _written(batch: pa.RecordBatch, compression: str) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    return cast(bytes, sink.getvalue().to_pybytes())


def read_schema(blob: bytes) -> pa.Schema:
    """The columns of a file and its metadata; no data are unpacked.

    Raises:
        ValueError, OSError, pyarrow.ArrowException: it is no such file.
    """
    with pa.ipc.open_stream(_stream(blob)) as reader:
        return reader.schema


def read_batch(blob: bytes) -> pa.RecordBatch:
    """The one batch of a file.

    Raises:
        ValueError, OSError, pyarrow.ArrowException: it is no such file, it is damaged, it has
            several batches, or it would take more than `MAX_UNPACKED_BYTES` of memory.
    """
    declared = unpacked_bytes(blob)
    if declared > MAX_UNPACKED_BYTES:
        raise MalformedError(
            f"it would unpack to {declared:,} bytes, and {MAX_UNPACKED_BYTES:,} are allowed"
        )
    with pa.ipc.open_stream(_stream(blob), options=_IN_THIS_THREAD) as reader:
        batches = list(reader)
    if len(batches) != 1:
        raise MalformedError(f"it holds {len(batches)} record batches, not one")
    batches[0].validate(full=True)
    return batches[0]


def unpacked_bytes(blob: bytes) -> int:
    """How much memory the data of a file say they need.

    Raises: as `read_schema`.
    """
    try:
        return sum(map(_body_bytes, _messages(blob)))
    except struct.error as error:
        raise MalformedError(f"a message is cut short ({reason_of(error)})") from error


def checksum(blob: bytes, description: bytes) -> bytes:
    """SHA-256, in hexadecimal, of a description and of the messages that hold a file's data.

    Raises: as `read_schema`.
    """
    digest = hashlib.sha256(description)
    for message in _messages(blob):
        digest.update(message.metadata)
        digest.update(message.body)
    return digest.hexdigest().encode("ascii")


def _messages(blob: bytes) -> Iterator[pa.ipc.Message]:
    """Those that hold data."""
    reader = pa.ipc.MessageReader.open_stream(_stream(blob))
    return (message for message in reader if message.type != "schema")


def _stream(blob: bytes) -> pa.Buffer:
    if not blob.startswith(_FILE_START) or not blob.endswith(_FILE_END):
        raise MalformedError("it does not begin and end as an Arrow file does")
    return pa.py_buffer(blob).slice(len(_FILE_START))


def _body_bytes(message: pa.ipc.Message) -> int:
    metadata = message.metadata.to_pybytes()
    batch = _target(metadata, _field(metadata, _target(metadata, 0), 2))
    if message.type == "dictionary":
        batch = _target(metadata, _field(metadata, batch, 1))
    body = memoryview(message.body)
    if not _field(metadata, batch, 3):
        return len(body)  # not compressed
    buffers = _target(metadata, _field(metadata, batch, 2))
    (count,) = struct.unpack_from("<I", metadata, buffers)
    total = 0
    for offset, length in struct.iter_unpack(
        "<qq", metadata[buffers + 4 : buffers + 4 + 16 * count]
    ):
        if length:
            # A compressed buffer begins with its size before that; -1: it is stored as it is.
            (size,) = struct.unpack_from("<q", body, offset)
            if size < -1:
                raise MalformedError("a buffer declares a negative size")
            total += length if size == -1 else size
    return total


def _target(data: bytes, place: int) -> int:
    """Where a flatbuffer's reference at `place` leads."""
    (offset,) = struct.unpack_from("<I", data, place)
    return place + int(offset)


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table stands; 0 where it is absent."""
    (back,) = struct.unpack_from("<i", data, table)
    (size,) = struct.unpack_from("<H", data, table - back)
    entry = 4 + 2 * number
    if entry >= size:
        return 0
    (offset,) = struct.unpack_from("<H", data, table - back + entry)
    return table + int(offset) if offset else 0
