"""Models that were converted to safetensors: one folder each, least recently used ones removed.

A folder is named by what it was made from, every byte of it, and by the library that made it: the
same file under another name is found again, another file of the same name is not.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from tokenscope_core.errors import ModelTooLargeError
from tokenscope_core.settings import Limits

_LOG = logging.getLogger(__name__)
_PART = "part-"
# What a conversion that was broken off has left is nobody's after so long.
_ABANDONED_S = 24 * 3600


def converted_root() -> Path:
    """Where conversions are kept; any of them can be deleted at any time."""
    return platformdirs.user_cache_path("tokenscope", appauthor=False) / "converted"


def folder_of(digest: str) -> Path:
    """Where the conversion of a file of that SHA-256 is, or will be."""
    made_by = f"{digest}:transformers {importlib.metadata.version('transformers')}"
    return converted_root() / hashlib.sha256(made_by.encode()).hexdigest()[:32]


def note_use(folder: Path) -> None:
    """Let a conversion count as used now."""
    try:
        os.utime(folder)
    except OSError as error:  # a cache that may only be read is used all the same
        _LOG.info("Not noted as used: %s", error)


@contextmanager
def new_folder(target: Path, *, name: str, needed: int) -> Iterator[Path]:
    """A folder to write a conversion into; it becomes `target` when the block ends well.

    Args:
        target: as `folder_of` names it.
        name: of the model, for an error.
        needed: about how many bytes it will take; older conversions make room for it.

    Raises:
        ModelTooLargeError: there is no room for it, on the disk or within the bound.
    """
    root = target.parent
    root.mkdir(parents=True, exist_ok=True)
    _make_room(root, name, needed)
    with tempfile.TemporaryDirectory(dir=root, prefix=_PART) as beside:
        written = Path(beside) / target.name
        written.mkdir()
        yield written
        try:
            written.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was quicker
                raise


def _make_room(root: Path, name: str, needed: int) -> None:
    bound = Limits.from_environment().converted_mb * 10**6
    asked = f"The model “{name}” was to be converted to safetensors."
    if needed > bound:
        raise ModelTooLargeError(
            asked=asked,
            found=f"That takes {needed / 1e9:,.1f} GB on disk; conversions may take "
            f"{bound / 1e9:,.1f} GB in all.",
            action="Set TOKENSCOPE_CONVERTED_MB to more, or choose a smaller model.",
            needed=needed,
            present=bound,
        )
    sizes: dict[Path, int] = {}
    for folder in sorted(root.iterdir(), key=lambda path: path.stat().st_mtime):
        if folder.name.startswith(_PART):
            if folder.stat().st_mtime + _ABANDONED_S < time.time():
                shutil.rmtree(folder, ignore_errors=True)
        elif folder.is_dir():
            sizes[folder] = sum(file.stat().st_size for file in folder.iterdir())
    taken = sum(sizes.values())
    for folder, size in sizes.items():
        if taken + needed <= bound and needed <= shutil.disk_usage(root).free:
            break
        shutil.rmtree(folder, ignore_errors=True)
        taken -= size
    free = shutil.disk_usage(root).free
    if needed > free:
        raise ModelTooLargeError(
            asked=asked,
            found=f"That takes {needed / 1e9:,.1f} GB; the disk has {free / 1e9:,.1f} GB free.",
            action="Free some space, or choose a smaller model.",
            needed=needed,
            present=free,
        )
