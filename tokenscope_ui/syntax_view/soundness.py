"""Whether the code of a trace is valid, could become it, or where it broke; what does not parse;
names that nothing in sight defines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core import Trace
from tokenscope_core.caching import lru_cache
from tokenscope_core.syntax.documents.texts import language_label
from tokenscope_core.syntax.grammar.languages import grammar
from tokenscope_core.syntax.judging.structure import mark_frame, python_code
from tokenscope_core.syntax.judging.validity import Break, Standing, standings, validity
from tokenscope_core.syntax.unfinished.completion import completed
from tokenscope_ui.syntax_view.reading import analysed
from tokenscope_ui.syntax_view.words import one_line
from tokenscope_ui.trace.code_standing import STANDING_WORDS, line_of
from tokenscope_ui.trace.programs import program_of

GIVEN_UP = "not judged: reading it took too long"
PREPROCESSED = "not judged: a macro, or an #if, may stand behind what does not parse"
_CERTAINTIES = ("likely", "possible", "weak")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one stretch of code: a whole text, or the inside of a fence.

    `start` is the byte and `line` the line where the stretch begins; `broke` is set where it is
    broken; `state` is None where reading it took too long, or where the preprocessor may explain
    what is broken (`preprocessed`).
    """

    language: str
    start: int
    line: int
    state: Standing | None
    broke: Break | None = None
    preprocessed: bool = False


def verdicts(trace: Trace, language: str) -> tuple[Verdict, ...]:
    """A verdict for each stretch of code in a known language."""
    program = program_of(trace, language)
    read = validity(program)
    breaks = {found.byte_start: found for found in read.breaks}
    found = []
    for part, state in zip(program.parts, standings(program), strict=True):
        at = part.region.start
        line, macros = program.line_of(at), at in read.preprocessed
        found.append(Verdict(part.language, at, line, state, breaks.get(at), macros))
    return tuple(found)


def verdict_table(trace: Trace, language: str) -> pd.DataFrame:
    """The verdicts as a table in order of the text: `byte` (where it broke, else where the code
    begins), `line` (of that byte), `language`, `verdict`."""
    found = verdicts(trace, language)
    places = [int(trace.byte_start[v.broke.position]) if v.broke else v.start for v in found]
    return pd.DataFrame(
        {
            "byte": pd.Series(places, dtype="int64"),
            "line": pd.Series([line_of(trace, byte) for byte in places], dtype="int64"),
            "language": [language_label(v.language) for v in found],
            "verdict": [verdict_words(v) for v in found],
        }
    )


def verdict_words(verdict: Verdict) -> str:
    """A verdict in words."""
    if verdict.state is None:
        return PREPROCESSED if verdict.preprocessed else GIVEN_UP
    return "broke here" if verdict.broke else STANDING_WORDS[verdict.state]


@lru_cache(maxsize=16)
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


@lru_cache(maxsize=16)
def name_table(trace: Trace, language: str, *, prompt: bool) -> pd.DataFrame:
    """The names in Python code that nothing in sight defines, the surest first: `byte`, `line`,
    `name`, `finding`, `how sure`, `why`."""
    marks = mark_frame(program_of(trace, language), generated_only=not prompt)
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


def has_python(trace: Trace, language: str) -> bool:
    """Whether there is any code in which such names are looked for."""
    return bool(python_code(program_of(trace, language)))


def names_given_up(trace: Trace, language: str) -> bool:
    """Whether some Python code takes too long to look for such names."""
    python = grammar("python")
    return any(
        completed(code, python).given_up for code in python_code(program_of(trace, language))
    )
