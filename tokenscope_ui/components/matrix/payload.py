"""A token x token map as one block of bytes: the contract between its callers and its script."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint16]

MAX_CELLS: Final = 2**23
"""Cells of a map, which is 16 MiB on their way to the browser: all of 4,095 causal rows."""

EMPTY, MISSING, ZERO = 0, 1, 2
DIGITS: Final = 3
_DECADES = 36
_LOWEST = -35
"""Decimal exponent of the smallest number that keeps its digits: from there to 10, exclusive."""
_MANTISSAS = 9 * 10 ** (DIGITS - 1)
_FIRST_MANTISSA = 10 ** (DIGITS - 1)
_TINY = 1
_TOO_LARGE = 9.995


def quantise(values: npt.NDArray[np.floating]) -> Codes:
    """Numbers as 16 bits that keep three significant decimal digits and the sign.

    A code is 1 for NaN, 2 for 0, otherwise 2 m + 1 for a positive number and 2 m + 2 for a
    negative one. m = 1 is less than 1e-35; m = 2 + 900 d + (mantissa - 100) is mantissa x
    10^(d - 37). So larger codes are larger magnitudes, and any number beats a missing one: to pool
    cells is to take the maximum of their codes. 0 is left for what lies outside of a map.

    Raises:
        ValueError: a magnitude rounds to 10 or more.
    """
    magnitude = np.abs(values.astype(np.float64, copy=False))
    if (magnitude >= _TOO_LARGE).any():
        raise ValueError(
            f"the largest magnitude is {np.nanmax(magnitude):.4g}; a map holds shares and their "
            "differences, below 10"
        )
    known = magnitude > 0
    exponent = np.floor(np.log10(magnitude, where=known, out=np.full(values.shape, -np.inf)))
    tiny = known & (exponent < _LOWEST)
    kept = known & ~tiny
    decade = np.where(kept, exponent - _LOWEST, 0).astype(np.int64)
    mantissa = np.rint(np.where(kept, magnitude, 0) * _UNITS[decade]).astype(np.int64)
    # 9.996 rounds up into the next decade; a logarithm rounded up leaves a mantissa below 100.
    mantissa, decade = _carried(mantissa, decade, magnitude, kept)
    rank = np.where(kept, _TINY + 1 + _MANTISSAS * decade + mantissa - _FIRST_MANTISSA, _TINY)
    codes = np.where(known, 2 * rank + 1 + (values < 0), ZERO)
    return np.where(np.isnan(magnitude), MISSING, codes).astype(np.uint16)


_UNITS = 10.0 ** (DIGITS - 1 - _LOWEST - np.arange(_DECADES))


def _carried(
    mantissa: npt.NDArray[np.int64],
    decade: npt.NDArray[np.int64],
    magnitude: npt.NDArray[np.float64],
    kept: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    above = mantissa >= 10 * _FIRST_MANTISSA
    below = kept & (mantissa < _FIRST_MANTISSA) & (decade > 0)
    mantissa[above] = _FIRST_MANTISSA
    decade[above] += 1
    decade[below] -= 1
    mantissa[below] = np.rint(magnitude[below] * _UNITS[decade[below]]).astype(np.int64)
    mantissa[kept] = np.maximum(mantissa[kept], _FIRST_MANTISSA)
    return mantissa, decade


def encode(
    weights: npt.NDArray[np.float32],
    *,
    labels: Sequence[str],
    title: str,
    queries: Sequence[int] | npt.NDArray[np.int64] | None = None,
    query_labels: Sequence[str] | None = None,
    axes: tuple[str, str] = ("query", "key"),
    value: str = "weight",
    difference: bool = False,
    masked: Collection[int] = (),
) -> bytes:
    """The bytes that `mount` takes. Build them once per map, and cache them.

    Only the causal part travels: of a query at position i the keys 0 to i. What `weights` holds
    beyond is not looked at. NaN is missing, and shown as missing.

    Args:
        weights: float [query, key]; the keys are all positions from 0 on.
        labels: text of the token at each key.
        title: what is shown, such as "layer 3, head 5".
        queries: position of each row, ascending; None where row i is position i.
        query_labels: text of each row's token; None takes it from `labels`.
        axes: what rows and columns are called.
        value: what a cell's number is called: "weight", "rollout", "B - A".
        difference: whether numbers may be negative and 0 is the middle of the colours.
        masked: keys whose weight was taken out before; their columns are marked.

    Raises:
        ValueError: shapes do not belong together, a number is negative without `difference` or
            rounds to 10 or more, or there are more than `MAX_CELLS` cells.
    """
    if weights.ndim != 2 or len(labels) != weights.shape[1]:
        raise ValueError(f"{len(labels)} labels for weights of shape {weights.shape}; one a key")
    rows, keys = weights.shape
    positions = np.arange(rows) if queries is None else np.asarray(queries, dtype=np.int64)
    _check_positions(positions, rows, keys)
    if query_labels is not None and len(query_labels) != rows:
        raise ValueError(f"{len(query_labels)} query labels for {rows} rows; give one a row")
    packed = weights[np.arange(keys) <= positions[:, None]]
    if len(packed) > MAX_CELLS:
        raise ValueError(f"{len(packed):,} cells, of at most {MAX_CELLS:,}; ask for fewer queries")
    if not difference and (packed < 0).any():
        raise ValueError("a weight is negative; say difference=True for a map of differences")
    outside = sorted(key for key in masked if not 0 <= key < keys)
    if outside:
        raise ValueError(f"masked keys {outside} are not among the {keys} keys")
    first = int(positions[0]) if rows else 0
    header = {
        "title": title,
        "axes": axes,
        "value": value,
        "difference": difference,
        "keys": keys,
        # A run of positions, which they mostly are, is named by its first.
        "queries": first
        if (positions == first + np.arange(rows)).all()
        else [int(position) for position in positions],
        "rows": rows,
        "labels": list(labels),
        "queryLabels": None if query_labels is None else list(query_labels),
        "masked": sorted(masked),
    }
    # Escaped to ASCII, so that half a surrogate pair survives the journey.
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode("ascii")
    return text + b"\n" + quantise(packed).astype("<u2").tobytes()


def _check_positions(positions: npt.NDArray[np.int64], rows: int, keys: int) -> None:
    if positions.shape != (rows,):
        raise ValueError(f"{len(positions)} query positions for {rows} rows; give one a row")
    if rows and (positions[0] < 0 or positions[-1] >= keys or (np.diff(positions) <= 0).any()):
        raise ValueError(f"query positions are to ascend from 0 on, below the {keys} keys")
