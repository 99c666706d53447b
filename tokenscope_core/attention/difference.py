"""Two patterns of attention laid over each other: heads or layers of a text, or two branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenscope_core.attention.capturing.maps import AttentionMap, Weights
from tokenscope_core.comparison.alignment import Alignment, align
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints

Place = tuple[int, int | None]
"""A layer and a head by the model's own indices; no head for a fold."""


@dataclass(frozen=True, slots=True, eq=False)
class AttentionDifference:
    """Where b attends more than a, over R rows of an alignment of their texts.

    - `values`: float32 [R, R], row and column in the order of the alignment: weight of b minus
      weight of a, -1 to 1. NaN is missing: one side has no such token, its row was not captured or
      is missing there, or the key comes after the query.
    - `positions_a`, `positions_b`: int64 [R], where each row is in the texts, -1 where it is not.
    - `kind`: text [R], how the tokens of a row face each other: see `alignment`. Tokens that were
      changed are compared as they face each other.
    - `distance`: float64 [R], see `row_distances`; NaN where a row is missing on a side.
    """

    values: Weights
    positions_a: Ints
    positions_b: Ints
    kind: NDArray[np.str_]
    distance: Floats

    def __post_init__(self) -> None:
        self.values.flags.writeable = False
        self.distance.flags.writeable = False

    def frame(self) -> pd.DataFrame:
        """One row a query: `position_a`, `position_b` (missing: <NA>), `kind`, `distance`."""
        positions = {
            name: pd.Series(column).astype("Int64").where(column >= 0)
            for name, column in (
                ("position_a", self.positions_a),
                ("position_b", self.positions_b),
            )
        }
        return pd.DataFrame(positions | {"kind": self.kind, "distance": self.distance})


def attention_difference(
    a: AttentionMap,
    b: AttentionMap,
    of_a: Place,
    of_b: Place,
    alignment: Alignment | None = None,
) -> AttentionDifference:
    """Lay two captured patterns over each other.

    Args:
        a: what was captured.
        b: what it is compared with; the same map for two heads or layers of one capture.
        of_a: which layer and head of a.
        of_b: which layer and head of b.
        alignment: of the tokens of a with those of b, by `alignment.align`; None where both are
            of the same text.

    Raises:
        RequestError: the texts differ and no alignment was given, it is one of other texts, or
            one of the two is masked and the other is not, or shows something else.
        KeyError: such a layer or head was not captured.
    """
    length_a, length_b = a.weights.shape[-1], b.weights.shape[-1]
    _require_comparable(a, b, alignment)
    if alignment is None:
        alignment = align(range(length_a), range(length_b))
    rows_a, rows_b = _all_rows(a, of_a), _all_rows(b, of_b)
    at_a, at_b = alignment.position_a, alignment.position_b
    values = _laid_out(rows_b, at_b) - _laid_out(rows_a, at_a)
    values[np.triu_indices(len(alignment), 1)] = np.nan
    return AttentionDifference(
        values, at_a, at_b, alignment.kind, row_distances(rows_a, rows_b, alignment)
    )


def row_distances(a: Weights, b: Weights, alignment: Alignment) -> Floats:
    """Jensen-Shannon distance between the rows that face each other, 0 to 1, float64 [R].

    The root of the Jensen-Shannon divergence in bits (Lin 1991; a metric by Endres and Schindelin
    2003). A key that one side does not have has weight 0 there, so attention to tokens that only
    one text has counts as wholly different. Rows that may sum to less than 1 are brought to 1.

    Args:
        a, b: float32 [query, key], every row of each text; NaN rows are missing.
        alignment: of the two texts.

    Returns:
        NaN where a row is missing, attends to nothing, or faces none.
    """
    paired = np.flatnonzero((alignment.position_a >= 0) & (alignment.position_b >= 0))
    distance = np.full(len(alignment), np.nan)
    for row in paired.tolist():
        p = _over(a[alignment.position_a[row]], alignment.position_a)
        q = _over(b[alignment.position_b[row]], alignment.position_b)
        if p.sum() > 0 and q.sum() > 0:
            distance[row] = _distance(p / p.sum(), q / q.sum())
    return distance


def _distance(p: Floats, q: Floats) -> float:
    middle = (p + q) / 2
    bits = 0.0
    for one in (p, q):
        some = one > 0
        bits += float(np.sum(one[some] * np.log2(one[some] / middle[some]))) / 2
    return float(np.sqrt(min(max(bits, 0.0), 1.0)))


def _over(row: Weights, positions: Ints) -> Floats:
    """A row over the keys of an alignment; 0 for those that the text does not have."""
    return np.where(positions >= 0, row[positions], 0.0).astype(np.float64)


def _all_rows(captured: AttentionMap, place: Place) -> Weights:
    """[position, key]; NaN for rows that were not captured."""
    length = captured.weights.shape[-1]
    rows = np.full((length, length), np.nan, dtype=np.float32)
    rows[captured.queries] = captured.of(*place)
    return rows


def _laid_out(rows: Weights, positions: Ints) -> Weights:
    """The matrix of a text in the rows and columns of an alignment; NaN where it has none."""
    laid: Weights = rows[np.ix_(positions, positions)]
    laid[positions < 0] = np.nan
    laid[:, positions < 0] = np.nan
    return laid


def _require_comparable(a: AttentionMap, b: AttentionMap, alignment: Alignment | None) -> None:
    asked = "The difference of two patterns of attention was asked for."
    lengths = [captured.weights.shape[-1] for captured in (a, b)]
    aligned, given = [lengths[0]] * 2, "no alignment was given"
    if alignment is not None:
        sides = alignment.position_a, alignment.position_b
        aligned = [int(side.max(initial=-1)) + 1 for side in sides]
        given = f"the alignment is of {aligned[0]:,} and {aligned[1]:,}"
    if lengths != aligned:
        raise RequestError(
            asked=asked,
            found=f"They are of texts of {lengths[0]:,} and {lengths[1]:,} tokens, and {given}.",
            action="Give the alignment of the token ids of the two traces.",
        )
    if a.weighting != b.weighting or bool(a.masked) != bool(b.masked):
        raise RequestError(
            asked=asked,
            found="One shows another weighting than the other, or masks tokens alone.",
            action="Show both in the same way.",
        )
