"""Engines' answers as traces: what a program, the shell and the page Share call."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tokenscope_core.errors import ModelNotFoundError, RecordError
from tokenscope_core.failures import reason_of
from tokenscope_core.interchange import answer_file
from tokenscope_core.interchange.answer import Answer
from tokenscope_core.interchange.answer_trace import Imported, imported
from tokenscope_core.interchange.formats import FORMATS, Format, format_of
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.vocabulary import Vocabulary

Source = str | bytes | Mapping[str, Any] | Sequence[Mapping[str, Any]]

# What values from outside raise where their types or their parts do not fit together.
_MALFORMED = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError,
    MemoryError,
)  # fmt: skip


def import_answer(source: Source, *, choice: int = 0, tokenizer: str | None = None) -> Imported:
    """The trace of an engine's answer with log-probabilities, and what is to be said of it.

    Read are the answers of OpenAI's APIs and of servers that speak them, of vLLM, llama.cpp,
    Ollama, text-generation-inference and Gemini, whole or as streams: server-sent events, lines of
    JSON, a list of chunks. -9999, by which OpenAI says that a token is beyond the likeliest, is a
    missing value; minus infinity is kept. Rank and margin are set where the answer gives them or
    its lists decide them. Whether the figures are those of the raw distribution is up to the engine
    that gave them, unless a note says so.

    The model's identity says that it is imported; its fingerprint is that of the answer itself.
    `prompt_length` counts the prompt's tokens that have log-probabilities or were echoed.

    Args:
        source: the file's content, or what its JSON parses to.
        choice: which of several choices.
        tokenizer: the model whose tokenizer tells the bytes of ids, a name as `load_model` takes
            it; its weights are not loaded.

    Raises:
        RecordError: it is no such answer, or has no log-probabilities.
        ModelError: there is no such tokenizer, or it does not spell out its bytes.
    """
    vocabulary = None if tokenizer is None else _vocabulary(tokenizer)
    # What was parsed is let go before the trace is made.
    answer, kind = read_answer(source, choice=choice)
    try:
        return imported(answer, kind.name, vocabulary)
    except _MALFORMED as error:
        raise _refusal(error, kind) from error


def read_answer(source: Source, *, choice: int = 0) -> tuple[Answer, Format]:
    """What an answer holds, and the format that it was recognised as; arguments as above.

    Raises:
        RecordError: it is no such answer, or has no log-probabilities.
    """
    kind: Format | None = None
    try:
        if isinstance(source, str):
            source = source.encode("utf-8")
        values = answer_file.parsed(source) if isinstance(source, bytes) else source
        kind, whole = format_of(values)
        answer = kind.read(whole, choice)
    except _MALFORMED as error:
        raise _refusal(error, kind) from error
    choices = next(
        (c for n in ("choices", "candidates") if isinstance(c := whole.get(n), list)), ()
    )
    if len(choices) > 1:
        said = f"It has {len(choices):,} choices; this is the one numbered {choice:,}, from 0 on."
        answer = replace(answer, notes=(said, *answer.notes))
    return answer, kind


def import_openai_logprobs(source: Source, *, choice: int = 0) -> Trace:
    """The trace of `import_answer`; its notes are given as warnings.

    Raises:
        RecordError: as there.
    """
    found = import_answer(source, choice=choice)
    for note in found.notes:
        warnings.warn(note, stacklevel=2)
    return found.trace


def _refusal(error: Exception, kind: Format | None) -> RecordError:
    recognised = f" It was recognised as: {kind.name}." if kind else ""
    asking = (
        f"Ask the engine for {kind.asking}, and save the whole response."
        if kind
        else f"Ask the engine for log-probabilities ({FORMATS[-1].asking} in OpenAI's API), and "
        "save the whole response."
    )
    return RecordError(
        asked="An engine's answer with log-probabilities was to be imported.",
        found=f"The file cannot be used: {reason_of(error)}.{recognised}",
        action=asking,
    )


def _vocabulary(name: str) -> Vocabulary:
    from tokenscope_core.models.files.model_files import find
    from tokenscope_core.models.files.sources import require_allowed
    from tokenscope_core.models.tokenizers.loading import tokenizer_of

    require_allowed(name)
    files = find(name)
    if files is None:
        raise ModelNotFoundError(
            asked=f"The tokenizer of “{name[:200]}” was asked for.",
            found="No model of that name is on this machine.",
            action="Name a model that is listed here, or download it first.",
        )
    with tokenizer_of(files) as (_, vocabulary):
        return vocabulary
