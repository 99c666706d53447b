"""Which piece of a text belongs to which statement, as people count them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tokenscope_core.record.arrays import Ints
from tokenscope_core.syntax.documents.spread import MARGIN
from tokenscope_core.syntax.folding.frames import Syntax
from tokenscope_core.syntax.grammar.categories import GAPS
from tokenscope_core.syntax.program import line_ends


def statement_of_pieces(syntax: Syntax) -> Ints:
    """An id for each piece of a text, int64 [P], equal in what a person calls one statement.

    A compound statement is its own text without the statements inside it. What lies between two
    statements goes with one of them: an indentation or a margin with the one after, all else with
    the one before. A comment stands for itself, and what cannot be parsed is taken line by line.
    """
    pieces, levels = syntax.pieces, syntax.pieces.levels
    line = np.searchsorted(line_ends(syntax.trace), pieces.start, side="right")
    category = levels["category"].to_numpy()
    unit_start, unit_end = (levels[f"unit_{side}"].to_numpy(np.int64) for side in ("start", "end"))
    last_line = np.searchsorted(line_ends(syntax.trace), unit_end - 1, side="right")
    unit_line = np.searchsorted(line_ends(syntax.trace), unit_start, side="right")
    by_line = levels["error"].to_numpy(bool) & (last_line > unit_line)
    alone = category == "comment"
    rows = pd.DataFrame(
        {
            "start": np.where(alone, pieces.start, unit_start),
            "end": np.where(alone, pieces.end, unit_end),
            "line": np.where(by_line, line, -1),
        }
    )
    key = pd.Series(rows.groupby(["start", "end", "line"], sort=False).ngroup(), dtype="Int64")
    margin = levels["leaf"].to_numpy() == MARGIN
    key = key.mask(np.isin(category, GAPS) | margin)
    before, after = key.ffill(), key.bfill()
    key = before.mask((category == "indentation") | margin, after).fillna(before).fillna(after)
    return np.asarray(key.fillna(0), dtype=np.int64)


def statement_runs(syntax: Syntax) -> Ints:
    """An id for each piece, int64 [P], ascending: equal in an uninterrupted stretch of one
    statement. What stands before and after the statements inside a compound one are two."""
    statement = statement_of_pieces(syntax)
    return np.cumsum(np.diff(statement, prepend=statement[:1]) != 0, dtype=np.int64)
