"""From a request that somebody makes to the task that is run and recorded.

A request is made once: what its prompt depends on besides it, the moment, is then put into it. A
recorded request is a `Prompted` from the start, and stays what it is.
"""

from __future__ import annotations

from datetime import datetime

from tokenscope_core.jobs.generation_tasks import Prompted
from tokenscope_core.models.files.model_files import ModelFiles
from tokenscope_core.models.files.tokenizer_files import may_write_the_date
from tokenscope_core.models.tokenizers.loading import tokenizer_of
from tokenscope_core.prompts.extent import without_needless_overlap
from tokenscope_core.record.request import Request


def task_of(request: Request, files: ModelFiles | None, *, now: datetime) -> Prompted:
    """The task of a request that is made now.

    Args:
        request: with or without a moment.
        files: of the model; None where they are not on this machine yet. The task is then settled
            once they are.
        now: the local time.

    Raises:
        ModelFormatError, CapabilityError: the tokenizer cannot be used.
        RequestError: the chat template refuses the conversation.
    """
    if request.overlap is not None:
        known = files and without_needless_overlap(files, request)
        return Prompted(known) if known else Prompted(request, made=now)
    if not request.messages or request.moment is not None:
        return Prompted(request)
    if files is None:
        return Prompted(request, made=now)
    if not may_write_the_date(files):
        return Prompted(request)
    with tokenizer_of(files) as (tokenizer, _):
        from tokenscope_core.prompts.token_ids import with_moment

        return Prompted(with_moment(tokenizer, request, files.name, now=now))
