"""Memory for what is large: the results used lately, within so many bytes, for all visitors."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, ParamSpec, TypeVar

Value = TypeVar("Value")
Arguments = ParamSpec("Arguments")
# What holds the numbers of the values that are remembered here.
_ARRAYS = ("weights", "matrix", "values")


class Remembered(Generic[Value]):
    """Values used lately, within so many bytes and at least one. Safe in several threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: Hashable) -> Value | None:
        """The value of that key; None where it was forgotten."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def setdefault(self, key: Hashable, value: Value, size: int) -> Value:
        """The value of that key; where it has none, this one of so many bytes."""
        with self._lock:
            found = self.get(key)
            if found is None:
                self.put(key, value, size)
            return value if found is None else found

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Remember a value of so many bytes, and forget others for it."""
        with self._lock:
            self._values[key] = value, size
            self._values.move_to_end(key)
            while len(self._values) > 1 and self._bytes() > self._most_bytes:
                self._values.popitem(last=False)

    def _bytes(self) -> int:
        return sum(size for _, size in self._values.values())


def remembering(
    most_bytes: int,
) -> Callable[[Callable[Arguments, Value]], Callable[Arguments, Value]]:
    """Like `functools.lru_cache`, within so many bytes of results and of the arguments they keep
    alive: an argument that compares by identity is what a result is remembered for."""

    def decorate(function: Callable[Arguments, Value]) -> Callable[Arguments, Value]:
        results: Remembered[Value] = Remembered(most_bytes)

        @functools.wraps(function)
        def wrapper(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
            key = args, tuple(sorted(kwargs.items()))
            found = results.get(key)
            if found is None:
                found = function(*args, **kwargs)
                results.put(key, found, bytes_of(found) + sum(map(bytes_of, args)))
            return found

        return wrapper

    return decorate


def bytes_of(value: Any) -> int:
    """About what a value takes."""
    if isinstance(value, bytes):
        return len(value)
    arrays = (getattr(value, name, None) for name in _ARRAYS)
    return 1000 + sum(int(getattr(array, "nbytes", 0)) for array in arrays)
