"""The hash that names a model: of every file that decides its numbers, every byte of them.

SHA-256 over the files in the order of their names, each as `name:size` and a line feed, then its
bytes; of a file above 256 MiB instead `sha256:`, its own SHA-256 in hex, and a line feed, so that
one that is known, from before or from the hub, need not be read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from tokenscope_core.caching import lru_cache
from tokenscope_core.models.files import weight_files
from tokenscope_core.models.files.digests import (
    Digests,
    FileChanged,
    FileState,
    States,
    are_settled,
    hash_into,
    hub_digest,
    wait_until_settled,
)

_LARGE_BYTES = 256 * 1024 * 1024
# Half a second to read; more is read where a person sees how far it has come.
_AT_ONCE_BYTES = 256 * 1024 * 1024
_SAMPLE_BYTES = 1024 * 1024
_DECISIVE = {".json", ".safetensors", ".model", ".txt", ".jinja"}
# Templates besides the one a tokenizer uses by default.
_TEMPLATES = "additional_chat_templates"
# Reports about a model that lie beside it without deciding anything.
_REPORTS = {"evaluation.json", "training.json"}

_digests = Digests()


def states_of(folder: Path) -> States:
    """The files that decide a model's numbers, as they are now.

    Raises:
        OSError: they cannot be looked at.
        ValueError: the weights' index cannot be read.
    """
    beside = {path for path in folder.iterdir() if path.suffix in _DECISIVE}
    inside = {*folder.glob(f"{_TEMPLATES}/*.jinja"), *weight_files.weight_paths(folder)}
    return tuple(
        FileState.of(path)
        for path in sorted(beside | inside)
        if path.name not in _REPORTS and path.is_file()
    )


def unread_bytes(states: States) -> int:
    """How much has to be read before the hash is known."""
    if _digests.get(states) is not None:
        return 0
    return sum(state.size for state in states if _known_digest(state) is None)


def known_hash(folder: Path, states: States) -> str | None:
    """The hash where it is remembered or little is to be read for it; else None.

    Raises: as `read_hash`.
    """
    known = _digests.get(states)
    if known is not None or unread_bytes(states) > _AT_ONCE_BYTES:
        return known
    return read_hash(folder, states)


def read_hash(
    folder: Path, states: States, told: Callable[[int], None] = lambda _count: None
) -> str:
    """The hash, after reading what is not known.

    Args:
        folder: of the model.
        states: of its files.
        told: how many more bytes were read, again and again; what it raises ends the reading.

    Raises:
        FileChanged: one of them was changed since, or meanwhile.
        OSError: one of them cannot be read.
    """
    known = _digests.get(states)
    if known is not None:
        return known
    much = unread_bytes(states) > _AT_ONCE_BYTES
    if much:
        wait_until_settled(states)
    settled = are_settled(states)
    digest = hashlib.sha256()
    for state in states:
        digest.update(_heading(folder, state))
        if state.size <= _LARGE_BYTES:
            hash_into(digest, state, told)
        else:
            digest.update(f"sha256:{file_digest(state, told)}\n".encode())
    if settled:
        _digests.put(states, digest.hexdigest(), persist=much)
    return digest.hexdigest()


@lru_cache(maxsize=64)
def sampled_hash(folder: Path, states: States) -> str | None:
    """The hash by which such files were known before every byte counted; None where it is the same.

    Of a file above 256 MiB it takes the first, the middle and the last MiB only.

    Raises:
        OSError: one of them cannot be read.
    """
    if all(state.size <= _LARGE_BYTES for state in states):
        return None
    digest = hashlib.sha256()
    for state in states:
        if Path(state.path).parent != folder:
            continue
        digest.update(_heading(folder, state))
        if state.size <= _LARGE_BYTES:
            hash_into(digest, state)
            continue
        with Path(state.path).open("rb") as file:
            for offset in (0, state.size // 2, state.size - _SAMPLE_BYTES):
                file.seek(offset)
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _heading(folder: Path, state: FileState) -> bytes:
    name = Path(state.path).relative_to(folder).as_posix()
    return f"{name}:{state.size}\n".encode(errors="surrogateescape")


def _known_digest(state: FileState) -> str | None:
    """The SHA-256 of a large file where it is known without reading it."""
    if state.size <= _LARGE_BYTES:
        return None
    return _digests.get((state,)) or hub_digest(state)


def known_file_digest(state: FileState) -> str | None:
    """The SHA-256 of one file where it is remembered or little is to be read for it; else None.

    Raises: as `file_digest`.
    """
    if state.size <= _AT_ONCE_BYTES:
        return file_digest(state)
    return _known_digest(state)


def file_digest(state: FileState, told: Callable[[int], None] = lambda _count: None) -> str:
    """The SHA-256 of one file, after reading it where it is not known.

    Raises:
        FileChanged: it was changed since, or meanwhile.
        OSError: it cannot be read.
    """
    known = _digests.get((state,)) or _known_digest(state)
    if known is not None:
        return known
    settled, digest = are_settled((state,)), hashlib.sha256()
    hash_into(digest, state, told)
    if settled:
        _digests.put((state,), digest.hexdigest(), persist=True)
    return digest.hexdigest()


__all__ = [
    "FileChanged", "FileState", "States", "file_digest", "known_file_digest", "known_hash",
    "read_hash", "sampled_hash", "states_of", "unread_bytes",
]  # fmt: skip
