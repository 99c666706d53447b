"""Texts that are not all code: Markdown answers with fenced code in them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.steps import Ints
from tokenscope_core.syntax.budget import Budget, OutOfTime
from tokenscope_core.syntax.languages import LABELS, LANGUAGES, best_fit, detect, grammar
from tokenscope_core.syntax.pieces import Pieces, Stretch, joined, stretch

MARKDOWN = "markdown"

# CommonMark 4.5: up to three spaces, three or more backticks or tildes, then the info string.
_FENCE = re.compile(rb"^( {0,3})(`{3,}|~{3,})[ \t]*([^\r\n]*)(?:\r\n|\r|\n|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CodeRegion:
    """The inside of a fence: bytes `start` to `end` of the text, the fences themselves left out.

    `language` is one of `LANGUAGES`, or None where the fence names another one; `closed` says
    whether the closing fence has come yet.
    """

    start: int
    end: int
    language: str | None
    closed: bool


@functools.lru_cache(maxsize=16)
def code_regions(text: bytes) -> tuple[CodeRegion, ...]:
    """The fenced code of a Markdown text, in order. A fence not closed yet reaches to the end.

    A fence that names no language is judged by its content.
    """
    regions: list[CodeRegion] = []
    opening: re.Match[bytes] | None = None
    for fence in _FENCE.finditer(text):
        marks, info = fence[2], fence[3].strip()
        if opening is None:
            if not (marks.startswith(b"`") and b"`" in info):
                opening = fence
        elif not info and marks.startswith(opening[2]):
            regions.append(_region(text, opening, fence.start(), closed=True))
            opening = None
    if opening is not None:
        regions.append(_region(text, opening, len(text), closed=False))
    return tuple(regions)


def _region(text: bytes, opening: re.Match[bytes], end: int, *, closed: bool) -> CodeRegion:
    word = opening[3].decode("utf-8", "replace").strip()
    code = text[opening.end() : end]
    return CodeRegion(opening.end(), end, _named(word) if word else best_fit(code), closed)


@functools.lru_cache(maxsize=256)
def _named(word: str) -> str | None:
    return detect(fence=word).language


def cut_text(text: bytes, language: str) -> Pieces:
    """Cut a text of one of `LANGUAGES`, or a `MARKDOWN` text: prose, fences, and code in them.

    Prose is one piece a line of leaf "prose"; a fence's line has the leaf "fence". Code in a
    language without a grammar has the leaf "code", a line at a time, and so has code that takes
    the parser longer than the `Budget` of the text: see `Pieces.unread`.

    Raises:
        RequestError: no such language.
    """
    budget = Budget.of(text)
    if language != MARKDOWN:
        grammar(language)
        whole = CodeRegion(0, len(text), language, closed=False)
        return joined([_code(text, whole, budget)])
    parts: list[Stretch] = []
    at = 0
    for region in code_regions(text):
        parts.append(_lines(text, at, region.start, "prose"))
        parts.append(_code(text, region, budget.share()))
        at = region.end
    parts.append(_lines(text, at, len(text), "prose"))
    return joined(parts)


def _code(text: bytes, region: CodeRegion, budget: Budget) -> Stretch:
    start, end = region.start, region.end
    if region.language is None:
        return _lines(text, start, end, "code")
    try:
        return stretch(text[start:end], grammar(region.language), start, budget)
    except OutOfTime:
        return replace(_lines(text, start, end, "code"), unread=((start, end),))


_CATEGORIES = {"fence": "markup", "prose": "prose", "code": "other"}


def _lines(text: bytes, start: int, end: int, leaf: str) -> Stretch:
    """A stretch without a grammar, a piece a line; fences are told apart from prose."""
    spans = list(_line_spans(text, start, end))
    names = [
        "fence" if leaf == "prose" and _FENCE.fullmatch(text, *span) else leaf for span in spans
    ]
    starts = np.array([a for a, _ in spans], dtype=np.int64)
    ends = np.array([b for _, b in spans], dtype=np.int64)
    nothing = [""] * len(spans)
    columns: dict[str, Sequence[str] | Ints | NDArray[np.bool_]] = {
        "language": nothing,
        "leaf": names,
        "category": [_CATEGORIES[name] for name in names],
        "statement": names,
        "scope": nothing,
        "function": nothing,
        "unit_start": starts,
        "unit_end": ends,
        "error": np.zeros(len(spans), dtype=np.bool_),
    }
    return Stretch(starts, ends, columns, (), np.arange(len(spans)), np.full(len(spans), -1))


def _line_spans(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        newline = text.find(b"\n", start, end)
        stop = end if newline < 0 else newline + 1
        yield start, stop
        start = stop


def known_languages() -> tuple[str, ...]:
    """What `cut_text` takes."""
    return (*LANGUAGES, MARKDOWN)


def language_label(language: str) -> str:
    """What one of `known_languages` is called by people."""
    return LABELS.get(language, "Markdown: prose with fenced code")
