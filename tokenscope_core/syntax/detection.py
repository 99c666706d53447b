"""In which language a trace is read when nobody says: by its fences, its prompt, then its text."""

from __future__ import annotations

import contextlib
import functools
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tokenscope_core.syntax.budget import Budget, OutOfTime
from tokenscope_core.syntax.documents import MARKDOWN, code_regions, cut_text
from tokenscope_core.syntax.languages import (
    CLEAR_MARGIN,
    DETECTION_BYTES,
    DETECTION_SECONDS,
    LABELS,
    LANGUAGES,
    detect,
    grammar,
)
from tokenscope_core.syntax.prefixes import GrowingText
from tokenscope_core.trace import Trace

USUAL = "python"
# With at most this share of errors Bash fits, and from this on another language does not.
_FEW_ERRORS = 0.05
_FAR_FROM_ALL = 0.2
_ENOUGH_WORDS = 3
# Prose has fewer such signs than this share, and no language fits it better than that.
_CODE_SIGNS = re.compile(rb"[][(){}=;<>_+*/\\|&%$#@\"`]")
_FEW_SIGNS = 0.02
_SOME_ERRORS = 0.1
# Languages in which a fence means nothing, unless it stands in a string or comment.
_NO_BACKTICKS = ("python", "java", "rust", "c", "cpp")


@dataclass(frozen=True, slots=True)
class Detected:
    """The language of a trace, how sure that is, and why, as a clause.

    `language` is one of `LANGUAGES` or "markdown"; `maybe_prose` where it fits no language but
    Bash, which takes nearly anything, or none at all.
    """

    language: str
    certainty: Literal["sure", "likely", "a guess"]
    reason: str
    maybe_prose: bool = False


@functools.lru_cache(maxsize=64)
def language_of(trace: Trace) -> Detected:
    """The language of a trace: of its fences, its prompt where that is enough, or all its text.

    Bash, which takes nearly any words for commands, only where the first line names a shell or
    nothing else fits. Some 30 ms for what is not remembered.
    """
    text = trace.text_bytes
    fences = _has_fences(text)
    if trace.request.messages:
        inside = "with fenced code" if fences else "without fenced code so far"
        return Detected(MARKDOWN, "sure", f"a conversation, {inside}")
    if fences:
        return Detected(MARKDOWN, "likely", "code between fences")
    prompt_end = int(trace.byte_end[trace.prompt_length - 1]) if trace.prompt_length else 0
    # What was generated may be broken, and then looks like whatever language is most lenient.
    prompt = text[:prompt_end]
    by_prompt = _judged(prompt, "its prompt")
    if by_prompt is not None and by_prompt[1] == 0 and by_prompt[0].certainty == "likely":
        return by_prompt[0]
    by_text = _judged(text, "its text")
    if by_text is None:
        return Detected(USUAL, "a guess", "too little text to judge by")
    return by_text[0]


def _has_fences(text: bytes) -> bool:
    """Whether there is fenced code, and not in a string or comment of a program."""
    regions = code_regions(text)
    if not regions:
        return False
    shares = detect(text).error_share
    pieces = cut_text(text, min(_NO_BACKTICKS, key=lambda name: shares.get(name, 1.0)))
    inside = max(0, regions[0].start - 2)
    piece = pieces.levels.iloc[int(np.searchsorted(pieces.end, inside, side="right"))]
    return bool(piece["error"]) or piece["category"] not in ("string", "docstring", "comment")


def _judged(text: bytes, what: str) -> tuple[Detected, float] | None:
    """A language for a text and the share of errors in it; None for a text too short to say."""
    if len(text.split()) < _ENOUGH_WORDS:
        return None
    if text.startswith(b"#!") and b"sh" in text.partition(b"\n")[0]:
        return Detected("bash", "sure", "its first line names a shell"), 0.0
    shares = dict(detect(text).error_share)
    if not shares:
        return None
    if _may_become(text, USUAL):
        shares[USUAL] = 0.0  # what is only unfinished is no error
    bash = shares.pop("bash", 1.0)
    # A language whose parser takes too long over a text fits none of it.
    shares = {name: shares.get(name, 1.0) for name in LANGUAGES if name != "bash"}
    first, second = sorted(shares, key=shares.__getitem__)[:2]
    # Bash takes nearly any words for commands: nothing else may fit even halfway.
    if shares[first] >= _FAR_FROM_ALL and bash < _FEW_ERRORS:
        why = f"nothing else fits {what}; prose looks the same"
        return Detected("bash", "a guess", why, maybe_prose=True), bash
    if shares[first] >= _SOME_ERRORS and _signs(text) < _FEW_SIGNS:
        why = f"no language fits {what}; it may be prose"
        return Detected(first, "a guess", why, maybe_prose=True), shares[first]
    clear = shares[second] - shares[first] >= CLEAR_MARGIN
    if not clear and shares[USUAL] - shares[first] < CLEAR_MARGIN:
        first = USUAL
    elif first != USUAL and shares[first] and _reach(text, USUAL) > _reach(text, first):
        # One early error spoils the rest of a text; how far it could be read says more.
        why = f"judged by {what}: an error or two apart, the most of it is {LABELS[USUAL]}"
        return Detected(USUAL, "a guess", why), shares[USUAL]
    reason = "the least errors, by far" if clear else "several languages fit it about as well"
    found = Detected(first, "likely" if clear else "a guess", f"judged by {what}: {reason}")
    return found, shares[first]


def _may_become(text: bytes, language: str) -> bool:
    """Whether what is looked at of a text can become valid in a language, read in one go."""
    beginning = text[:DETECTION_BYTES]
    with contextlib.suppress(OutOfTime):
        return GrowingText(grammar(language), Budget.of(beginning)).feed(beginning)
    return False


def _reach(text: bytes, language: str) -> int:
    """After how many bytes a text is broken in a language, or takes too long, to the line."""
    growing, reach = GrowingText(grammar(language), Budget(DETECTION_SECONDS)), 0
    with contextlib.suppress(OutOfTime):
        for line in text[:DETECTION_BYTES].splitlines(keepends=True):
            if not growing.feed(line):
                break
            reach += len(line)
    return reach


def _signs(text: bytes) -> float:
    """Which share of a text are signs that code has many of and prose few."""
    return len(_CODE_SIGNS.findall(text)) / len(text)
