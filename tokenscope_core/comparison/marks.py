"""How a strip marks what differs between two texts."""

from __future__ import annotations

import numpy as np

from tokenscope_core.comparison.alignment import Alignment, Kind
from tokenscope_core.display.tokens import TokenFlag
from tokenscope_core.record.arrays import Ints

_MARKS: dict[Kind, TokenFlag] = {
    "same": TokenFlag(0),
    "changed": TokenFlag.CHANGED,
    "only a": TokenFlag.ALONE,
    "only b": TokenFlag.ALONE,
}


def change_marks(alignment: Alignment) -> Ints:
    """The flags (`TokenFlag`) of each row, int64 [R]; of what both texts begin with that it is
    shared."""
    found = np.array([int(_MARKS[kind]) for kind in alignment.kind.tolist()], np.int64)
    found[: alignment.shared_prefix] = int(TokenFlag.SHARED)
    return found
