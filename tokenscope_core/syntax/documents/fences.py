"""Fenced code in Markdown, wherever it stands: in list items and quotes, too (CommonMark 4.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tokenscope_core.caching import cache, lru_cache
from tokenscope_core.syntax.documents.regions import Span, line_spans, merged

# What looks like a fence whatever it stands in; most texts have none.
_MARKS = re.compile(rb"^[ \t>*+\-\d.)]*(?:```|~~~)", re.MULTILINE)
_MARKS_AFTER_CR = re.compile(rb"\r[ \t>*+\-\d.)]*(?:```|~~~)")


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced piece of code: bytes `start` to `end` are the lines between its fences.

    `spans` are the bytes of them that are code, the indentation and the marks of the lists and
    quotes around left out. `info` is what stands behind the opening fence, `marks` the bytes of
    its line and, if it has come, of the closing fence's. `closed` says whether the code is over.
    """

    start: int
    end: int
    spans: tuple[Span, ...]
    info: str
    marks: tuple[Span, ...]
    closed: bool


@cache
def _markdown() -> MarkdownIt:
    # What a reader takes for code in a stretch of HTML, such as a model's <think>, is code.
    return MarkdownIt("commonmark").disable(["html_block", "reference"])


@lru_cache(maxsize=16)
def fences(text: bytes) -> tuple[Fence, ...]:
    """The fenced code of a Markdown text, in order. A fence not closed yet reaches to the end."""
    if not (_MARKS.search(text) or _MARKS_AFTER_CR.search(text)):
        return ()
    lines = list(line_spans(text, 0, len(text)))
    # A character a byte, so that columns are bytes.
    rows = [text[start:end].rstrip(b"\r\n").decode("latin-1") for start, end in lines]
    tokens: list[Token] = []
    parser = _markdown()
    parser.block.parse("".join(f"{row}\n" for row in rows), parser, {}, tokens)
    return tuple(_fence(token, lines, rows) for token in tokens if token.type == "fence")


def _margin(row: str, content: str) -> int:
    """How much of a row stands before its content."""
    # Half a tab that belongs to the margin comes as spaces, which are not in the text.
    while not row.endswith(content):
        content = content[1:]
    return len(row) - len(content)


def _fence(token: Token, lines: list[Span], rows: list[str]) -> Fence:
    assert token.map is not None
    opening, after = token.map
    contents = token.content.split("\n")[:-1]
    first, last = opening + 1, opening + 1 + len(contents)
    end_of_text = lines[-1][1]
    start = lines[first][0] if first < len(lines) else end_of_text
    end = lines[last][0] if last < len(lines) else end_of_text
    spans = []
    for number, content in enumerate(contents, first):
        line_start, line_end = lines[number]
        spans.append((line_start + _margin(rows[number], content), line_end))
    marks = [lines[opening]]
    if after > last:
        marks.append(lines[last])
    info = token.info.encode("latin-1").decode("utf-8", "replace").strip()
    return Fence(start, end, merged(spans), info, tuple(marks), end < end_of_text or after > last)
