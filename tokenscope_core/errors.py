"""Everything TokenScope raises on purpose.

TokenScopeError
├── RequestError            the request cannot be run as asked
│   ├── ContextLengthError  prompt plus new tokens exceed the model's context
│   └── SelectionTooLargeError  so much attention does not fit into memory
├── ModelError              the model cannot be used
│   ├── ModelNotFoundError  no such folder, id or network
│   ├── ModelFormatError    found, but damaged or not a causal language model
│   ├── ModelNotAllowedError  this server's operator does not offer it
│   ├── ModelTooLargeError  it does not fit into the memory there is
│   ├── OutOfMemoryError    a run used up the memory
│   └── CapabilityError     the model works, but cannot do this
├── RecordError             stored bytes are damaged or of an unknown version
│   └── StoreUnusableError  the store's files cannot be read or written at all
├── SessionChangedError     somebody else has changed what was to be replaced
├── ShareError              a link cannot be made or opened
├── StoreFullError          more than may be kept for a visitor, or for all
└── QueueFullError          too many requests are waiting already
"""

from __future__ import annotations


class TokenScopeError(Exception):
    """An error a person can act on: what was asked, what was found, what to do next."""

    def __init__(self, *, asked: str, found: str, action: str) -> None:
        # It may quote halves of surrogate pairs, which no page, log or terminal takes.
        asked, found, action = map(_encodable, (asked, found, action))
        super().__init__(f"{asked} {found} {action}")
        self.asked = asked
        self.found = found
        self.action = action


class RequestError(TokenScopeError):
    """The request cannot be run as asked."""


class ContextLengthError(RequestError):
    """The prompt and the new tokens together exceed the model's context.

    `prompt_tokens`, `max_new_tokens` and `context_length` are counts of tokens, so that a caller
    can offer the ways out: fewer new tokens, or `tail`, the last part of the prompt that leaves
    room for the new tokens (empty when they alone fill the context). Of a `branch`,
    `prompt_tokens` are all that it begins with, shared or put there, and there is no `tail`.
    `windows` says whether the text can be scored in windows that overlap instead.
    """

    def __init__(
        self,
        *,
        prompt_tokens: int,
        max_new_tokens: int,
        context_length: int,
        tail: str,
        branch: bool = False,
    ) -> None:
        excess = prompt_tokens + max_new_tokens - context_length
        begins = "The branch begins by reading" if branch else "The prompt has"
        self.windows = bool(tail) and not max_new_tokens
        if self.windows:
            asked = f"A text of {prompt_tokens:,} tokens was to be scored."
            action = (
                "Score it in windows that overlap (overlap=256), shorten it or keep only its tail."
            )
        else:
            asked = (
                f"{begins} {prompt_tokens:,} tokens and {max_new_tokens:,} new ones were asked for."
            )
            action = (
                "Put in less, fork earlier, or ask for fewer new tokens."
                if branch
                else "Ask for fewer new tokens, shorten the prompt or keep only its tail."
            )
        super().__init__(
            asked=asked,
            found=f"The model's context holds {context_length:,}: {excess:,} too many.",
            action=action,
        )
        self.prompt_tokens = prompt_tokens
        self.max_new_tokens = max_new_tokens
        self.context_length = context_length
        self.tail = tail
        self.branch = branch


class SelectionTooLargeError(RequestError):
    """So much attention does not fit into the memory there is for it; nothing was computed.

    `needed` and `present` are bytes; `suggestion` is a smaller `Selection`
    that fits, or None.
    """

    def __init__(
        self,
        *,
        asked: str,
        found: str,
        action: str,
        needed: int,
        present: int,
        suggestion: object | None,
    ) -> None:
        super().__init__(asked=asked, found=found, action=action)
        self.needed = needed
        self.present = present
        self.suggestion = suggestion


class ModelError(TokenScopeError):
    """The model cannot be used."""


class ModelNotFoundError(ModelError):
    """No such folder, no such hub id, or no network to ask the hub."""


class ModelFormatError(ModelError):
    """The files are there, but damaged, incomplete or not a causal language model."""


class ModelNotAllowedError(ModelError):
    """The operator of this server has named the models it offers, and this is none of them."""


class ModelTooLargeError(ModelError):
    """The model does not fit into the memory or onto the disk there is; it was not loaded.

    `needed` and `present` are bytes; `fitting_dtype` is a precision in which it would fit.
    """

    def __init__(
        self,
        *,
        asked: str,
        found: str,
        action: str,
        needed: int,
        present: int,
        fitting_dtype: str | None = None,
    ) -> None:
        super().__init__(asked=asked, found=found, action=action)
        self.fitting_dtype = fitting_dtype
        self.needed = needed
        self.present = present


class OutOfMemoryError(ModelError):
    """A run used up the memory; what it had decoded is kept."""


class CapabilityError(ModelError):
    """The model works, but cannot do what was asked of it."""


class RecordError(TokenScopeError):
    """Stored bytes are damaged or were written by an unknown version."""


class StoreUnusableError(RecordError):
    """The files of the store are gone, full, not allowed or damaged; no single record is at fault.
    It names no folder; the log does."""


class SessionChangedError(TokenScopeError):
    """What was to be replaced is no longer what it was: somebody else, or another tab, has changed
    or deleted it. Nothing was written."""

    def __init__(self) -> None:
        super().__init__(
            asked="A session was to be kept in the place of an earlier state of it.",
            found="It has been changed or deleted elsewhere meanwhile.",
            action="Read it again and make the change to that.",
        )


class ShareError(TokenScopeError):
    """A link cannot be made, or one is damaged, too large or of an unknown version.

    Where it is too large, `size` and `limit` are characters; 0 otherwise.
    """

    def __init__(
        self, *, asked: str, found: str, action: str, size: int = 0, limit: int = 0
    ) -> None:
        super().__init__(asked=asked, found=found, action=action)
        self.size = size
        self.limit = limit


class StoreFullError(TokenScopeError):
    """What a person made takes more room than there is for a visitor, or for all; nothing that
    was kept before is lost."""


class QueueFullError(TokenScopeError):
    """Too many requests are waiting already."""


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def summary_of(error: BaseException) -> str:
    """The type and the first two lines of anyone's error, as one sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join([type(error).__name__, " ".join(lines[:2])]).rstrip(" .:") + "."
