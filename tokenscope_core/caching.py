"""functools' caches, typed: a call with the wrong arguments is an error that the type checker sees.

The standard library's stubs let a cached function be called with any hashable arguments.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar, cast

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Cached(Protocol[Arguments, Result_co]):
    """A function that remembers its results."""

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result_co:
        """The result for these arguments, computed where it is not remembered."""

    def cache_clear(self) -> None:
        """Forget all results."""


def lru_cache(
    maxsize: int,
) -> Callable[[Callable[Arguments, Result]], Cached[Arguments, Result]]:
    """`functools.lru_cache`: the `maxsize` results used last are remembered."""

    def decorate(function: Callable[Arguments, Result]) -> Cached[Arguments, Result]:
        return cast("Cached[Arguments, Result]", functools.lru_cache(maxsize)(function))

    return decorate


def cache(function: Callable[Arguments, Result]) -> Cached[Arguments, Result]:
    """`functools.cache`: every result is remembered."""
    return cast("Cached[Arguments, Result]", functools.cache(function))
