"""Carrying out an extension: a run goes on from where it stood."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from tokenscope_core.branches.extension import Extension, extension
from tokenscope_core.branches.growing import reader_before, require_same_model
from tokenscope_core.decoding.recording import recorded_rows
from tokenscope_core.decoding.request_run import require_context, rows, run
from tokenscope_core.decoding.stopping import require_known
from tokenscope_core.decoding.windowed import moved, text_before
from tokenscope_core.models.known_tokens import require_known_tokens
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.record.steps import Rows
from tokenscope_core.record.trace import Trace


def extend(lm: LanguageModel, trace: Trace, more: int) -> Trace:
    """Go on with a run for `more` tokens: exactly what one run for that many more would have been.

    Tokens are drawn with the noise of their positions, penalties and stop strings take the whole
    text into account, and the result has the key of the longer run; a branch stays a branch of the
    same parent. Where the model's keys and values of the text are no longer cached they are
    computed again, which changes figures in their last digits, and in half precision may decide a
    tie otherwise.

    Raises:
        RequestError: as `extension`, or the model is another.
        ContextLengthError: the text would exceed the model's context.
    """
    wanted = extension(trace, more, context_length=lm.context_length)
    parts = list(extension_rows(lm, wanted))
    return wanted.longer(lm.identity, lm.vocabulary, parts, parts[-1].finish_reason or "length")


def extension_rows(lm: LanguageModel, wanted: Extension) -> Generator[Rows, None, None]:
    """Run it: the rows that there are, then one row a token. Close the iterator to stop early.

    Raises: as `extend`.
    """
    trace = wanted.trace
    require_same_model(lm, trace)
    if not wanted.shared:
        yield from rows(lm, wanted.request)
        return
    require_known(wanted.request, lm.identity.vocabulary_size)
    ids, unread = text_before(lm, trace, len(trace))
    require_known_tokens(lm, ids, "The text")
    rest = replace(wanted.request, max_new_tokens=wanted.more)
    require_context(lm, rest, ids, branch=True)
    yield from recorded_rows(trace, len(trace))
    running = run(
        lm,
        reader_before(lm, ids, len(ids)),
        ids,
        (),
        rest,
        prompt_length=max(trace.prompt_length - unread, 0),
    )
    yield from moved(running, unread)
