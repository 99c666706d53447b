"""Finding a model's files and naming them, without importing torch.

A model is the shipped one, a folder, or a hub id. Its fingerprint hashes the files that decide
its numbers, so that a stored trace is found again without loading the weights.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenscope_core import hub
from tokenscope_core.errors import ModelFormatError, ModelNotFoundError
from tokenscope_core.weight_files import read_header, weight_paths

SHIPPED_FOLDER = Path(__file__).resolve().parent.parent / "models" / "tokenscope-py"

_SHOWN_NAME = 200
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


def locate(
    model: str | Path | None = None,
    *,
    download: Callable[[str], Path] | None = None,
) -> ModelFiles:
    """Find a model's files, downloading them from the hub where that is needed and possible.

    Args:
        model: None or the shipped model's name, a folder, or a hub id such as `org/name`.
        download: brings a hub id's files here and returns their folder; None is `hub.download`.

    Raises:
        ModelNotFoundError: no such folder or hub id, or no network.
        ModelFormatError: the files are incomplete, or not a causal language model.
    """
    found = find(model)
    if found is not None:
        return found
    name = str(model).strip()
    if isinstance(model, Path) or not hub.is_hub_id(name):
        raise ModelNotFoundError(
            asked=f"The model “{name[:_SHOWN_NAME]}” was asked for.",
            found="There is no such folder, and it is not a hub id such as “org/name”.",
            action="Check the spelling, or choose a model from the list.",
        )
    if hub.is_offline():
        hub.refuse_offline(name)
    return _checked(name, download(name) if download is not None else hub.download(name))


def find(model: str | Path | None = None) -> ModelFiles | None:
    """The files of a model on this machine; None where it would have to be downloaded, or is
    nowhere.

    Raises:
        ModelFormatError: it is here, but incomplete or not a causal language model.
    """
    if model is None or str(model) == SHIPPED_FOLDER.name:
        return _checked(SHIPPED_FOLDER.name, SHIPPED_FOLDER)
    name = str(model).strip()
    folder = folder_named(name)
    if folder is not None:
        return _checked(folder.name, folder)
    cached = None if isinstance(model, Path) or not hub.is_hub_id(name) else hub.cached_folder(name)
    if cached is None:
        return None
    if not hub.is_offline() and not is_complete(cached):
        return None  # an interrupted download, perhaps: asking the hub again completes it
    return _checked(name, cached)


def is_complete(folder: Path) -> bool:
    """Whether a folder holds a causal language model that can be opened, judged by configuration,
    headers and sizes alone."""
    try:
        _precision(folder.name, folder)
    except ModelFormatError:
        return False
    return True


def folder_named(name: str) -> Path | None:
    """The folder of that name, in full; None where there is none or can be none."""
    try:
        folder = Path(name).expanduser().resolve()
        return folder if name and folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # too long, no such user's home, a NUL
        return None


def _checked(name: str, folder: Path) -> ModelFiles:
    if not folder.is_dir():
        raise ModelNotFoundError(
            asked=f"The model “{name}” was to be opened.",
            found=f"Its folder {folder} does not exist.",
            action="Restore it, or choose another model.",
        )
    precision = _precision(name, folder)
    files = tuple((path, path.stat().st_mtime_ns) for path in _decisive_files(folder))
    return ModelFiles(name, folder, _content_hash(files), precision)


def _precision(name: str, folder: Path) -> str:
    """The dtype a model runs in by default, after checking that all it needs is there.

    Raises:
        ModelFormatError: it is not.
    """

    def refuse(found: str, action: str = "Take a complete copy of the model.") -> ModelFormatError:
        return ModelFormatError(
            asked=f"The model “{name}” was to be opened.", found=found, action=action
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
    if not _has_tokenizer(folder):
        raise refuse(
            "It has no tokenizer.json, vocab.json with merges.txt, or SentencePiece model."
        )
    stored = _stored_precision(folder, refuse)
    return str(config.get("dtype") or config.get("torch_dtype") or stored or "float32")


def _has_tokenizer(folder: Path) -> bool:
    alternatives = (("tokenizer.json",), ("vocab.json", "merges.txt"))
    return any(all((folder / n).is_file() for n in names) for names in alternatives) or bool(
        list(folder.glob("*.model"))
    )


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


def _stored_precision(folder: Path, refuse: Any) -> str | None:
    """The dtype of the weights, after checking that every file of them is there and whole."""
    try:
        paths = weight_paths(folder)
        absent = [path.name for path in paths if not path.is_file()]
        if absent:
            raise refuse(
                f"It lacks {', '.join(absent)}; only weights in the safetensors format are opened.",
                "Take a complete copy of the model, or convert its weights to safetensors.",
            )
        stored = [read_header(path).precision for path in paths]
    except ValueError as error:
        raise refuse(f"{error}.") from error
    return next(filter(None, stored), None)


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
