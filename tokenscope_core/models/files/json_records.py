"""Small records in files that may be lost: what took long to find out, for the next process.

A record that is damaged, or in a folder that cannot be read or written, is as good as none.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import platformdirs

_LOG = logging.getLogger(__name__)


def records_folder(kind: str) -> Path:
    """Where records of a kind are kept between processes; it can be deleted at any time."""
    return platformdirs.user_cache_path("tokenscope", appauthor=False) / kind


def read_record(path: Path) -> dict[str, Any] | None:
    """The values of a record as they were written; None where there is none that can be used."""
    try:
        written = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        _LOG.warning("The record %s is of no use: %s", path.name, error)
        return None
    if not isinstance(written, dict) or written.pop("check", None) != _check_of(written):
        return None
    return written


def write_record(path: Path, values: dict[str, Any], *, most: int | None = None) -> None:
    """Keep a record, where that can be done.

    Args:
        path: its file.
        values: what json can hold.
        most: how many records may be in its folder: the oldest are deleted.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as beside:
            written = Path(beside) / path.name
            written.write_text(json.dumps({**values, "check": _check_of(values)}))
            written.replace(path)
        if most is not None:
            records = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
            for old in records[:-most]:
                old.unlink(missing_ok=True)
    except OSError as error:
        _LOG.warning("The record %s is not kept for the next start: %s", path.name, error)


def _check_of(values: dict[str, Any]) -> str:
    """A flipped bit would pass for something that was found out."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
