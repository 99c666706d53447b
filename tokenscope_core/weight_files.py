"""Safetensors files, judged by their headers and sizes alone.

The format is eight bytes of header length, a JSON header, and the tensors' bytes:
https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

INDEX_ENDING = ".safetensors.index.json"
INDEX_NAME = f"model{INDEX_ENDING}"
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
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(weight_map.values()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{index.name} cannot be read ({type(error).__name__})") from error
    return [_inside(folder, name, index.name) for name in names]


def _named_by_config(path: Path) -> str | None:
    """What transformers is told to load in the place of the usual files."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None  # whoever opens the model says what is wrong with it
    named = config.get("transformers_weights") if isinstance(config, dict) else None
    return named if isinstance(named, str) else None


def _inside(folder: Path, name: object, naming: str) -> Path:
    """A file of a folder, or below it, by its name there."""
    if not isinstance(name, str):
        raise ValueError(f"{naming} cannot be read: a file is named by {type(name).__name__}")
    written = (PurePosixPath(name), PureWindowsPath(name))
    if any(path.anchor or ".." in path.parts or not path.parts for path in written):
        raise ValueError(f"{naming} names “{name[:200]}”, which is outside the model's folder")
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
