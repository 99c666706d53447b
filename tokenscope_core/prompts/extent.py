"""How long a text is for a model, by its tokenizer alone, and how much of its end would fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tokenscope_core.caching import lru_cache
from tokenscope_core.models.files.facts import facts_of
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.tokenizers.loading import tokenizer_of
from tokenscope_core.prompts.windows import windows_of
from tokenscope_core.record.request import Request

# A text cut at a line may be split into a few more tokens when it is encoded again.
_TAIL_RESERVE = 8
# A tokenizer may begin a text with a few tokens of its own.
_MOST_LEAD = 8


@dataclass(frozen=True, slots=True)
class Extent:
    """A text as one model reads it.

    `tokens` are all of it, the first `lead` those that begin every text; `context` is how many the
    model reads at once. From its line `tail_line` on, counted from 1, it fits; None where not even
    its last line does.
    """

    tokens: int
    lead: int
    context: int
    tail_line: int | None


def surely_fits(text: str, context: int | None) -> bool:
    """Whether a text fits into a context whatever the tokenizer: no token is less than a byte."""
    return context is None or len(text.encode("utf-8", "replace")) + _MOST_LEAD <= context


@lru_cache(maxsize=8)
def extent_of(files: ModelFiles, text: str, context: int) -> Extent:
    """How long a text is.

    Args:
        files: of the model.
        text: any, not empty.
        context: how many tokens the model reads at once.

    Raises:
        ModelFormatError, CapabilityError: the tokenizer cannot be used.
        RequestError: it makes no token of the text.
    """
    with tokenizer_of(files) as (tokenizer, vocabulary):
        from tokenscope_core.models.tokenizers.tokenizing import lead_length, text_ids

        ids = text_ids(tokenizer, text)
        lead = lead_length(tokenizer, ids)
        cut = max(len(ids) - (context - lead - _TAIL_RESERVE), 0)
        before = b"".join(vocabulary.pieces(ids)[:cut])
    # The first whole line behind the cut.
    line = before.count(b"\n") + 1 + bool(before and not before.endswith(b"\n"))
    lines = text.count("\n") + (not text.endswith("\n"))
    return Extent(len(ids), lead, context, line if line <= lines else None)


def without_needless_overlap(files: ModelFiles, request: Request) -> Request | None:
    """The request as it is recorded: without an overlap where its text fits into the context. None
    where the files do not say what the context is.

    Raises: as `extent_of`, and
        RequestError: the overlap leaves no room in a window.
    """
    context = facts_of(files).context
    if request.overlap is None or context is None:
        return None if context is None else request
    found = extent_of(files, request.prompt, context)
    windows = windows_of(found.tokens, context, request.overlap, lead=found.lead)
    return request if len(windows) > 1 else replace(request, overlap=None)
