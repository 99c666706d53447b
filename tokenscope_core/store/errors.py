"""What is wrong with a store, in sentences that visitors may read; the log has folder and cause."""

from __future__ import annotations

import errno
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

import diskcache

from tokenscope_core.errors import RecordError, StoreUnusableError
from tokenscope_core.store.files import GoneError
from tokenscope_core.store.mending import DamagedError

_LOG = logging.getLogger(__name__)
# The same cause is written into the log once in so many seconds.
_LOGGED_EVERY_S = 60.0
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}
_ASKED = "The store was to be used."
_LOOK = (
    "Check its free space and permissions, or ask whoever runs the server; the log names the "
    "folder. What is on screen can be downloaded."
)
_logged: dict[str, float] = {}


@contextmanager
def named_errors(where: object) -> Iterator[None]:
    """Turn whatever the files raise into a StoreUnusableError.

    Args:
        where: the folder, for the log.
    """
    try:
        yield
    except RecordError:
        raise
    except GoneError as error:
        _log(where, "its folder is gone")
        raise StoreUnusableError(
            asked=_ASKED,
            found="Its folder is gone: it was deleted or moved, or its disk is not mounted.",
            action="Bring it back. It is created anew, empty, when whoever runs the server says so "
            "on the page Operator, or starts the server again.",
        ) from error
    except Exception as error:
        found = _found(error)
        if found is None:
            raise
        _log(where, f"{type(error).__name__}: {error}")
        action = "Try again." if isinstance(error, diskcache.Timeout) else _LOOK
        raise StoreUnusableError(asked=_ASKED, found=found, action=action) from error


def _found(error: Exception) -> str | None:
    """What an error says of the store; None of one that is not about it."""
    if isinstance(error, diskcache.Timeout):
        return "Others have been writing to it for a minute."
    code = getattr(error, "sqlite_errorcode", -1) & 0xFF
    if isinstance(error, OSError | sqlite3.Error):
        number = error.errno if isinstance(error, OSError) else None
        if code == sqlite3.SQLITE_FULL or number in _FULL:
            return "Its disk is full."
        if code == sqlite3.SQLITE_READONLY or number in _NOT_ALLOWED:
            return "It may not be written to."
        return f"It cannot be read or written ({type(error).__name__})."
    if isinstance(error, DamagedError):
        return "It is damaged."
    return None


def _log(where: object, cause: str) -> None:
    said, now = f"The store in {where} cannot be used: {cause}", time.monotonic()
    if now - _logged.get(said, -_LOGGED_EVERY_S) >= _LOGGED_EVERY_S:
        _logged[said] = now
        _LOG.error("%s", said)
