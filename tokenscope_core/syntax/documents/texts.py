"""Texts that are not all code: Markdown answers with fenced code in them, sessions, plain text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.caching import lru_cache
from tokenscope_core.record.arrays import Ints
from tokenscope_core.syntax.documents.fences import fences
from tokenscope_core.syntax.documents.recognition import recognised
from tokenscope_core.syntax.documents.regions import CodeRegion, line_spans
from tokenscope_core.syntax.documents.spread import spread
from tokenscope_core.syntax.documents.transcripts import (
    SESSIONS,
    has_magics,
    is_session,
    typed,
    without_magics,
)
from tokenscope_core.syntax.grammar.languages import LABELS, LANGUAGES, grammar, named
from tokenscope_core.syntax.grammar.pieces import Pieces, Stretch, joined, stretch
from tokenscope_core.syntax.time_budget import Budget, OutOfTime

MARKDOWN = "markdown"
PLAIN = "text"
_LABELS = {MARKDOWN: "Markdown: prose with fenced code", PLAIN: "plain text"}


def regions_in(text: bytes, language: str, lead: int = 0) -> tuple[CodeRegion, ...]:
    """The code in a text: of one of `LANGUAGES` all of it, or what was typed in a session, or what
    of a notebook's cell is no magic; of a `MARKDOWN` text what is between its fences, of a `PLAIN`
    one nothing.

    Args:
        text: any.
        language: one of `known_languages`.
        lead: bytes at the beginning that a tokenizer put there.

    Raises:
        RequestError: no such language.
    """
    if language == MARKDOWN:
        return code_regions(text)
    if language == PLAIN:
        return ()
    grammar(language)
    whole = CodeRegion(0, len(text), language, closed=False, spans=((lead, len(text)),))
    code = whole.code(text)
    if is_session(code, language):
        return (whole.restricted_to(typed(code, language), language=language),)
    return (_without_magics(whole, code),)


@lru_cache(maxsize=16)
def code_regions(text: bytes) -> tuple[CodeRegion, ...]:
    """The fenced code of a Markdown text, in order. A fence not closed yet reaches to the end.

    A fence that names no language is judged by its content. Of a session only what was typed is
    code, and of a notebook's cell what is no magic.
    """
    return tuple(
        _region(CodeRegion(fence.start, fence.end, None, fence.closed, fence.spans), fence.info,
                text)
        for fence in fences(text)
    )  # fmt: skip


def _region(region: CodeRegion, info: str, text: bytes) -> CodeRegion:
    code = region.code(text)
    word = info.lower().partition(" ")[0].strip("{}.")
    language = SESSIONS.get(word) or (_named(info) if info else recognised(code))
    if language is None:
        return region
    if is_session(code, language) or (word in SESSIONS and language == "bash"):
        found = region.restricted_to(typed(code, language), language=language)
        # Without a prompt it is not known what was typed.
        return found if found.spans else region
    return _without_magics(replace(region, language=language), code)


def _without_magics(region: CodeRegion, code: bytes) -> CodeRegion:
    if region.language != "python" or not has_magics(code):
        return region
    return region.restricted_to(without_magics(code), language=region.language)


@lru_cache(maxsize=256)
def _named(info: str) -> str | None:
    return named(fence=info)


def cut_text(text: bytes, language: str, lead: int = 0) -> Pieces:
    """Cut a text of one of `known_languages`: prose, fences, and code in them.

    Prose is one piece a line of leaf "prose"; a fence's line has the leaf "fence". Code in a
    language without a grammar has the leaf "code", a line at a time, and so has code that takes
    the parser longer than the `Budget` of the text: see `Pieces.unread`. The lines of plain text
    have the leaf "line". What is no code in a stretch of it has the leaf "margin" where code
    follows on its line, else "set aside".

    Raises:
        RequestError: no such language.
    """
    budget = Budget.of(text)
    regions = regions_in(text, language, lead)
    if language == PLAIN:
        return joined([_lines(text, 0, len(text), "line")])
    if language != MARKDOWN:
        return joined([_code(text, regions[0], budget)])
    marks = {start for fence in fences(text) for start, _ in fence.marks}
    parts: list[Stretch] = []
    at = 0
    for region in regions:
        parts.append(_lines(text, at, region.start, "prose", marks))
        parts.append(_code(text, region, budget.share()))
        at = region.end
    parts.append(_lines(text, at, len(text), "prose", marks))
    return joined(parts)


def _code(text: bytes, region: CodeRegion, budget: Budget) -> Stretch:
    start, end = region.start, region.end
    if region.language is None:
        return _lines(text, start, end, "code")
    try:
        if region.spans == ((start, end),):
            return stretch(region.code(text), grammar(region.language), start, budget)
        return spread(stretch(region.code(text), grammar(region.language), 0, budget), region, text)
    except OutOfTime:
        return replace(_lines(text, start, end, "code"), unread=((start, end),))


_CATEGORIES = {"fence": "markup", "prose": "prose", "code": "other", "line": "other"}


def _lines(
    text: bytes, start: int, end: int, leaf: str, marks: Collection[int] = frozenset()
) -> Stretch:
    """A stretch without a grammar, a piece a line; fences, which begin at `marks`, are told from
    prose."""
    spans = list(line_spans(text, start, end))
    names = ["fence" if at in marks else leaf for at, _ in spans]
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


def known_languages() -> tuple[str, ...]:
    """What `cut_text` takes."""
    return (*LANGUAGES, MARKDOWN, PLAIN)


def language_label(language: str) -> str:
    """What one of `known_languages` is called by people."""
    return LABELS.get(language) or _LABELS[language]
