"""The arrays of a record: names for their types, and what the values of `candidate_kept` mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
KeptFlags = NDArray[np.int8]

# Of a candidate: whether the token could have been drawn from it. Missing where none was drawn.
KEPT, REMOVED, NOT_DRAWN = 1, 0, -1
