"""Traces as programs: one row a token, with its place in the syntax."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core.record.arrays import Ints
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.units import with_units
from tokenscope_core.syntax.alignment import ByteAlignment, align
from tokenscope_core.syntax.documents.detection import lead
from tokenscope_core.syntax.documents.spread import MARGIN
from tokenscope_core.syntax.documents.texts import cut_text
from tokenscope_core.syntax.grammar.categories import GAPS
from tokenscope_core.syntax.grammar.pieces import Pieces
from tokenscope_core.syntax.program import Program, line_ends


@dataclass(frozen=True, slots=True, eq=False)
class Syntax:
    """A trace's text in pieces, and which token shares how many bytes with which piece."""

    trace: Trace
    language: str
    pieces: Pieces
    alignment: ByteAlignment


def analyse(trace: Trace | Program, language: str | None = None) -> Syntax:
    """Parse a trace's text, prompt included, and join it with the tokens. Linear in its length.

    Args:
        trace: any; what is no code of that language is marked as an error. A `Program` remembers
            what it comes to.
        language: one of `LANGUAGES`, or "markdown" for prose with fenced code, or "text" for what
            is in no language that we know; None takes the trace's own, see `language_of`.

    Raises:
        RequestError: no such language.
    """
    program = Program.of(trace, language)
    return program.once("syntax", lambda: _analysed(program.trace, program.language))


def _analysed(trace: Trace, language: str) -> Syntax:
    pieces = cut_text(trace.text_bytes, language, lead(trace))
    return Syntax(trace, language, pieces, align(trace.byte_end, pieces.end))


def syntax_frame(trace: Trace | Program | Syntax, language: str | None = None) -> pd.DataFrame:
    """One row a token, labelled by the piece of the text it has most bytes in.

    A gap (whitespace, newline, indentation, margin) labels a token only where it touches nothing
    else, so that " foo" is the name and not the space. Columns: `position`, `token`, `source`,
    `special`, `byte_start`, `byte_end`, `line` (1-based, of the token's first byte), then of the
    labelling piece `language`, `leaf` (node kind or gap), `category`, `statement` (kind of the
    nearest statement or expression), `scope` (path), `function` (dotted name), `unit_start` and
    `unit_end` (bytes of the nearest whole statement), `error` (in what cannot be parsed); `share`
    (of the token's bytes that lie in that piece, 1 where it lies in one), `touched` (number of
    pieces it lies in), `missing` (kind of the token that the parser had to make up right after
    it). A token of no bytes (special) has no place: missing values, `touched` 0.

    Args:
        trace: or its `Program`, or what `analyse` made of it, which saves parsing it again.
        language: as in `analyse`; unused where `trace` is analysed already.

    Raises:
        RequestError: no such language.
    """
    syntax = trace if isinstance(trace, Syntax) else analyse(trace, language)
    trace, pieces, alignment = syntax.trace, syntax.pieces, syntax.alignment
    length = len(trace)
    frame = pd.DataFrame(
        {
            "position": np.arange(length),
            "token": pd.Series(map(trace.vocabulary.label, trace.token_ids.tolist()), dtype="str"),
            "source": pd.Categorical(trace.source, categories=["prompt", "sampled", "forced"]),
            "special": trace.special,
            "byte_start": trace.byte_start,
            "byte_end": trace.byte_end,
            "line": 1 + np.searchsorted(line_ends(trace), trace.byte_start, side="right"),
        }
    )
    chosen = labelling_pairs(pieces, alignment)
    tokens = alignment.token[chosen]
    labels = pieces.levels.iloc[alignment.piece[chosen]].set_axis(tokens).reindex(range(length))
    labels = labels.astype({"unit_start": "Int64", "unit_end": "Int64", "error": "boolean"})
    share = np.full(length, np.nan)
    share[tokens] = alignment.share()[chosen]
    made_up: list[str | None] = [None] * length
    written = np.flatnonzero(trace.byte_end > trace.byte_start)
    for offset, kind in pieces.missing:
        before = np.searchsorted(trace.byte_end[written], offset, side="right") - 1
        if before >= 0:
            made_up[written[before]] = kind
    labelled = frame.join(labels).assign(
        share=share,
        touched=np.bincount(alignment.token, minlength=length),
        missing=pd.Series(made_up, dtype="str"),
    )
    return with_units(labelled, unit_start="bytes", unit_end="bytes")


def labelling_pairs(pieces: Pieces, alignment: ByteAlignment) -> Ints:
    """The index of the pair that labels each token which has bytes, int64 [n]: no gap if it can be,
    most bytes, first."""
    if not len(alignment.token):
        return np.empty(0, dtype=np.int64)
    gaps = pieces.levels["category"].isin(GAPS) | (pieces.levels["leaf"] == MARGIN)
    gap = gaps.to_numpy()[alignment.piece]
    order = np.lexsort((-alignment.bytes, gap, alignment.token))
    firsts = np.flatnonzero(np.diff(alignment.token[order], prepend=-1))
    return order[firsts]
