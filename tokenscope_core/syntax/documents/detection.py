"""In which language a trace is read when nobody says: by its fences, its prompt, then its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.documents.recognition import (
    BY_GRAMMAR_ALONE,
    USUAL,
    error_share,
    has_classifier,
    recognise,
)
from tokenscope_core.syntax.documents.regions import CodeRegion
from tokenscope_core.syntax.documents.texts import (
    MARKDOWN,
    PLAIN,
    code_regions,
    cut_text,
    regions_in,
)
from tokenscope_core.syntax.documents.transcripts import is_session
from tokenscope_core.syntax.grammar.languages import LABELS, ROWS

_ENOUGH_WORDS = 3
# Languages in which a fence means nothing, unless it stands in a string or comment.
_NO_BACKTICKS = tuple(name for name, row in ROWS.items() if not row.backticks)


@dataclass(frozen=True, slots=True)
class Detected:
    """The language of a trace, how sure that is, and why, as a clause.

    `language` is one of `LANGUAGES`, "markdown", or "text" where it is in none that we know.
    """

    language: str
    certainty: Literal["sure", "likely", "a guess"]
    reason: str

    @property
    def known(self) -> bool:
        """Whether the text is in a language that can be read."""
        return self.language != PLAIN


def language_of(trace: Trace) -> Detected:
    """The language of a trace: of its fences, its prompt where that is enough, or all its text.

    Some 15 ms; a `Program` remembers it. Where languages are told without the classifier, the
    reason says so.
    """
    found = _language_of(trace)
    return (
        found if has_classifier() else replace(found, reason=f"{found.reason}; {BY_GRAMMAR_ALONE}")
    )


def _language_of(trace: Trace) -> Detected:
    # The last token is mostly the mark that ends a text.
    if trace.vocabulary.unknown_ids.intersection(trace.token_ids[:-1].tolist()):
        return Detected(PLAIN, "sure", "its text has gaps: bytes of tokens in it are not known")
    text = trace.text_bytes[lead(trace) :]
    fences = _has_fences(text)
    if trace.request.messages:
        inside = "with fenced code" if fences else "without fenced code so far"
        return Detected(MARKDOWN, "sure", f"a conversation, {inside}")
    if fences:
        return Detected(MARKDOWN, "likely", "code between fences")
    prompt_end = int(trace.byte_end[trace.prompt_length - 1]) if trace.prompt_length else 0
    # What was generated may be broken, and then looks like anything.
    prompt = trace.text_bytes[lead(trace) : prompt_end]
    by_prompt = _judged(prompt, "its prompt")
    if by_prompt is not None and by_prompt.certainty != "a guess":
        return by_prompt
    by_text = _judged(text, "its text")
    unclear = by_text is None or (not by_text.known and by_text.certainty == "a guess")
    if unclear and by_prompt is not None and by_prompt.known:
        return by_prompt
    return by_text or Detected(USUAL, "a guess", "too little text to judge by")


def lead(trace: Trace) -> int:
    """How many bytes at the beginning of a trace's text a tokenizer put there: the space before
    the first word that some add to every text."""
    text = trace.text_bytes
    added = text[:1] == b" " and text[1:2].strip() and not trace.request.prompt.startswith(" ")
    return int(bool(added))


def regions(trace: Trace, language: str) -> Sequence[CodeRegion]:
    """The stretches of a trace that are code of a known language: all of it, or its fences.

    Raises:
        RequestError: no such language.
    """
    found = regions_in(trace.text_bytes, language, lead(trace))
    return [region for region in found if region.language is not None]


def _has_fences(text: bytes) -> bool:
    """Whether there is fenced code, and not in a string or comment of a program."""
    found = code_regions(text)
    if not found:
        return False
    pieces = cut_text(text, min(_NO_BACKTICKS, key=lambda name: error_share(text, name)))
    inside = max(0, found[0].start - 2)
    piece = pieces.levels.iloc[int(np.searchsorted(pieces.end, inside, side="right"))]
    return bool(piece["error"]) or piece["category"] not in ("string", "docstring", "comment")


def _judged(text: bytes, what: str) -> Detected | None:
    """A language for a text; None for a text too short to say."""
    for language in ("python", "bash"):
        if is_session(text, language):
            return Detected(language, "likely", f"{what} begins with a prompt")
    found = recognise(text)
    if found.language is None and len(text.split()) < _ENOUGH_WORDS and not found.likely:
        return None
    if found.language is None:
        why = f"{what} fits no language that is known here"
        if found.looks_like:
            why = f"{what} looks like {found.looks_like}, which is not read here"
        return Detected(PLAIN, "likely" if found.likely else "a guess", why)
    if found.likely:
        return Detected(found.language, "likely", f"{what} looks like {found.looks_like}")
    if len(text.split()) < _ENOUGH_WORDS:
        return Detected(found.language, "a guess", "too little text to judge by")
    why = f"{what} looks most like {LABELS[found.language]}"
    return Detected(found.language, "a guess", why)
