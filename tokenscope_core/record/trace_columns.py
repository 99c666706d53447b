"""What a trace consists of: the columns that are kept of it, and what they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from tokenscope_core.record.arrays import Floats, Ints, KeptFlags
from tokenscope_core.record.edits import Edit
from tokenscope_core.record.request import Request
from tokenscope_core.record.rounding import Rounding
from tokenscope_core.record.steps import FinishReason
from tokenscope_core.record.vocabulary import Vocabulary

FINISH_REASONS: tuple[FinishReason, ...] = get_args(FinishReason)


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model a trace came from.

    `fingerprint` hashes the model's files and the precision it ran in; `vocabulary_size` is the
    width of its logits, the V of every metric; 0 where an import does not tell it. `rounding` is
    how well its figures repeat, where that reaches the digits that are shown; None where it does
    not, or was not recorded.
    """

    name: str
    fingerprint: str
    vocabulary_size: int
    rounding: Rounding | None = field(default=None, compare=False)


@dataclass(frozen=True, eq=False)
class TraceColumns:
    """The columns of a `Trace`, where they are described, without what follows from them.

    Of T positions with K candidates: `token_ids` int64 [T], `source` text [T], `special` bool [T],
    each of `metrics` float64 [T] in its unit of `metric_registry`, `byte_start` and `byte_end`
    int64 [T]; `candidate_ids` int64 [T, K], `candidate_logprobs` float64 [T, K], nats,
    `candidate_kept` int8 [T, K].
    """

    request: Request
    model: ModelIdentity
    vocabulary: Vocabulary
    prompt_length: int
    finish_reason: FinishReason
    token_ids: Ints
    source: NDArray[np.str_]
    metrics: Mapping[str, Floats]
    candidate_ids: Ints
    candidate_logprobs: Floats
    candidate_kept: KeptFlags
    branch: tuple[str, Edit] | None = None
    special: NDArray[np.bool_] = field(init=False)
    byte_start: Ints = field(init=False)
    byte_end: Ints = field(init=False)

    def __post_init__(self) -> None:
        token_ids = self.token_ids.tolist()
        special_ids = self.vocabulary.special_ids
        special = np.array([token_id in special_ids for token_id in token_ids], dtype=np.bool_)
        widths = np.array(list(map(len, self.vocabulary.pieces(token_ids))), dtype=np.int64)
        ends = widths.cumsum()
        object.__setattr__(self, "special", special)
        object.__setattr__(self, "byte_end", ends)
        object.__setattr__(self, "byte_start", ends - widths)
        for array in self._arrays():
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.token_ids)

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return (
            self.token_ids, self.source, self.candidate_ids, self.candidate_logprobs,
            self.candidate_kept, self.special, self.byte_start, self.byte_end,
            *self.metrics.values(),
        )  # fmt: skip
