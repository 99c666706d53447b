"""What went wrong in the middle of a run, as an error a person can act on."""

from __future__ import annotations

from tokenscope_core.errors import (
    ContextLengthError,
    OutOfMemoryError,
    TokenScopeError,
    summary_of,
)

# How torch says on a CPU that memory is short: a RuntimeError like any other.
_NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory")
# What an embedding says of a position it has no row for.
_NO_SUCH_ROW = "index out of range"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on whatever device (torch need not be imported)."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if {"MemoryError", "OutOfMemoryError"} & kinds:
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
            found=f"The memory is used up: {summary_of(error)}",
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
        found=f"It failed unexpectedly: {summary_of(error)}",
        action="Try again; the server's log has the details.",
    )
