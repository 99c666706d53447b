"""Readers kept in memory after their run, so that a fork need not read its prefix again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from tokenscope_core.models.cache_reader import CacheReader

DEFAULT_LIMIT_BYTES = 256 * 1024 * 1024


class PrefixCache:
    """The texts a model has read lately, with their keys and values, within a limit of memory.

    An accelerator only: without a text in here the same numbers take longer. Least recently used
    texts go first. Safe to use from several threads.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._kept: OrderedDict[tuple[int, ...], CacheReader] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """The memory in use."""
        with self._lock:
            return sum(reader.nbytes for reader in self._kept.values())

    def keep(self, token_ids: Sequence[int], reader: CacheReader) -> None:
        """Keep a reader that can branch and has read exactly these tokens; it must not read on."""
        key = tuple(token_ids)
        with self._lock:
            # One that is too large by itself drives out no other.
            if reader.nbytes <= self.limit_bytes:
                self._kept[key] = reader
                self._kept.move_to_end(key)
                # What a longer text has read is there twice otherwise.
                for shorter in [k for k in self._kept if len(k) < len(key) and key[: len(k)] == k]:
                    del self._kept[shorter]
            total = sum(kept.nbytes for kept in self._kept.values())
            while total > self.limit_bytes:
                _, dropped = self._kept.popitem(last=False)
                total -= dropped.nbytes

    def branch(self, token_ids: Sequence[int], *, texts: int = 1) -> CacheReader | None:
        """A reader of as many of these tokens as any kept text begins with; None without any."""
        wanted = tuple(token_ids)
        with self._lock:
            lengths = {key: _common_length(key, wanted) for key in self._kept}
            best = max(lengths, key=lambda key: lengths[key], default=None)
            if best is None or not lengths[best]:
                return None
            self._kept.move_to_end(best)
            return self._kept[best].branch(lengths[best], texts=texts)

    def clear(self) -> None:
        """Give the memory back."""
        with self._lock:
            self._kept.clear()


def _common_length(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
