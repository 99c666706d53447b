"""What went wrong, in words that a person can act on; for the operator, where it happened.

A foreign error's own text may quote what somebody wrote, name a folder of the server, or help only
who knows Python. So it is never shown: `reason_of` says what is wrong with something from outside,
`explain` what ended a run, and `log_place` tells the log the type and the place.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from pathlib import Path
from typing import Any

from tokenscope_core.errors import ContextLengthError, OutOfMemoryError, TokenScopeError

# By which type names an allocation fails, on whatever device (torch need not be imported).
_MEMORY_ERRORS = {"MemoryError", "ArrowMemoryError", "OutOfMemoryError"}
# How torch says on a CPU that memory is short: a RuntimeError like any other.
_NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory")
# What an embedding says of a position it has no row for.
_NO_SUCH_ROW = "index out of range"
# What CPython says of a number with more digits than it converts: a ValueError like any other.
_TOO_MANY_DIGITS = re.compile(r"limit \(\d+ digits\)")
_SHOWN = 50
_LONGEST = 300


class MalformedError(ValueError):
    """Something from outside is not what it should be.

    What it says is a clause of ours that can follow a colon: `it has no log-probabilities`. Code
    that reads what others wrote raises this where Python would raise a ValueError or a TypeError.
    """


def reason_of(error: BaseException) -> str:
    """What is wrong with something from outside, as a clause of ours without a full stop, at most
    300 characters long. It can quote what was read where the error is one of ours, no further."""
    said = str(error) if isinstance(error, (MalformedError, TokenScopeError)) else _clause_of(error)
    said = said.rstrip(" .")
    return said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"


def _clause_of(error: BaseException) -> str:
    """The same of an error that is none of ours, by its type."""
    if is_out_of_memory(error):
        return "it takes more memory than there is"
    match error:
        case RecursionError():
            return "it is nested too deeply"
        case UnicodeEncodeError():
            return (
                f"character {error.start + 1:,} of a text in it is half of a surrogate pair "
                f"(U+{ord(error.object[error.start]):04X}), which no UTF-8 text can hold"
            )
        case UnicodeDecodeError():
            return f"it is no text in UTF-8: byte {error.start + 1:,} of it fits no character"
        case json.JSONDecodeError():
            return f"it is no JSON from line {error.lineno:,}, character {error.colno:,} on"
        case KeyError() if error.args and isinstance(error.args[0], str):
            return f"it lacks {quoted(error.args[0])}"
        case ValueError() if _TOO_MANY_DIGITS.search(str(error)):
            return "a whole number in it has too many digits"
        case OverflowError():
            return "a number in it is too large"
        case IndexError():
            return "a place that it names does not exist"
        case EOFError():
            return "its end is missing"
        case TypeError() | AttributeError():
            return "a value in it is of another kind than belongs there"
        case _:
            return "it is damaged, or not of the kind that is read here"


def quoted(value: Any) -> str:
    """A value from outside as Python would write it, cut to 50 characters; whatever it is."""
    try:
        written = repr(value)
    except (ValueError, RecursionError):  # a number of too many digits, or nested too deeply
        return f"a value of the type {type(value).__name__}"
    return written if len(written) <= _SHOWN else written[: _SHOWN - 1] + "…"


def log_place(log: logging.Logger, happened: str, error: BaseException) -> None:
    """Tell the operator of an error that nobody foresaw.

    Args:
        log: of the module that met it.
        happened: what could not be done, as a clause without a full stop.
        error: its type and place are logged, not what it says, which may quote what somebody
            wrote.
    """
    log.error("%s: %s at %s", happened, type(error).__name__, _places(error))


def _places(error: BaseException) -> str:
    """The places in the code that an error came through, innermost first."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return ", ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on whatever device (torch need not be imported)."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & _MEMORY_ERRORS:
        return True
    return "RuntimeError" in kinds and any(text in str(error) for text in _NO_MEMORY)


def explain(
    error: BaseException,
    *,
    model: str,
    prompt_tokens: int = 0,
    new_tokens: int = 0,
    max_new_tokens: int = 0,
    branch: bool = False,
) -> TokenScopeError:
    """The error to show for one that ended a run.

    Args:
        error: what was raised.
        model: what the model is called.
        prompt_tokens: how many of the prompt's tokens had been read; all that a branch begins with.
        new_tokens: how many tokens had been generated.
        max_new_tokens: how many were asked for.
        branch: whether it was one.
    """
    if isinstance(error, TokenScopeError):
        return error
    if is_out_of_memory(error):
        return OutOfMemoryError(
            asked=f"“{model}” was running"
            + (f", after {prompt_tokens + new_tokens:,} tokens." if prompt_tokens else "."),
            found="The memory is used up.",
            action="Ask for fewer tokens, unload another model, or choose a smaller one or half "
            "precision.",
        )
    if isinstance(error, IndexError) and _NO_SUCH_ROW in str(error) and new_tokens:
        # The token before the one that could not be read had been chosen, but not yet read.
        return ContextLengthError(
            prompt_tokens=prompt_tokens,
            max_new_tokens=max_new_tokens,
            context_length=prompt_tokens + new_tokens - 1,
            tail="",
            branch=branch,
        )
    return TokenScopeError(
        asked=f"A run on “{model}” was in progress.",
        found=f"It failed in a way that nobody foresaw ({type(error).__name__}).",
        action="Try again. Where it fails again, tell whoever runs this server: the log has the "
        "place.",
    )
