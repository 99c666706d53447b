"""Where the store lies: what people made with the platform's data, what is computed again with its
caches, which cleaners may empty."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tokenscope_core.store.files import DATABASE
from tokenscope_core.store.mending import alone, free_name

STORE_VARIABLE = "TOKENSCOPE_STORE"
TRACES, CAPTURES, SESSIONS = "traces", "captures", "sessions"
_APP = "tokenscope"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreFolders:
    """`kept` holds what people made, `caches` what is computed again; they may be the same."""

    kept: Path
    caches: Path

    @classmethod
    def one(cls, folder: str | Path) -> StoreFolders:
        """One folder for both."""
        return cls(Path(folder), Path(folder))

    @property
    def sessions(self) -> Path:
        """What people made."""
        return self.kept / SESSIONS

    def __str__(self) -> str:
        return " and ".join(dict.fromkeys((str(self.kept), str(self.caches))))


def default_folders() -> StoreFolders:
    """The one that TOKENSCOPE_STORE names, else the user's data folder and cache folder."""
    configured = os.environ.get(STORE_VARIABLE)
    if configured:
        return StoreFolders.one(Path(configured).expanduser())
    return StoreFolders(
        platformdirs.user_data_path(_APP, appauthor=False),
        platformdirs.user_cache_path(_APP, appauthor=False),
    )


def earlier_folder() -> Path:
    """Where versions before this one kept everything by default."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache_home).expanduser() / _APP


def bring_earlier(folders: StoreFolders) -> Path | None:
    """Move what an earlier version kept by default to where it is kept now.

    Returns where sessions are that could not simply be moved, since there are some already or the
    folder is on another disk; `moved` is to be called once they are brought over.
    """
    if os.environ.get(STORE_VARIABLE):
        return None
    earlier = earlier_folder()
    for name in (TRACES, CAPTURES):
        # On another disk they stay: they are computed again.
        with suppress(OSError):
            _move(earlier / name, folders.caches / name)
    old = earlier / SESSIONS
    if not (old / DATABASE).exists() or old == folders.sessions:
        return None
    folders.kept.mkdir(parents=True, exist_ok=True)
    with alone(folders.sessions):
        try:
            moved = _move(old, folders.sessions)
        except OSError as error:
            _LOG.info("The sessions in %s are copied: %s", old, error)
            moved = False
    if moved:
        _LOG.warning("The sessions in %s were moved to %s", old, folders.sessions)
    return old if (old / DATABASE).exists() else None


def moved(old: Path, records: int) -> None:
    """Put a folder out of the way whose sessions have been brought over; it is not deleted.

    Where it cannot be put away, it is brought over again at the next start.
    """
    aside = free_name(old, "moved")
    try:
        old.rename(aside)
    except FileNotFoundError:
        return  # another process that started at the same time has done it
    except OSError as error:
        _LOG.warning("%d records in %s were brought over; it stays: %s", records, old, error)
        return
    _LOG.warning("%d records in %s were brought over; the folder is now %s", records, old, aside)


def _move(old: Path, new: Path) -> bool:
    """Whether a folder was there to be moved, and nothing in its place."""
    if old == new or not (old / DATABASE).exists() or new.exists():
        return False
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)
    return True
