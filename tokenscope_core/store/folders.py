"""Where the store's folders are: what people made is in the platform's data folder; what can be
computed again is in its cache folder, which cleaning tools may empty."""

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
    """`protected` holds what people made, `caches` what can be computed again; they may be one."""

    protected: Path
    caches: Path

    @classmethod
    def one(cls, folder: str | Path) -> StoreFolders:
        """The same folder for both."""
        return cls(Path(folder), Path(folder))

    @property
    def sessions(self) -> Path:
        """The folder of the sessions and what belongs to them."""
        return self.protected / SESSIONS

    def __str__(self) -> str:
        return " and ".join(dict.fromkeys((str(self.protected), str(self.caches))))


def default_folders() -> StoreFolders:
    """The folder that TOKENSCOPE_STORE names, else the user's data and cache folders."""
    configured = os.environ.get(STORE_VARIABLE)
    if configured:
        return StoreFolders.one(Path(configured).expanduser())
    return StoreFolders(
        platformdirs.user_data_path(_APP, appauthor=False),
        platformdirs.user_cache_path(_APP, appauthor=False),
    )


def earlier_folder() -> Path:
    """Where versions before this one stored everything by default."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache_home).expanduser() / _APP


def move_earlier(folders: StoreFolders) -> Path | None:
    """Move what an earlier version stored by default to today's folders.

    Returns the folder of sessions that could not be moved, because today's folder has some already
    or is on another disk; the caller copies them, then calls `moved`. None where nothing is left.
    """
    if os.environ.get(STORE_VARIABLE):
        return None
    earlier = earlier_folder()
    for name in (TRACES, CAPTURES):
        # A folder cannot be renamed to another disk. Traces and captures are left there: they can
        # be computed again.
        with suppress(OSError):
            _move(earlier / name, folders.caches / name)
    old = earlier / SESSIONS
    if not (old / DATABASE).exists() or old == folders.sessions:
        return None
    folders.protected.mkdir(parents=True, exist_ok=True)
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
    """Rename a folder whose sessions have been copied; it is not deleted.

    Where it cannot be renamed, it is copied again at the next start.
    """
    aside = free_name(old, "moved")
    try:
        old.rename(aside)
    except FileNotFoundError:
        return  # another process that started at the same time has renamed it
    except OSError as error:
        _LOG.warning("%d records in %s were copied; the folder stays: %s", records, old, error)
        return
    _LOG.warning("%d records in %s were copied; the folder is now %s", records, old, aside)


def _move(old: Path, new: Path) -> bool:
    """Move a folder where it is there and nothing is in its new place; returns whether it was."""
    if old == new or not (old / DATABASE).exists() or new.exists():
        return False
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)
    return True
