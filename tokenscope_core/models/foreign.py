"""What other people's libraries raise about other people's files, as an error of this program."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tokenscope_core.errors import TokenScopeError, summary_of
from tokenscope_core.failures import is_out_of_memory, log_place, reason_of
from tokenscope_core.models.files.load_progress import LoadStopped

_LOG = logging.getLogger(__name__)


@contextmanager
def foreign_files(refusal: Callable[[str], TokenScopeError]) -> Iterator[None]:
    """Refuse what comes with a model for whatever a library raises about it, in its own way for
    every way in which it can be wrong.

    Args:
        refusal: makes the error of what was found, a clause without a full stop.

    Raises: that error, and as they are errors of this program, a lack of memory and `LoadStopped`.
    """
    try:
        yield
    except (TokenScopeError, LoadStopped):
        raise
    except BaseException as error:
        if is_out_of_memory(error) or not (isinstance(error, Exception) or _is_panic(error)):
            raise
        refused = refusal(_found(error))
        log_place(_LOG, refused.asked.rstrip("."), error)
        raise refused from error


def _found(error: BaseException) -> str:
    if isinstance(error, ImportError):  # about this machine, and it names what is missing
        return summary_of(error).rstrip(".")
    return f"{reason_of(error)} ({type(error).__name__})"


def _is_panic(error: BaseException) -> bool:
    """Whether a library written in Rust gave up: an error that descends from no Exception."""
    return type(error).__name__ == "PanicException"
