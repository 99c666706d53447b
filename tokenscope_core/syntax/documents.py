"""Texts that are not all code: Markdown answers with fenced code in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core.steps import Ints
from tokenscope_core.syntax.languages import LABELS, LANGUAGES, detect, grammar
from tokenscope_core.syntax.pieces import Pieces, cut

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


def code_regions(text: bytes) -> list[CodeRegion]:
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
    return regions


def _region(text: bytes, opening: re.Match[bytes], end: int, *, closed: bool) -> CodeRegion:
    word = opening[3].decode("utf-8", "replace").strip()
    code = text[opening.end() : end]
    found = detect(fence=word) if word else detect(code)
    return CodeRegion(opening.end(), end, found.language, closed)


def cut_text(text: bytes, language: str) -> Pieces:
    """Cut a text of one of `LANGUAGES`, or a `MARKDOWN` text: prose, fences, and code in them.

    Prose is one piece a line of leaf "prose"; a fence's line has the leaf "fence". Code in a
    language without a grammar has the leaf "code", a line at a time.

    Raises:
        RequestError: no such language.
    """
    if language != MARKDOWN:
        pieces = cut(text, grammar(language))
        pieces.levels.insert(0, "language", language)
        return pieces
    parts: list[Pieces] = []
    at = 0
    for region in code_regions(text):
        parts.append(_lines(text, at, region.start, "prose"))
        parts.append(_code(text, region))
        at = region.end
    parts.append(_lines(text, at, len(text), "prose"))
    return _joined(parts)


def _code(text: bytes, region: CodeRegion) -> Pieces:
    if region.language is None:
        return _lines(text, region.start, region.end, "code")
    pieces = cut(text[region.start : region.end], grammar(region.language))
    levels = pieces.levels.assign(
        unit_start=pieces.levels["unit_start"] + region.start,
        unit_end=pieces.levels["unit_end"] + region.start,
    )
    levels.insert(0, "language", region.language)
    return Pieces(
        pieces.start + region.start,
        pieces.end + region.start,
        levels,
        tuple((offset + region.start, kind) for offset, kind in pieces.missing),
        pieces.unit,
        pieces.body,
    )


def _lines(text: bytes, start: int, end: int, leaf: str) -> Pieces:
    """A stretch without a grammar, a piece a line; fences are told apart from prose."""
    spans = list(_line_spans(text, start, end))
    names = [
        "fence" if leaf == "prose" and _FENCE.fullmatch(text, *span) else leaf for span in spans
    ]
    categories = {"fence": "markup", "prose": "prose", "code": "other"}
    frame = pd.DataFrame(
        {
            "language": "",
            "leaf": names,
            "category": [categories[name] for name in names],
            "statement": names,
            "scope": "",
            "function": "",
            "unit_start": [a for a, _ in spans],
            "unit_end": [b for _, b in spans],
            "error": False,
        }
    )
    starts = np.array([a for a, _ in spans], dtype=np.int64)
    ends = np.array([b for _, b in spans], dtype=np.int64)
    return Pieces(starts, ends, frame, (), np.arange(len(spans)), np.full(len(spans), -1))


def _line_spans(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        newline = text.find(b"\n", start, end)
        stop = end if newline < 0 else newline + 1
        yield start, stop
        start = stop


def _joined(parts: list[Pieces]) -> Pieces:
    kept = [part for part in parts if len(part)] or parts[:1]
    return Pieces(
        np.concatenate([part.start for part in kept]),
        np.concatenate([part.end for part in kept]),
        pd.concat([part.levels for part in kept], ignore_index=True),
        tuple(made_up for part in kept for made_up in part.missing),
        _numbered([part.unit for part in kept]),
        _numbered([part.body for part in kept]),
    )


def _numbered(parts: list[Ints]) -> Ints:
    """Numbers of parts as those of the whole; -1 stays."""
    first, found = 0, []
    for part in parts:
        found.append(np.where(part >= 0, part + first, -1))
        first += int(part.max(initial=-1)) + 1
    return np.concatenate(found)


def known_languages() -> tuple[str, ...]:
    """What `cut_text` takes."""
    return (*LANGUAGES, MARKDOWN)


def language_label(language: str) -> str:
    """What one of `known_languages` is called by people."""
    return LABELS.get(language, "Markdown: prose with fenced code")
