"""Safetensors files, judged by their headers and sizes alone.

The format is eight bytes of header length, a JSON header, and the tensors' bytes:
https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from tokenscope_core.failures import MalformedError, reason_of
from tokenscope_core.models.files.json_files import read_object

INDEX_ENDING = ".safetensors.index.json"
INDEX_NAME = f"model{INDEX_ENDING}"
# The format's own bound; an index of the largest models has a tenth of the other.
_HEADER_LIMIT = 100_000_000
_INDEX_LIMIT = 64 * 1024 * 1024
_SINGLE_NAME = "model.safetensors"
_FLOATING = {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16"}


@dataclass(frozen=True, slots=True)
class Weights:
    """What one file holds: how many tensors and numbers, in how many bytes, and the dtype of the
    first floating-point tensor."""

    tensors: int
    numbers: int
    bytes: int
    precision: str | None


def weight_paths(folder: Path) -> list[Path]:
    """The files a model's weights are in, present or not, as transformers chooses them: those its
    configuration names, the single one, or those its index names.

    Raises:
        ValueError: the index cannot be read, or names a file outside the folder.
    """
    named = _named_by_config(folder / "config.json")
    if named is not None and not named.endswith(INDEX_ENDING):
        return [_inside(folder, named, "config.json")]
    if named is None and ((folder / _SINGLE_NAME).is_file() or not (folder / INDEX_NAME).is_file()):
        return [folder / _SINGLE_NAME]
    index = _inside(folder, named or INDEX_NAME, "config.json")
    try:
        weight_map = read_object(index, limit=_INDEX_LIMIT)["weight_map"]
        names = sorted(set(weight_map.values()))
    except ValueError as error:
        raise MalformedError(f"{index.name} {reason_of(error)}") from error
    except (OSError, LookupError, TypeError, AttributeError):
        raise MalformedError(
            f"{index.name} cannot be read (it has no “weight_map” of names of files)"
        ) from None
    return [_inside(folder, name, index.name) for name in names]


def _named_by_config(path: Path) -> str | None:
    """What transformers is told to load in the place of the usual files."""
    try:
        config = read_object(path)
    except (OSError, ValueError):
        return None  # whoever opens the model says what is wrong with it
    named = config.get("transformers_weights")
    return named if isinstance(named, str) else None


def _inside(folder: Path, name: object, naming: str) -> Path:
    """A file of a folder, or below it, by its name there."""
    if not isinstance(name, str):
        raise MalformedError(f"{naming} cannot be read: a file is named by {type(name).__name__}")
    written = (PurePosixPath(name), PureWindowsPath(name))
    if any(path.anchor or ".." in path.parts or not path.parts for path in written):
        raise MalformedError(f"{naming} names “{name[:200]}”, which is outside the model's folder")
    return folder / name


def read_header(path: Path) -> Weights:
    """What a file holds, after checking its layout.

    Raises:
        ValueError: what is wrong with it.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        if size < 8 or header_size > size - 8:
            raise MalformedError(f"{path.name} is cut short at {size:,} bytes")
        if header_size > _HEADER_LIMIT:
            raise MalformedError(f"{path.name} has a damaged header")
        try:
            header = json.loads(file.read(header_size))
            tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
            end = max((tensor["data_offsets"][1] for tensor in tensors), default=0)
            numbers = sum(_product(tensor["shape"]) for tensor in tensors)
            floating = [t["dtype"] for t in tensors if t["dtype"] in _FLOATING]
            if type(end) is not int or end < 0:
                raise ValueError
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise MalformedError(f"{path.name} has a damaged header") from None
    promised = 8 + header_size + end
    if size != promised:
        raise MalformedError(
            f"{path.name} has {size:,} bytes where its header promises {promised:,}"
        )
    return Weights(len(tensors), numbers, end, _FLOATING[floating[0]] if floating else None)


def _product(shape: list[int]) -> int:
    """How many numbers a shape has. Raises: ValueError where it is none."""
    if not all(type(size) is int and 0 <= size < 2**63 for size in shape):
        raise ValueError
    return math.prod(shape)
