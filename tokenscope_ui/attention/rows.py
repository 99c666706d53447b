"""One number a token: a row or a column of an attention matrix, laid onto the text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core.attention.capturing.maps import Weights
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.trace import Trace
from tokenscope_ui.attention.tokens import labels, lines_of
from tokenscope_ui.attention.view_choice import Direction, Question

LATER = "it comes later: a token attends only to itself and what precedes it"
EARLIER = "it comes earlier: a token is attended to only by itself and what follows it"
TOO_FAR = "the layer does not see that far back"
NOT_CAPTURED = "its row was not captured"
FIRST = "nothing precedes the first token, so no row predicts it"


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """Attention laid onto the tokens of a text.

    - `weight`: float64 [T]. 0 where no attention can be, NaN where it is not known.
    - `times_uniform`: float64 [T], the weight over what attention spread evenly would be: 1 over
      the number of positions the row can see.
    - `reasons`: by position, why there is no weight.
    - `row`: the query position that was read; None of a column, or of several tokens together.
    - `tokens`: how many tokens it is of.
    """

    weight: Floats
    times_uniform: Floats
    reasons: dict[int, str]
    row: int | None
    tokens: int = 1


def row_of(position: int, question: Question) -> int:
    """The query position that stands for a token; -1 where there is none."""
    return position if question == "at" else position - 1


def lay(
    matrix: Weights,
    queries: Ints,
    position: int,
    question: Question,
    direction: Direction,
    masked: tuple[int, ...] = (),
    first_keys: Ints | None = None,
) -> Laid | None:
    """What a token attends to, or what attends to it; None where it has no row among `queries`.

    Args:
        matrix: [query, key].
        queries: the position of each row, ascending.
        position: of the token.
        question: which row stands for a token.
        direction: "from" the token along its row, or "to" it down its column.
        masked: positions that were taken out of every row, and can get nothing.
        first_keys: of every position the first one that it can see; None for all before it.
    """
    if direction == "to":
        return _column(matrix, queries, position, question, masked, first_keys)
    query = row_of(position, question)
    at = int(np.searchsorted(queries, query))
    if query < 0 or at >= len(queries) or int(queries[at]) != query:
        return None
    weight = matrix[at].astype(np.float64)
    seen = keys_seen(np.array([query]), masked, first_keys)[0]
    later = range(query + 1, len(weight))
    first = 0 if first_keys is None else int(first_keys[query])
    reasons = dict.fromkeys(range(first), TOO_FAR) | dict.fromkeys(later, LATER)
    return Laid(weight, weight * seen, reasons, query)


def keys_seen(queries: Ints, masked: tuple[int, ...], first_keys: Ints | None = None) -> Ints:
    """How many positions each row can see."""
    first = np.zeros_like(queries) if first_keys is None else first_keys[queries]
    gone = np.array(sorted(masked))
    hidden = np.searchsorted(gone, queries, side="right") - np.searchsorted(gone, first)
    return np.asarray(queries + 1 - first - hidden)


def _column(
    matrix: Weights,
    queries: Ints,
    position: int,
    question: Question,
    masked: tuple[int, ...],
    first_keys: Ints | None,
) -> Laid:
    length = matrix.shape[1]
    shift = 0 if question == "at" else 1
    weight, seen = np.full(length, np.nan), np.full(length, np.nan)
    shown = queries + shift < length
    place = queries[shown] + shift
    weight[place] = matrix[shown, position]
    seen[place] = keys_seen(queries[shown], masked, first_keys)
    reasons = dict.fromkeys(np.flatnonzero(np.isnan(weight)).tolist(), NOT_CAPTURED)
    if first_keys is not None:
        reasons |= dict.fromkeys(place[first_keys[queries[shown]] > position].tolist(), TOO_FAR)
    if shift:
        reasons[0] = FIRST
    first = position + shift
    weight[shift:first] = 0.0
    reasons |= dict.fromkeys(range(shift, first), EARLIER)
    return Laid(weight, weight * seen, reasons, None)


def source_table(trace: Trace, laid: Laid, most: int) -> pd.DataFrame:
    """The `most` tokens with the largest weights, largest first.

    Columns: `position`, `token` (visible text), `line`, `weight`, `share` (of all that is laid
    onto the text), `together` (the share of all rows up to here), `times_uniform`.
    """
    known = np.nan_to_num(laid.weight, nan=0.0)
    order = np.argsort(-known, kind="stable")[:most]
    order = order[known[order] > 0]
    total = float(known.sum()) or 1.0
    share = known[order] / total
    names = labels(trace)
    return pd.DataFrame(
        {
            "position": order,
            "token": [names[i] for i in order.tolist()],
            "line": lines_of(trace)[order],
            "weight": known[order],
            "share": share,
            "together": np.cumsum(share),
            "times_uniform": laid.times_uniform[order],
        }
    )
