"""Which engine's answer it is. One row a format, the most particular first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenscope_core.failures import MalformedError, quoted
from tokenscope_core.interchange import gemini, llama_cpp, ollama, openai, tgi, vllm
from tokenscope_core.interchange.answer import Answer
from tokenscope_core.interchange.openai_stream import join_choices

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of answer.

    `asking` is how the engine is asked for log-probabilities. `recognises` takes an answer or a
    chunk of a stream; `join` makes one answer of chunks; `read` makes an `Answer` of one, given
    which of its choices.
    """

    name: str
    asking: str
    recognises: Callable[[Values], bool]
    read: Callable[[Values, int], Answer]
    join: Callable[[Sequence[Values]], Values]


_ASK_OPENAI = "logprobs=true and top_logprobs"
_ASK_LLAMA_CPP = "n_probs and, so that characters of several tokens are told, return_tokens=true"

FORMATS: tuple[Format, ...] = (
    Format(
        "Gemini", "responseLogprobs=true and logprobs in generationConfig",
        gemini.is_gemini, gemini.read, gemini.join,
    ),
    Format(
        "text-generation-inference", "details=true, top_n_tokens and decoder_input_details=true",
        tgi.is_tgi, tgi.read, tgi.join,
    ),
    Format(
        "llama.cpp, completion (before 2025)", _ASK_LLAMA_CPP,
        llama_cpp.is_old, llama_cpp.read_old, llama_cpp.join,
    ),
    Format(
        "llama.cpp, completion", _ASK_LLAMA_CPP,
        llama_cpp.is_native, llama_cpp.read_native, llama_cpp.join,
    ),
    Format(
        "Ollama", "logprobs=true and top_logprobs (from 0.12.11 on)",
        ollama.is_ollama, ollama.read, ollama.join,
    ),
    Format(
        "OpenAI, Responses",
        "include=[\"message.output_text.logprobs\"] and top_logprobs",
        openai.is_response, openai.read_response, openai.join_response,
    ),
    Format(
        "llama.cpp, OpenAI's endpoint", _ASK_OPENAI,
        llama_cpp.is_openai, llama_cpp.read_openai, join_choices,
    ),
    Format(
        "vLLM", "logprobs, prompt_logprobs and return_token_ids=true",
        vllm.is_vllm, vllm.read, join_choices,
    ),
    Format("OpenAI, chat completion", _ASK_OPENAI, openai.is_chat, openai.read_chat, join_choices),
    Format(
        "OpenAI, completion", "logprobs=5",
        openai.is_completion, openai.read_completion, join_choices,
    ),
    Format(
        "OpenAI, log-probabilities alone", _ASK_OPENAI,
        openai.is_bare, openai.read_bare, openai.join_response,
    ),
)  # fmt: skip


def format_of(values: Values | Sequence[Values]) -> tuple[Format, Values]:
    """The format of an answer, or of a stream's chunks, and the answer as one object.

    Raises:
        MalformedError: it is in none, or its chunks are of several answers.
    """
    if isinstance(values, Mapping):
        chunks: list[Values] = [values]
    else:
        chunks = [chunk for chunk in values if isinstance(chunk, Mapping)]
        if not chunks or len(chunks) != len(values):
            raise MalformedError("it is no JSON object, and no list of such")
    for kind in FORMATS:
        if any(map(kind.recognises, chunks)):
            is_whole = len(chunks) == 1 and not is_chunk(chunks[0])
            return kind, chunks[0] if is_whole else kind.join(chunks)
    error = next((chunk["error"] for chunk in chunks if chunk.get("error")), None)
    if error is not None:
        raise MalformedError(f"it is an engine's error: {quoted(error)}")
    raise MalformedError(
        "it has no log-probabilities in any of the forms that are read, which are those of "
        "OpenAI, vLLM, llama.cpp, Ollama, text-generation-inference and Gemini"
    )


def is_chunk(values: Values) -> bool:
    """Whether it is a part of a stream, whichever format it is in."""
    kind = values.get("type")
    return (
        "delta" in openai.first_choice(values)
        or ("token" in values and "generated_text" in values)
        or (isinstance(kind, str) and kind.startswith("response."))
    )
