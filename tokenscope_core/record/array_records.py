"""Arrays and a description as bytes, for what is computed once and kept: safetensors within zstd.

Reading treats the bytes as untrusted: nothing is executed, memory is bounded, and what does not fit
together is a `RecordError`.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from safetensors import SafetensorError
from safetensors.numpy import load, save

from tokenscope_core.errors import RecordError
from tokenscope_core.failures import MalformedError, quoted, reason_of

Array = npt.NDArray[Any]

MAX_UNPACKED_BYTES = 384 * 1024**2
_MAGIC = b"TokenScope arrays\n"
_HEADER = struct.Struct("<32sQ")  # SHA-256 of what follows, and its size before it was packed
_DESCRIPTION = "description"


def encode(
    kind: str, version: int, arrays: Mapping[str, Array], description: Mapping[str, Any]
) -> bytes:
    """Write arrays.

    Args:
        kind, version: of the record; `decode` asks for the same.
        arrays: by name, of any shape [...] and dtype, in units of the caller's own.
        description: plain JSON values.

    Raises:
        RecordError: they are too large to be read back.
    """
    size = sum(array.nbytes for array in arrays.values())
    if size > MAX_UNPACKED_BYTES:
        raise RecordError(
            asked=f"A result ({kind}) of {size:,} bytes was to be kept.",
            found=f"{MAX_UNPACKED_BYTES:,} can be read back.",
            action="Ask for a part of it; the whole is computed again each time.",
        )
    described = json.dumps({"kind": kind, "version": version, **description})
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    plain = save(contiguous, metadata={_DESCRIPTION: described})
    packed: bytes = pa.compress(plain, codec="zstd", asbytes=True)
    return _MAGIC + _HEADER.pack(hashlib.sha256(packed).digest(), len(plain)) + packed


def decode(kind: str, version: int, blob: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays, read-only, with the shapes [...], dtypes and units of those that `encode` was
    given, and the description.

    Raises:
        RecordError: the bytes are damaged, of another kind or of another version.
    """
    try:
        if not blob.startswith(_MAGIC):
            raise MalformedError("it does not begin as such a record does")
        checksum, size = _HEADER.unpack_from(blob, len(_MAGIC))
        packed = blob[len(_MAGIC) + _HEADER.size :]
        if hashlib.sha256(packed).digest() != checksum:
            raise MalformedError("its checksum does not match")
        # What describes the arrays takes a few hundred bytes more.
        if size > MAX_UNPACKED_BYTES + 2**20:
            raise MalformedError(f"it would unpack to {size:,} bytes")
        plain: bytes = pa.decompress(packed, decompressed_size=size, codec="zstd", asbytes=True)
        (length,) = struct.unpack_from("<Q", plain)
        header = json.loads(plain[8 : 8 + length])
        description: dict[str, Any] = json.loads(header["__metadata__"][_DESCRIPTION])
        found = description["kind"], description["version"]
        arrays = load(plain)
    except (
        ValueError, LookupError, TypeError, OSError, RecursionError, struct.error,
        SafetensorError, pa.ArrowException,
    ) as error:  # fmt: skip
        raise damaged(kind, reason_of(error)) from error
    if found != (kind, version):
        raise RecordError(
            asked=f"A kept result ({kind}, version {version}) was to be read.",
            found=f"It is {quoted(found[0])}, version {quoted(found[1])}.",
            action="It is computed again.",
        )
    for array in arrays.values():
        array.flags.writeable = False
    return arrays, description


def require_arrays(
    arrays: Mapping[str, Array], expected: Mapping[str, tuple[str, tuple[int, ...]]]
) -> None:
    """Refuse arrays [...] that are not those that a record of its kind has.

    Args:
        arrays: by name, of any shape [...] and dtype, in units of the caller's own.
        expected: name -> (dtype, shape).

    Raises:
        MalformedError: one is missing, or too many, or of another dtype or shape.
    """
    found = {name: (array.dtype.name, array.shape) for name, array in arrays.items()}
    if found != expected:
        raise MalformedError(f"its arrays are {found}")


def damaged(kind: str, what: str) -> RecordError:
    """The error for a record whose parts do not fit together."""
    return RecordError(
        asked=f"A kept result ({kind}) was to be read.",
        found=f"The record is damaged: {what}.",
        action="It is computed again.",
    )
