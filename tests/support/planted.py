"""Rows in a store that this program did not write."""

from __future__ import annotations

from pathlib import Path

import diskcache


def plant(folder: Path, key: object, value: object, cache: str = "traces") -> None:
    """Write a row as another program with diskcache's own Disk would."""
    with diskcache.Cache(str(folder / cache), disk=diskcache.Disk) as other:
        other[key] = value
