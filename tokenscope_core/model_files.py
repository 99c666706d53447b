"""Finding a model's files and naming them, without importing torch.

A model is the shipped one, a folder, or a hub id. Its fingerprint hashes the files that decide
its numbers, so that a stored trace is found again without loading the weights.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenscope_core.errors import ModelFormatError, ModelNotFoundError

SHIPPED_FOLDER = Path(__file__).resolve().parent.parent / "models" / "tokenscope-py"
MODELS_VARIABLE = "TOKENSCOPE_MODELS"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_SHOWN_NAME = 200
_HUB_PATTERNS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
_HUB_TIMEOUT_S = 10.0
_FLOATING = {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16"}
_WHOLE_FILE_BYTES = 256 * 1024 * 1024
_SAMPLE_BYTES = 1024 * 1024
# Reports about a model that lie beside it without deciding anything.
_REPORTS = {"evaluation.json", "training.json"}


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk: what people call it, where it lies, what its files hash to.

    `precision` is the dtype it runs in by default: the one its configuration names, or else that
    of its weights.
    """

    name: str
    folder: Path
    content_hash: str
    precision: str = "float32"

    def fingerprint_in(self, precision: str | None = None) -> str:
        """The fingerprint of this model run in a precision (default: its own)."""
        return hashlib.sha256(
            f"{self.content_hash}:{precision or self.precision}".encode()
        ).hexdigest()


def available() -> tuple[str, ...]:
    """What can be named without a download: the shipped model, then every model folder directly
    inside the folders that TOKENSCOPE_MODELS lists (separated like PATH)."""
    roots = [Path(p) for p in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep) if p]
    found = [
        str(config.parent)
        for root in roots
        if root.is_dir()
        for config in sorted([*root.glob("config.json"), *root.glob("*/config.json")])
    ]
    return (SHIPPED_FOLDER.name, *found)


def locate(model: str | Path | None = None) -> ModelFiles:
    """Find a model's files, downloading them from the hub where that is needed and possible.

    Args:
        model: None or the shipped model's name, a folder, or a hub id such as `org/name`.

    Raises:
        ModelNotFoundError: no such folder or hub id, or no network.
        ModelFormatError: the files are incomplete, or not a causal language model.
    """
    if model is None or str(model) == SHIPPED_FOLDER.name:
        return _checked(SHIPPED_FOLDER.name, SHIPPED_FOLDER)
    name = str(model).strip()
    folder = _folder(name)
    if folder is not None:
        return _checked(folder.name, folder)
    if isinstance(model, Path) or not _HUB_ID.fullmatch(name):
        raise ModelNotFoundError(
            asked=f"The model “{name[:_SHOWN_NAME]}” was asked for.",
            found="There is no such folder, and it is not a hub id such as “org/name”.",
            action="Check the spelling, or choose a model from the list.",
        )
    return _checked(name, _hub_folder(name))


def needs_network(model: str) -> bool:
    """Whether locating the model may have to ask the hub: it is neither shipped nor a folder."""
    return model != SHIPPED_FOLDER.name and _folder(model.strip()) is None


def _folder(name: str) -> Path | None:
    """The folder of that name, in full; None where there is none or can be none."""
    try:
        folder = Path(name).expanduser().resolve()
        return folder if name and folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # too long, no such user's home, a NUL
        return None


def _hub_folder(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True, allow_patterns=_HUB_PATTERNS))
    except LocalEntryNotFoundError:
        pass
    found = "It is not in the local Hugging Face cache, and hub access is switched off."
    if not HF_HUB_OFFLINE:
        try:
            # One question with a short time limit: a download without network would retry long.
            HfApi().model_info(name, timeout=_HUB_TIMEOUT_S)
            return Path(snapshot_download(name, allow_patterns=_HUB_PATTERNS))
        except HfHubHTTPError as error:
            status = error.response.status_code
            found = f"The Hugging Face hub answered {status}: no such public model."
        except OSError as error:
            found = f"The Hugging Face hub could not be reached ({type(error).__name__})."
        except Exception as error:
            # The hub client's transport errors descend from its HTTP library's own base class.
            if type(error).__module__.split(".")[0] not in {"httpx", "httpx2", "httpcore"}:
                raise
            found = f"The Hugging Face hub could not be reached ({type(error).__name__})."
    raise ModelNotFoundError(
        asked=f"The model “{name}” was asked for.",
        found=found,
        action="Check the spelling and the network, or choose a model that is on this machine.",
    )


def _checked(name: str, folder: Path) -> ModelFiles:
    def refuse(found: str, action: str = "Take a complete copy of the model.") -> ModelFormatError:
        return ModelFormatError(
            asked=f"The model “{name}” was to be opened.", found=found, action=action
        )

    if not folder.is_dir():
        raise ModelNotFoundError(
            asked=f"The model “{name}” was to be opened.",
            found=f"Its folder {folder} does not exist.",
            action="Restore it, or choose another model.",
        )
    config = _read_config(folder / "config.json", refuse)
    named = config.get("architectures")
    architectures = [str(a) for a in named] if isinstance(named, list) else []
    if not any(a.endswith(("ForCausalLM", "LMHeadModel")) for a in architectures):
        raise refuse(
            f"It is not a causal language model: its config.json names "
            f"{', '.join(architectures) or 'no architecture'}.",
            "Choose a decoder model for text generation.",
        )
    if not (folder / "tokenizer.json").is_file() and not list(folder.glob("*.model")):
        raise refuse("It has no tokenizer.json and no SentencePiece model.")
    precision = config.get("dtype") or config.get("torch_dtype")
    for weights in _weight_files(folder, refuse):
        try:
            stored = _stored_precision(weights)
        except ValueError as error:
            raise refuse(f"{weights.name} {error}.") from error
        precision = precision or stored
    files = tuple((path, path.stat().st_mtime_ns) for path in _decisive_files(folder))
    return ModelFiles(name, folder, _content_hash(files), str(precision or "float32"))


def _read_config(path: Path, refuse: Any) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise refuse("It has no config.json.") from None
    except (OSError, ValueError) as error:
        raise refuse(f"Its config.json cannot be read ({error}).") from error
    if not isinstance(config, dict):
        raise refuse("Its config.json is not an object.")
    return config


def _weight_files(folder: Path, refuse: Any) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            files = [folder / name for name in sorted(set(weight_map.values()))]
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise refuse(f"{index.name} cannot be read ({error}).") from error
    else:
        files = [folder / "model.safetensors"]
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        raise refuse(
            f"It lacks {', '.join(absent)}; only weights in the safetensors format are opened.",
            "Take a complete copy of the model, or convert its weights to safetensors.",
        )
    return files


def _stored_precision(path: Path) -> str | None:
    """The dtype of the first floating-point tensor, after checking the file's layout.

    Raises:
        ValueError: what is wrong with it, from its header and size alone.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        if size < 8 or header_size > size - 8:
            raise ValueError(f"is cut short at {size:,} bytes")
        try:
            header = json.loads(file.read(header_size))
            tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
            end = max((tensor["data_offsets"][1] for tensor in tensors), default=0)
            floating = [t["dtype"] for t in tensors if t["dtype"] in _FLOATING]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise ValueError("has a damaged header") from None
    if size != 8 + header_size + end:
        raise ValueError(f"has {size:,} bytes where its header promises {8 + header_size + end:,}")
    return _FLOATING[floating[0]] if floating else None


def _decisive_files(folder: Path) -> list[Path]:
    """The files that decide a model's numbers."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in {".json", ".safetensors", ".model", ".txt", ".jinja"}
        and path.name not in _REPORTS
        and path.is_file()
    ]


@functools.lru_cache(maxsize=64)
def _content_hash(files: tuple[tuple[Path, int], ...]) -> str:
    """Hash of the files' names and contents; the times only tell when to read them again."""
    digest = hashlib.sha256()
    for path, _ in files:
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}\n".encode())
        for chunk in _decisive_chunks(path, size):
            digest.update(chunk)
    return digest.hexdigest()


def _decisive_chunks(path: Path, size: int) -> Iterator[bytes]:
    """The whole file, or of a very large one its beginning (header included), middle and end."""
    with path.open("rb") as file:
        if size <= _WHOLE_FILE_BYTES:
            while chunk := file.read(_SAMPLE_BYTES):
                yield chunk
            return
        for offset in (0, size // 2, size - _SAMPLE_BYTES):
            file.seek(offset)
            yield file.read(_SAMPLE_BYTES)
