"""What a person should know about a prompt before it runs: refusals and hints, as sentences."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator

from tokenscope_core import RequestError, Trace


def refusal(text: str, *, generating: bool, max_new_tokens: int) -> RequestError | None:
    """Why the request cannot be run as it stands, or None."""
    if not text:
        return RequestError(
            asked="The prompt is empty." if generating else "There is no code to score.",
            found="The model needs something to start from.",
            action="Type or paste some code, or choose an example.",
        )
    if generating and max_new_tokens == 0:
        return RequestError(
            asked="0 new tokens were asked for.",
            found="There would be nothing to generate.",
            action="Ask for at least 1, or choose “Score code” to look at the prompt alone.",
        )
    return None


def hints(text: str) -> Iterator[str]:
    """Sentences about what is unusual in a text that can nevertheless be run."""
    if text and not text.strip():
        yield "The prompt is only white space, so the model has little to go on."
    odd = Counter(
        f"U+{ord(c):04X}"
        for c in text
        if unicodedata.category(c) in {"Cc", "Cf"} and c not in "\n\t\r"
    )
    if odd:
        listed = ", ".join(f"{code} ×{count}" for code, count in odd.most_common(4))
        yield (
            f"The prompt holds control or invisible characters ({listed}"
            f"{' and others' if len(odd) > 4 else ''}). They are kept, and shown by name."
        )


def reading_note(trace: Trace) -> str | None:
    """A sentence where the model read another text than was typed, because its tokenizer
    normalises Unicode or white space; else None."""
    typed = (trace.request.prompt + (trace.request.suffix or "")).encode("utf-8")
    read = trace.text_bytes
    # A run stopped while it read the prompt has only part of it.
    if read.startswith(typed) or typed.startswith(read):
        return None
    return (
        "This model’s tokenizer does not keep every character as typed. The strip shows what the "
        "model read; byte offsets count in that."
    )
