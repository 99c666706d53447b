"""Which part of a program each token is in, and with which share of its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Ints
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_core.record.trace import Trace
from tokenscope_core.syntax.alignment import align
from tokenscope_core.syntax.counted import Counted, counted_tokens
from tokenscope_core.syntax.folding.frames import Syntax, analyse, labelling_pairs
from tokenscope_core.syntax.folding.statements import statement_runs
from tokenscope_core.syntax.program import line_ends

Level = Literal["category", "leaf", "statement", "scope", "line", "function", "language"]
LEVELS: tuple[Level, ...] = (
    "category", "leaf", "statement", "scope", "line", "function", "language",
)  # fmt: skip


def shares(
    traces: Trace | Syntax | Sequence[Trace | Syntax],
    by: Level,
    metric: str,
    counted: Counted = "generated",
    *,
    language: str | None = None,
    whole_tokens: bool = False,
) -> pd.DataFrame:
    """The tokens behind an aggregate, one row a pair of token and part.

    Columns: `trace` (index of its trace), `position`, `part`, `weight` (the share of the token's
    bytes in that part; those of a token sum to 1), `bytes`, `value` (NaN where it has none),
    `statement` (a number, equal for what lies in one stretch of one statement of one trace).

    Args:
        traces, by, metric, language, whole_tokens: as in `aggregate`.
        counted: whether the generated tokens, those of the prompt or all of them; of a text in
            which nothing was generated, "generated" means all.

    Raises:
        RequestError: an unknown level, metric or language, or several traces by line.
    """
    analysed = analysed_all(traces, language)
    check_level(by, metric, len(analysed))
    found = [_pairs(syntax, by, metric, counted, whole_tokens) for syntax in analysed]
    before = 0
    for number, (syntax, pairs) in enumerate(zip(analysed, found, strict=True)):
        pairs.insert(0, "trace", number)
        pairs["statement"] += before
        before += len(syntax.pieces)
    return pd.concat(found, ignore_index=True) if found else _EMPTY


def analysed_all(
    traces: Trace | Syntax | Sequence[Trace | Syntax], language: str | None
) -> list[Syntax]:
    """One or several texts as programs; what is analysed already stays as it is."""
    each = [traces] if isinstance(traces, Trace | Syntax) else traces
    return [item if isinstance(item, Syntax) else analyse(item, language) for item in each]


_EMPTY = pd.DataFrame(
    {
        "trace": pd.Series(dtype="int64"), "position": pd.Series(dtype="int64"),
        "part": pd.Series(dtype="str"), "weight": [], "bytes": pd.Series(dtype="int64"),
        "value": [], "statement": pd.Series(dtype="int64"),
    }
)  # fmt: skip


def check_level(by: str, metric: str, traces: int) -> None:
    """Refuse what cannot be aggregated."""
    asked = f"An aggregate of {metric!r} by {by!r} was asked for."
    if by not in LEVELS:
        raise RequestError(
            asked=asked, found="There is no such level.", action=f"Choose of {', '.join(LEVELS)}."
        )
    check_metric(metric)
    if by == "line" and traces > 1:
        raise RequestError(
            asked=asked,
            found=f"There are {traces} traces, whose lines have nothing to do with each other.",
            action="Ask for one trace, or for another level.",
        )


def check_metric(metric: str) -> None:
    """Refuse what is no metric."""
    if metric not in BY_NAME:
        raise RequestError(
            asked=f"The metric {metric!r} was asked for.", found="There is no such metric.",
            action=f"Choose of {', '.join(BY_NAME)}.",
        )  # fmt: skip


def _pairs(
    syntax: Syntax, by: Level, metric: str, counted: Counted, whole_tokens: bool
) -> pd.DataFrame:
    """The shares of one trace, without `trace`."""
    trace, alignment = syntax.trace, syntax.alignment
    weight = alignment.share()
    if whole_tokens:
        chosen = labelling_pairs(syntax.pieces, alignment)
        weight = np.zeros(len(weight))
        weight[chosen] = 1.0
    statement = statement_runs(syntax)[alignment.piece]
    if by == "line":
        ends = np.append(line_ends(trace), len(trace.text_bytes))
        by_line = align(_ends_of_pairs(syntax), np.unique(ends))
        weight = weight[by_line.token] * by_line.bytes / alignment.bytes[by_line.token]
        part = trace.first_line + by_line.piece
        token, width = alignment.token[by_line.token], by_line.bytes
        statement = statement[by_line.token]
    else:
        part = syntax.pieces.levels[by].to_numpy()[alignment.piece]
        token, width = alignment.token, alignment.bytes
    kept = weight > 0
    kept &= counted_tokens(trace, counted)[token]
    codes, names = pd.factorize(part[kept])
    # A token in several pieces of one part is in that part once.
    key, first, merged = np.unique(
        token[kept] * max(len(names), 1) + codes, return_index=True, return_inverse=True
    )
    position = token[kept][first]
    return pd.DataFrame(
        {
            "position": position,
            "part": names[codes[first]],
            "weight": np.bincount(merged, weights=weight[kept], minlength=len(key)),
            "bytes": np.bincount(merged, weights=width[kept], minlength=len(key)).astype(np.int64),
            "value": trace.column(metric)[position],
            "statement": statement[kept][first],
        }
    )


def _ends_of_pairs(syntax: Syntax) -> Ints:
    """The byte after each pair of the alignment."""
    return np.cumsum(syntax.alignment.bytes)
