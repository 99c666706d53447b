"""What each statistic of an attention head means: the one list screens and files use.

Throughout, a(i, j) is the weight with which the query at position i attends to the key at position
j <= i, x(i) the token at position i, m(i) = Σ a(i, j) over j, which is 1 but for heads that may
attend to nothing, and p(i, j) = a(i, j) / m(i). A statistic is the mean of what its formula says
over the rows i that it is defined for, and missing (NaN) where there is none. Position 0, which
can only attend to itself, is no row of any. Where positions are masked, a has been renormalised
over the other keys, and a row whose every weight was on masked positions is left out.

In a layer that sees a window or a block of the text only, the keys of a row are those it can see:
sums are over them, and a statistic of certain keys is defined for the rows that can see one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rows = Literal["all", "predicting"]
"""Which rows count.

- `all`: every position of the text but the first.
- `predicting`: those the generated tokens were predicted from, that is prompt_length - 1 up to the
  last but one: at position i a model decides on the token at i + 1.
"""

ROWS: Mapping[Rows, str] = {
    "all": "every token but the first",
    "predicting": "tokens that a generated one was predicted from",
}


@dataclass(frozen=True, slots=True)
class HeadStatistic:
    """One figure of a head.

    - `unit`: "share" of the row's attention, "ratio" or "tokens"; the first two are in 0 to 1.
    - `rows`: which rows it is defined for, as a clause; `missing`: why there may be none.
    """

    name: str
    label: str
    unit: Literal["share", "ratio", "tokens"]
    formula: str
    meaning: str
    rows: str
    missing: str
    source: str

    @property
    def range(self) -> tuple[float, float | None]:
        """The least and the largest value; None: as far as the text is long."""
        return 0.0, None if self.unit == "tokens" else 1.0


_VIG = "Vig and Belinkov 2019, arXiv:1906.04284"
_OLSSON = "Olsson et al. 2022, arXiv:2209.11895"
_ALWAYS = "every row"
_NO_ROWS = "the text is too short, or all attention is on masked tokens"
_NO_SYNTAX = "the language of the text is not known"

HEAD_STATISTICS: tuple[HeadStatistic, ...] = (
    HeadStatistic(
        "entropy_norm", "normalised entropy", "ratio", "−Σ p(i, j) ln p(i, j) / ln n(i)",
        "How widely a head spreads its attention: 0 all on one token, 1 evenly on all it can see. "
        "n(i) is how many keys row i can see: i + 1, less where a layer has a window or tokens are "
        "masked.",
        "rows with two keys or more", _NO_ROWS,
        f"Clark et al. 2019, arXiv:1906.04341; {_VIG}; divided by its largest value",
    ),
    HeadStatistic(
        "mean_distance", "mean distance", "tokens", "Σ a(i, j) (i − j) / Σ a(i, j)",
        "How many tokens back a head looks, weighted by its attention; both sums are over all rows "
        "and keys.",
        _ALWAYS, _NO_ROWS, _VIG,
    ),
    HeadStatistic(
        "sink_mass", "attention to sinks", "share", "Σ a(i, s) over the sinks s < i",
        "How much attention is parked on the first token and the other sinks found. Always of the "
        "weights as they are, nothing masked.",
        "rows that can see a sink", _NO_ROWS,
        "Xiao et al. 2023, arXiv:2309.17453; Gu et al. 2024, arXiv:2410.10781",
    ),
    HeadStatistic(
        "current_token", "attention to itself", "share", "a(i, i)",
        "How much a token attends to itself.",
        _ALWAYS, _NO_ROWS, "Clark et al. 2019, arXiv:1906.04341",
    ),
    HeadStatistic(
        "previous_token", "previous-token score", "share", "a(i, i − 1)",
        "How much a token attends to the one before it.",
        "rows that can see the token before, not masked", _NO_ROWS,
        f"Clark et al. 2019, arXiv:1906.04341; {_OLSSON}",
    ),
    HeadStatistic(
        "duplicate_token", "duplicate-token score", "share", "Σ a(i, j) over j < i, x(j) = x(i)",
        "How much a token attends to its own earlier occurrences.",
        "rows that can see their token before", "no token of the text occurs twice",
        "Wang et al. 2022, arXiv:2211.00593",
    ),
    HeadStatistic(
        "induction", "induction score", "share", "Σ a(i, j + 1) over j + 1 < i, x(j) = x(i)",
        "How much a token attends to what followed its earlier occurrences: the tokens that come "
        "next if the text repeats itself. A token that was right before is not counted, since what "
        "followed it is the token itself.",
        "rows that can see what followed their token before, other than just before",
        "no token of the text occurs twice with another between",
        f"{_OLSSON}, here on the text at hand rather than on repeated random tokens",
    ),
    HeadStatistic(
        "prompt_share", "attention to the prompt", "share", "Σ a(i, j) over j < prompt length",
        "How much a generated token attends to the prompt; the rest goes to generated tokens.",
        "rows at generated tokens that can see the prompt",
        "there is no prompt, or nothing was generated", "sum of the weights",
    ),
    HeadStatistic(
        "same_line", "attention inside the line", "share", "Σ a(i, j) over j in the line of i",
        "How much attention stays in the line; a token is in the line of its first byte.",
        _ALWAYS, _NO_ROWS, "sum of the weights",
    ),
    HeadStatistic(
        "same_statement", "attention inside the statement", "share",
        "Σ a(i, j) over j in the nearest whole statement around i",
        "How much attention stays in the statement. Of nested ones the innermost counts.",
        "rows in a statement", _NO_SYNTAX, "sum of the weights over the syntax tree",
    ),
    HeadStatistic(
        "same_function", "attention inside the function", "share",
        "Σ a(i, j) over j in the innermost function around i",
        "How much attention stays in the function.",
        "rows in a function", "the text has no function, or its language is not known",
        "sum of the weights over the syntax tree",
    ),
)  # fmt: skip


BY_NAME: Mapping[str, HeadStatistic] = {statistic.name: statistic for statistic in HEAD_STATISTICS}


def counted_rows(rows: Rows, length: int, prompt_length: int) -> NDArray[np.bool_]:
    """Which positions of a text are rows that count, bool [T]."""
    counted = np.zeros(length, dtype=np.bool_)
    if rows == "all":
        counted[1:] = True
    else:
        counted[max(1, prompt_length - 1) : length - 1] = True
    return counted
