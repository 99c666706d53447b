"""GGUF files, judged by their headers and sizes alone: what they hold, in which quantisation.

The format is a header of keys and values, a table of tensors and the tensors' bytes:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. A file is a stranger's: what it says of
its own lengths is held against its size before anything is read.
"""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tokenscope_core.caching import lru_cache
from tokenscope_core.failures import MalformedError
from tokenscope_core.models.files.digests import FileState

ENDING = ".gguf"
_MAGIC, _VERSIONS = b"GGUF", (2, 3)
# Vocabularies of a quarter of a million tokens take a twentieth of it.
_HEADER_LIMIT = 256 * 1024 * 1024
_MOST_TENSORS, _MOST_DIMENSIONS = 1_000_000, 8
_ALIGNMENT = 32
_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
# Kinds of values: how struct reads them. Strings (8) and arrays (9) carry their own lengths.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
            12: "d"}  # fmt: skip
_STRING, _ARRAY = 8, 9
# Of each kind of tensor: its name, and how many numbers stand in a block of how many bytes.
TENSOR_KINDS = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
    26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip

Scalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a file says of its model: the values of its keys, of lists only how long they are, and
    how many numbers it holds in tensors of each kind, the commonest kind first."""

    values: Mapping[str, Scalar]
    lengths: Mapping[str, int]
    numbers_by_kind: Mapping[str, int]

    @property
    def architecture(self) -> str:
        """What its keys begin with, such as `llama`; empty where it does not say."""
        return str(self.values.get("general.architecture") or "")

    @property
    def numbers(self) -> int:
        """How many numbers the model consists of."""
        return sum(self.numbers_by_kind.values())

    @property
    def quantisation(self) -> str:
        """The kind of most of its numbers, such as `Q4_1`."""
        return next(iter(self.numbers_by_kind), "empty")

    def number(self, name: str) -> int | None:
        """A whole number that its architecture states under that name; None where it does not."""
        value = self.values.get(f"{self.architecture}.{name}")
        return value if type(value) is int else None


def is_gguf(path: Path) -> bool:
    """Whether a path is a file of that format, by its name."""
    return path.suffix.lower() == ENDING and path.is_file()


def gguf_in(folder: Path) -> tuple[Path, ...]:
    """The GGUF files that lie directly in a folder."""
    return tuple(sorted(path for path in folder.iterdir() if is_gguf(path)))


def part_of_several(path: Path) -> tuple[int, int] | None:
    """Which part of how many a file is, by its name; None where it is whole."""
    found = _PART.search(path.name)
    return (int(found[1]), int(found[2])) if found and int(found[2]) > 1 else None


def read_gguf(path: Path) -> GgufHeader:
    """What a file holds, after checking that it is whole.

    Raises:
        OSError: it cannot be read.
        ValueError: what is wrong with it, as the end of a sentence that begins with its name.
    """
    return _read(FileState.of(path))


@lru_cache(maxsize=32)
def _read(state: FileState) -> GgufHeader:
    with Path(state.path).open("rb") as file:
        return _Reader(file, state.size).header()


class _Reader:
    """Reads one header, never past the end of the file or of what a header may take."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._at = 0

    def header(self) -> GgufHeader:
        if self._bytes(4) != _MAGIC:
            raise MalformedError("does not begin as a GGUF file does")
        version = self._number("I")
        if version not in _VERSIONS:
            raise MalformedError(f"is of version {version} of GGUF; 2 and 3 are read")
        tensors, keys = self._number("Q"), self._number("Q")
        if tensors > _MOST_TENSORS or keys > _MOST_TENSORS:
            raise MalformedError("has a damaged header")
        values: dict[str, Scalar] = {}
        lengths: dict[str, int] = {}
        for _ in range(keys):
            name, kind = self._text(), self._number("I")
            if kind == _ARRAY:
                lengths[name] = self._skip_array()
            else:
                values[name] = self._value(kind)
        numbers, end = self._tensors(tensors)
        alignment = values.get("general.alignment", _ALIGNMENT)
        if type(alignment) is not int or alignment < 1:
            raise MalformedError("has a damaged header")
        promised = math.ceil(self._at / alignment) * alignment + end
        if self._size < promised:
            raise MalformedError(
                f"is cut short: it has {self._size:,} bytes where its header promises {promised:,}"
            )
        return GgufHeader(values, lengths, dict(numbers.most_common()))

    def _tensors(self, count: int) -> tuple[Counter[str], int]:
        """The numbers in tensors of each kind, and where the bytes of the last tensor end."""
        numbers: Counter[str] = Counter()
        end = 0
        for _ in range(count):
            self._text()
            dimensions = self._number("I")
            if dimensions > _MOST_DIMENSIONS:
                raise MalformedError("has a damaged header")
            held = math.prod(self._number("Q") for _ in range(dimensions))
            kind, offset = self._number("I"), self._number("Q")
            if kind not in TENSOR_KINDS:
                raise MalformedError(f"holds tensors of the kind {kind}, which is not known here")
            name, block, block_bytes = TENSOR_KINDS[kind]
            numbers[name] += held
            end = max(end, offset + math.ceil(held / block) * block_bytes)
        return numbers, end

    def _value(self, kind: int) -> Scalar:
        if kind == _STRING:
            return self._text()
        if kind not in _SCALARS:
            raise MalformedError("has a damaged header")
        found: Scalar = self._number(_SCALARS[kind])
        return found

    def _skip_array(self) -> int:
        kind, count = self._number("I"), self._number("Q")
        if kind in _SCALARS:
            self._bytes(struct.calcsize(f"<{_SCALARS[kind]}") * count)
        elif kind == _STRING and 8 * count <= self._size:
            for _ in range(count):
                self._bytes(self._number("Q"))
        else:
            raise MalformedError("has a damaged header")
        return count

    def _text(self) -> str:
        return self._bytes(self._number("Q")).decode("utf-8", errors="replace")

    def _number(self, kind: str) -> int:
        (found,) = struct.unpack(f"<{kind}", self._bytes(struct.calcsize(f"<{kind}")))
        return found  # type: ignore[no-any-return]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        if self._at > self._size:
            raise MalformedError("is cut short")
        if self._at > _HEADER_LIMIT:
            raise MalformedError("has a damaged header")
        return self._file.read(count)
