"""Attention meets syntax: how much the parts of a program attend to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenscope_core.attention.heads.statistics import Rows
from tokenscope_core.record.arrays import Floats
from tokenscope_core.syntax.folding.aggregation import THIN

Level = Literal["category", "leaf", "statement", "scope", "function", "line", "unit"]
LEVELS: tuple[Level, ...] = (
    "category", "leaf", "statement", "scope", "function", "line", "unit",
)  # fmt: skip
"""What a part is. The first four are those of the syntax tree; `unit` is each whole statement
for itself, `statement` all statements and expressions of a kind."""
# Of these a part is a sample of its kind, and a mean over few tokens says little of the kind. The
# parts of the others are single places.
KINDS: tuple[Level, ...] = ("category", "leaf", "statement")


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """From each part of a program to each: G parts in the order they are to be drawn.

    - `mean`: float64 [query part, key part]: of the attention of a token in the first, the share
      that goes to tokens in the second, mean over its rows (and over the heads). Rows sum to 1;
      NaN for a part that has no row.
    - `uniform`: the same for heads that attend evenly to all keys a row can see, in a layer with a
      window those in it, on the same rows: what the numbers and places of the tokens alone give. A
      cell means something as far as it differs from this.
    - `query_tokens`, `key_tokens`: float64 [G], rows of each part that count, and its tokens that
      can be attended to (masked ones cannot). In parts of tokens where bytes share them out.
    - `layers`, `heads`: which the mean is over. `masked`: positions taken out of every row.
    """

    by: Level
    parts: tuple[str, ...]
    mean: Floats
    uniform: Floats
    query_tokens: Floats
    key_tokens: Floats
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    masked: tuple[int, ...] = ()
    rows: Rows = "all"
    language: str | None = None

    def __post_init__(self) -> None:
        for array in (self.mean, self.uniform, self.query_tokens, self.key_tokens):
            array.flags.writeable = False

    @property
    def ratio(self) -> Floats:
        """`mean` / `uniform`, [G, G]: 1 as even attention has it, 2 twice as much.

        NaN where no query of the one part can see a key of the other.
        """
        possible = np.where(self.uniform > 0, self.uniform, np.nan)
        return np.asarray(self.mean / possible)

    @property
    def thin(self) -> NDArray[np.bool_]:
        """Whether a query part has fewer than `THIN` rows, [G].

        Never where parts are single places (lines, functions...), which are samples of nothing.
        """
        return np.asarray((self.query_tokens < THIN) & (self.by in KINDS))

    def frame(self) -> pd.DataFrame:
        """One row a pair of parts that have queries and keys.

        Columns: `query`, `key` (the parts), `mean`, `uniform`, `ratio`, `query_tokens`,
        `key_tokens`, `thin`.
        """
        rows, columns = np.divmod(np.arange(len(self.parts) ** 2), max(len(self.parts), 1))
        names = np.array(self.parts, dtype=object)
        frame = pd.DataFrame(
            {
                "query": pd.Series(names[rows], dtype="str"),
                "key": pd.Series(names[columns], dtype="str"),
                "mean": self.mean.ravel(),
                "uniform": self.uniform.ravel(),
                "ratio": self.ratio.ravel(),
                "query_tokens": self.query_tokens[rows],
                "key_tokens": self.key_tokens[columns],
                "thin": self.thin[rows],
            }
        )
        present = (frame["query_tokens"] > 0) & (frame["key_tokens"] > 0)
        return frame[present].reset_index(drop=True)
