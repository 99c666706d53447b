"""Stop strings, matched on the bytes of the generated text as they arrive."""

from __future__ import annotations

from collections.abc import Sequence


class StopMatcher:
    """Says when the bytes fed so far contain one of the stop strings.

    Only the tail that could still begin a match is kept, so feeding is linear in the text.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(text.encode("utf-8") for text in stop)
        self._reach = max(map(len, self._stop), default=1) - 1
        self._tail = b""

    def feed(self, data: bytes) -> bool:
        """Add bytes; True when a stop string is complete."""
        if not self._stop:
            return False
        window = self._tail + data
        if any(text in window for text in self._stop):
            return True
        self._tail = window[-self._reach :] if self._reach else b""
        return False
