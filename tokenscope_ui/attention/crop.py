"""Parts of a text that a matrix can be cut to: lines, pieces of the program, prompt, answer."""

from __future__ import annotations

import numpy as np

from tokenscope_core import Trace
from tokenscope_core.caching import lru_cache
from tokenscope_core.record.arrays import Ints
from tokenscope_core.syntax.folding.frames import Syntax, analyse
from tokenscope_ui.attention.tokens import lines_of
from tokenscope_ui.attention.view_choice import AttentionLook, CropTo
from tokenscope_ui.components.matrix import Crop
from tokenscope_ui.syntax_view.pieces import Kind, cut
from tokenscope_ui.trace.programs import program_of

CROPS: dict[CropTo, str] = {
    "all": "the whole text",
    "prompt": "the prompt",
    "generated": "what was generated",
    "line": "line of the selected token",
    "statement": "statement of the selected token",
    "function": "function of the selected token",
    "lines": "lines …",
}


def read(trace: Trace) -> Syntax:
    """The text as a program, in the language it seems to be in."""
    return analyse(program_of(trace))


def crop(trace: Trace, look: AttentionLook, selected: int | None) -> Crop | None:
    """What the matrix is cut to; None is nothing, or a part that there is not."""
    bounds = span(trace, look, selected)
    if bounds is None:
        return None
    start, end = bounds
    return Crop((start, end), (0 if look.keys == "before" else start, end))


def span(trace: Trace, look: AttentionLook, selected: int | None) -> tuple[int, int] | None:
    """The tokens of that part: first, and one past the last; None for all of them or none."""
    match look.crop:
        case "all":
            return None
        case "prompt":
            return _some(0, trace.prompt_length)
        case "generated":
            return _some(trace.prompt_length, len(trace))
        case "lines":
            return _lines(trace, *(look.lines or (trace.first_line,) * 2))
        case "line" | "statement" | "function":
            return None if selected is None else tokens_around(trace, look.crop, selected)


def _lines(trace: Trace, first: int, last: int) -> tuple[int, int] | None:
    lines = lines_of(trace)
    inside = np.flatnonzero((lines >= first) & (lines <= max(first, last)))
    return _some(int(inside[0]), int(inside[-1]) + 1) if len(inside) else None


@lru_cache(maxsize=32)
def tokens_around(trace: Trace, kind: Kind, position: int) -> tuple[int, int] | None:
    """The tokens from the first to the last that has a byte in the piece around a token."""
    piece = pieces_of_tokens(trace, kind)
    if piece[position] < 0:
        return None
    inside = np.flatnonzero(piece == piece[position])
    return _some(int(inside[0]), int(inside[-1]) + 1)


@lru_cache(maxsize=16)
def pieces_of_tokens(trace: Trace, kind: Kind) -> Ints:
    """The piece that each token's first byte is in, int64 [T], -1 for none."""
    if kind == "function":
        # Not by name, which a text may give to several.
        end, number = read(trace).pieces.end, read(trace).pieces.body
    else:
        made = cut(read(trace), kind, "category")
        end, number = made.end, made.piece
    span_of = np.searchsorted(end, trace.byte_start, side="right")
    piece = np.full(len(trace), -1, dtype=np.int64)
    written = (trace.byte_end > trace.byte_start) & (span_of < len(end))
    piece[written] = number[span_of[written]]
    return piece


def _some(start: int, end: int) -> tuple[int, int] | None:
    return (start, end) if end > start else None


@lru_cache(maxsize=8)
def guides(trace: Trace) -> tuple[tuple[int, str], ...]:
    """The first token of each line, and the line's number, for a matrix to draw lines at."""
    lines = lines_of(trace)
    first = np.flatnonzero(np.diff(lines, prepend=0))
    return tuple((int(at), str(int(lines[at]))) for at in first)
