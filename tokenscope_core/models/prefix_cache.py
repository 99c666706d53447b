"""An LRU cache of key-value caches, so that a fork need not run the model over its prefix again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from tokenscope_core.models.cache_reader import CacheReader

DEFAULT_LIMIT_BYTES = 256 * 1024 * 1024


class PrefixCache:
    """The key-value caches of texts a model has read lately, at most `limit_bytes` of them.

    It changes no figure, only how long they take. The least recently used text is evicted first.
    Safe to use from several threads.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._readers: OrderedDict[tuple[int, ...], CacheReader] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """The memory in use, in bytes."""
        with self._lock:
            return sum(reader.nbytes for reader in self._readers.values())

    def put(self, token_ids: Sequence[int], reader: CacheReader) -> None:
        """Cache a reader that can branch and has read exactly these tokens; it must not read on."""
        key = tuple(token_ids)
        with self._lock:
            # A reader larger than the whole cache is left out, since it would evict all others
            # and then itself.
            if reader.nbytes <= self.limit_bytes:
                self._readers[key] = reader
                self._readers.move_to_end(key)
                # A text that this one begins with would take its memory twice.
                for shorter in [
                    k for k in self._readers if len(k) < len(key) and key[: len(k)] == k
                ]:
                    del self._readers[shorter]
            total = sum(cached.nbytes for cached in self._readers.values())
            while total > self.limit_bytes:
                _, dropped = self._readers.popitem(last=False)
                total -= dropped.nbytes

    def branch(self, token_ids: Sequence[int], *, texts: int = 1) -> CacheReader | None:
        """A reader of the longest prefix of these tokens that a cached text begins with, as
        `texts` equal rows of a batch; None where none shares the first token."""
        wanted = tuple(token_ids)
        with self._lock:
            lengths = {key: _common_length(key, wanted) for key in self._readers}
            best = max(lengths, key=lambda key: lengths[key], default=None)
            if best is None or not lengths[best]:
                return None
            self._readers.move_to_end(best)
            return self._readers[best].branch(lengths[best], texts=texts)

    def clear(self) -> None:
        """Free the memory."""
        with self._lock:
            self._readers.clear()


def _common_length(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
