"""Safetensors files, judged by their headers and sizes alone.

The format is eight bytes of header length, a JSON header, and the tensors' bytes:
https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

INDEX_NAME = "model.safetensors.index.json"
_SINGLE_NAME = "model.safetensors"
_FLOATING = {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16"}


@dataclass(frozen=True, slots=True)
class Weights:
    """What one file holds: how many numbers, in how many bytes, and the dtype of the first
    floating-point tensor."""

    numbers: int
    bytes: int
    precision: str | None


def weight_paths(folder: Path) -> list[Path]:
    """The files a model's weights are in, present or not: those its index names, or the one.

    Raises:
        ValueError: the index cannot be read.
    """
    index = folder / INDEX_NAME
    if not index.is_file():
        return [folder / _SINGLE_NAME]
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return [folder / name for name in sorted(set(weight_map.values()))]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{INDEX_NAME} cannot be read ({error})") from error


def read_header(path: Path) -> Weights:
    """What a file holds, after checking its layout.

    Raises:
        ValueError: what is wrong with it.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        if size < 8 or header_size > size - 8:
            raise ValueError(f"{path.name} is cut short at {size:,} bytes")
        try:
            header = json.loads(file.read(header_size))
            tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
            end = max((tensor["data_offsets"][1] for tensor in tensors), default=0)
            numbers = sum(math.prod(tensor["shape"]) for tensor in tensors)
            floating = [t["dtype"] for t in tensors if t["dtype"] in _FLOATING]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise ValueError(f"{path.name} has a damaged header") from None
    promised = 8 + header_size + end
    if size != promised:
        raise ValueError(f"{path.name} has {size:,} bytes where its header promises {promised:,}")
    return Weights(numbers, end, _FLOATING[floating[0]] if floating else None)
