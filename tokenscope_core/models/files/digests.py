"""SHA-256 of files, every byte of them once: what was read is remembered beside the file's state.

The state is what the file system says of a file: its size, when it was changed, which inode it is.
A digest is remembered only where reading began long enough after the last change for the clock of
any common file system to tell another change from it.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Protocol

from tokenscope_core.models.files.json_records import read_record, records_folder, write_record

_BUFFER_BYTES = 4 * 1024 * 1024
# FAT counts in two seconds, others in parts of one.
_SETTLED_S = 2.5
_REMEMBERED = 1024
# A file under Git LFS is named by its SHA-256 in the hub's cache, any other by a SHA-1.
_HUB_BLOB = re.compile(r"[0-9a-f]{64}")

States = tuple["FileState", ...]


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> object: ...


class FileChanged(Exception):  # noqa: N818 - whoever reads it decides what that means
    """A file was written or replaced while it was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells a file from what it was before. Of a link it is its target's.

    `size` is in bytes. `modified_ns` can be set by whoever writes the file; `changed_ns` cannot, on
    systems that have it (POSIX), so that a file put back to its old size and time is noticed.
    """

    path: str
    size: int
    modified_ns: int
    changed_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        """The state of a file now.

        Raises:
            OSError: it is not there, or may not be looked at.
        """
        found = path.stat()
        return cls(
            str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino,
            found.st_dev,
        )  # fmt: skip

    @property
    def last_change_s(self) -> float:
        """When it was last changed, seconds since the epoch."""
        # Windows has the time of its creation there.
        return (self.changed_ns if os.name == "posix" else self.modified_ns) / 1e9


def hash_into(
    digest: _Hash, state: FileState, told: Callable[[int], None] = lambda _count: None
) -> None:
    """Add every byte of a file to a hash.

    Args:
        digest: the hash.
        state: of the file.
        told: how many bytes were read, again and again; what it raises ends the reading.

    Raises:
        FileChanged: it was changed since that state, or meanwhile.
        OSError: it cannot be read.
    """
    path = Path(state.path)
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            told(count)
    if FileState.of(path) != state:
        raise FileChanged(path)


def wait_until_settled(states: Sequence[FileState]) -> None:
    """Let so much time pass since the last change of files that a digest can be remembered."""
    wait = max((state.last_change_s for state in states), default=0.0) + _SETTLED_S - time.time()
    time.sleep(min(max(wait, 0.0), _SETTLED_S))


def are_settled(states: Sequence[FileState]) -> bool:
    """Whether a change from now on would show in the states of files."""
    return all(state.last_change_s + _SETTLED_S <= time.time() for state in states)


def hub_digest(state: FileState) -> str | None:
    """The SHA-256 by which the hub's cache calls a file that lies as it was downloaded, else None.

    The cache links to the file once it is whole: one changed after its first link is not trusted.
    """
    link = Path(state.path)
    try:
        if not link.is_symlink():
            return None
        blob = link.resolve(strict=True)
        snapshots = link.parent.parent
        if blob.parent != (snapshots.parent / "blobs").resolve() or not _HUB_BLOB.fullmatch(
            blob.name
        ):
            return None
        links = (snapshot / link.name for snapshot in snapshots.iterdir())
        first = min(other.lstat().st_ctime_ns for other in links if _leads_to(other, blob))
    except OSError:
        return None
    return blob.name if state.changed_ns <= first else None


def _leads_to(link: Path, blob: Path) -> bool:
    return link.is_symlink() and link.resolve() == blob


class Digests:
    """Digests by the states of the files they are of; those of much data outlast the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[States, str] = OrderedDict()

    def get(self, states: States) -> str | None:
        """The digest of files in exactly these states; None where it is not known."""
        with self._lock:
            if states in self._known:
                self._known.move_to_end(states)
                return self._known[states]
        found = _read_record(states)
        if found is not None:
            self._remember(states, found)
        return found

    def put(self, states: States, digest: str, *, persist: bool) -> None:
        """Remember a digest; where it took long to find (`persist`) also for the next process."""
        self._remember(states, digest)
        if persist:
            write_record(_record_path(states), _record(states, digest))

    def _remember(self, states: States, digest: str) -> None:
        with self._lock:
            self._known[states] = digest
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


def _record_path(states: States) -> Path:
    paths = "\0".join(state.path for state in states).encode(errors="surrogateescape")
    return records_folder("digests") / f"{hashlib.sha256(paths).hexdigest()}.json"


def _read_record(states: States) -> str | None:
    written = read_record(_record_path(states))
    digest = None if written is None else written.get("digest")
    return digest if isinstance(digest, str) and written == _record(states, digest) else None


def _record(states: States, digest: str) -> dict[str, object]:
    return {"files": [list(astuple(s)) for s in states], "digest": digest}
