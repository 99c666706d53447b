"""Whether the code of a trace is valid, could become it, or where it broke; what does not parse;
names that nothing in sight defines."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core import Trace
from tokenscope_core.syntax.structure import mark_frame
from tokenscope_core.syntax.validity import (
    Break,
    Standing,
    regions,
    standing,
)
from tokenscope_ui.code_standing import validity
from tokenscope_ui.syntax_view.reading import analysed
from tokenscope_ui.syntax_view.words import one_line

_CERTAINTIES = ("likely", "possible", "weak")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one stretch of code: a whole text, or the inside of a fence.

    `line` is where the stretch begins; `broke` is set where it is broken.
    """

    language: str
    line: int
    state: Standing
    broke: Break | None = None


@functools.lru_cache(maxsize=16)
def verdicts(trace: Trace, language: str) -> tuple[Verdict, ...]:
    """A verdict for each stretch of code in a known language."""
    breaks = {found.byte_start: found for found in validity(trace, language).breaks}
    found = []
    for region in regions(trace, language):
        name, line = region.language or "", line_of(trace, region.start)
        if region.start in breaks:
            found.append(Verdict(name, line, "broken", breaks[region.start]))
        else:
            stands = standing(trace.text_bytes[region.start : region.end], name)
            found.append(Verdict(name, line, stands))
    return tuple(found)


def line_of(trace: Trace, byte: int) -> int:
    """The line that a byte is on."""
    return 1 + trace.text_bytes.count(b"\n", 0, byte)


@functools.lru_cache(maxsize=16)
def error_table(trace: Trace, language: str) -> pd.DataFrame:
    """What could not be parsed and what the parser had to make up, in order of the text: `byte`,
    `line`, `what`, `code`."""
    pieces = analysed(trace, language).pieces
    rows: list[tuple[int, str, str]] = []
    error = pieces.levels["error"].to_numpy(bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], error.astype(np.int8), [0]])))
    for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        start, end = int(pieces.start[first]), int(pieces.end[after - 1])
        rows.append((start, "ERROR: cannot be parsed", one_line(trace.text_bytes[start:end])))
    rows += [(offset, "MISSING: made up by the parser", one_line(kind))
             for offset, kind in pieces.missing]  # fmt: skip
    rows.sort(key=lambda row: row[0])
    return pd.DataFrame(
        {
            "byte": pd.Series([byte for byte, _, _ in rows], dtype="int64"),
            "line": pd.Series([line_of(trace, byte) for byte, _, _ in rows], dtype="int64"),
            "what": pd.Series([what for _, what, _ in rows], dtype="str"),
            "code": pd.Series([code for _, _, code in rows], dtype="str"),
        }
    )


@functools.lru_cache(maxsize=16)
def name_table(trace: Trace, *, prompt: bool) -> pd.DataFrame:
    """The names of a Python text that nothing in sight defines, the surest first: `byte`, `line`,
    `name`, `finding`, `how sure`, `why`."""
    marks = mark_frame(trace, generated_only=not prompt)
    order = np.argsort([_CERTAINTIES.index(c) for c in marks["certainty"]], kind="stable")
    marks = marks.iloc[order.astype(np.int64)]
    bytes_ = marks["byte_start"].astype("int64").tolist()
    return pd.DataFrame(
        {
            "byte": pd.Series(bytes_, dtype="int64"),
            "line": pd.Series([line_of(trace, byte) for byte in bytes_], dtype="int64"),
            "name": pd.Series([one_line(name) for name in marks["name"]], dtype="str"),
            "finding": marks["finding"].tolist(),
            "how sure": marks["certainty"].tolist(),
            "why": marks["reason"].tolist(),
        }
    )
