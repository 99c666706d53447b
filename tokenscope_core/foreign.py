"""What other people's libraries raise about other people's files, as an error of this program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tokenscope_core.errors import ModelError, TokenScopeError, summary_of
from tokenscope_core.failures import is_out_of_memory


@contextmanager
def foreign_files(refusal: Callable[[str], ModelError]) -> Iterator[None]:
    """Refuse a model for whatever a library raises about its files, in its own way for every way
    in which they can be wrong.

    Args:
        refusal: makes the error of what was found.

    Raises: that error, and as they are errors of this program and a lack of memory.
    """
    try:
        yield
    except TokenScopeError:
        raise
    except BaseException as error:
        if is_out_of_memory(error) or not (isinstance(error, Exception) or _is_panic(error)):
            raise
        raise refusal(_found(error)) from error


def _found(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "one of its files is nested too deep."
    return summary_of(error)


def _is_panic(error: BaseException) -> bool:
    """Whether a library written in Rust gave up: an error that descends from no Exception."""
    return type(error).__name__ == "PanicException"
