"""The pieces of a code put back where they stand in a text that has other things in between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.record.arrays import Ints
from tokenscope_core.syntax.documents.regions import CodeRegion, line_spans
from tokenscope_core.syntax.grammar.pieces import Stretch

MARGIN = "margin"
_CATEGORIES = {MARGIN: "markup", "set aside": "other"}


def spread(code: Stretch, region: CodeRegion, text: bytes) -> Stretch:
    """The pieces of a region's code in bytes of the text, with a piece for each line of what
    is set aside.

    A piece that goes on beyond a gap, such as a string of several lines, becomes one a span.

    Args:
        code: in bytes of the region's code.
        region: where that stands.
        text: the whole.
    """
    edges = np.cumsum([end - start for start, end in region.spans], dtype=np.int64)
    inner = edges[:-1]
    length = int(edges[-1]) if len(edges) else 0
    starts = np.union1d(code.start, inner[inner < length])
    source = np.searchsorted(code.start, starts, side="right") - 1
    ends = np.append(starts[1:], length) if len(starts) else starts
    gaps = [line for gap in region.gaps() for line in line_spans(text, *gap)]
    gap_start = np.array([start for start, _ in gaps], dtype=np.int64)
    gap_end = np.array([end for _, end in gaps], dtype=np.int64)
    begun = {start for start, _ in region.spans}
    names = [MARGIN if end in begun else "set aside" for end in gap_end.tolist()]
    start = np.concatenate([region.starts_in_text(starts), gap_start])
    end = np.concatenate([region.ends_in_text(ends), gap_end])
    order = np.argsort(start, kind="stable")
    fillers: dict[str, Sequence[str] | Ints] = {
        "language": [region.language or ""] * len(gaps),
        "leaf": names,
        "category": [_CATEGORIES[name] for name in names],
        "statement": names,
        "scope": [""] * len(gaps),
        "function": [""] * len(gaps),
        "unit_start": gap_start,
        "unit_end": gap_end,
        "error": np.zeros(len(gaps), dtype=np.int64),
    }
    columns: dict[str, Sequence[str] | Ints | NDArray[np.bool_]] = {}
    for name, filler in fillers.items():
        own = code.columns[name]
        if name == "unit_start":
            own = region.starts_in_text(np.asarray(own, dtype=np.int64))
        elif name == "unit_end":
            own = region.ends_in_text(np.asarray(own, dtype=np.int64))
        if isinstance(own, np.ndarray):
            columns[name] = np.concatenate([own[source], np.asarray(filler, own.dtype)])[order]
        else:
            both = [*(own[row] for row in source.tolist()), *map(str, filler)]
            columns[name] = [both[row] for row in order.tolist()]
    nowhere = np.full(len(gaps), -1, dtype=np.int64)
    offsets = region.starts_in_text(np.array([at for at, _ in code.missing], dtype=np.int64))
    kinds = [kind for _, kind in code.missing]
    return Stretch(
        start=start[order],
        end=end[order],
        columns=columns,
        missing=tuple(zip(offsets.tolist(), kinds, strict=True)),
        unit=np.concatenate([code.unit[source], nowhere])[order],
        body=np.concatenate([code.body[source], nowhere])[order],
    )
