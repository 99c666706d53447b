"""A trace as pandas tables, with the names and units of `metric_registry`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd

from tokenscope_core.record.arrays import KEPT, NOT_DRAWN, Floats
from tokenscope_core.record.metric_registry import HINDSIGHT, METRICS
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.units import with_units


class MeasuredByPosition(Protocol):
    """What has a figure for each position of a trace: a `Hindsight`."""

    def best(self, length: int) -> Floats:
        """The figure, nats, float64 [length]; NaN where there is none."""


def token_frame(trace: Trace, *, hindsight: MeasuredByPosition | None = None) -> pd.DataFrame:
    """One row a token.

    Columns: `position`, `token_id`, `token` (text; U+FFFD where the bytes are no whole
    character), `token_bytes` (None where an import does not tell them), `byte_start`,
    `byte_end`, `source`, `special`, then every metric of `metric_registry` (log quantities in
    nats, raw unless named `sampled_`, NaN where missing; `rank` as nullable integers), and
    `hindsight` (the largest log-odds, nats) where it is given.
    """
    token_ids, unknown = trace.token_ids.tolist(), list(trace.vocabulary.unknown_ids)
    table = trace.vocabulary.known_bytes
    frame = pd.DataFrame(
        {
            "position": np.arange(len(trace)),
            "token_id": trace.token_ids,
            "token": pd.Series(map(trace.vocabulary.label, token_ids), dtype="str"),
            "token_bytes": pd.Series([table.get(i) for i in token_ids], dtype="object"),
            "byte_start": trace.byte_start,
            "byte_end": trace.byte_end,
            "source": pd.Categorical(trace.source, categories=["prompt", "sampled", "forced"]),
            "special": trace.special & ~np.isin(trace.token_ids, unknown),
        }
    )
    for metric in METRICS:
        values = pd.Series(trace.column(metric.name))
        frame[metric.name] = values.astype("Int64") if metric.whole else values
    if hindsight is not None:
        frame[HINDSIGHT.name] = hindsight.best(len(trace))
    return with_units(frame)


def candidate_frame(trace: Trace) -> pd.DataFrame:
    """One row a position and candidate, most probable first.

    Columns: `position`, `candidate` (1-based place among the candidates), `token_id`, `token`,
    `token_bytes`, `special`, `logprob` (raw, nats), `prob`, `taken` (whether it is the token at
    that position), `kept` (whether the token could have been drawn from it: false where a penalty
    or filter had removed it, missing where the token was not drawn). Positions without a
    distribution have no rows.
    """
    length, width = trace.candidate_ids.shape
    ids = trace.candidate_ids.ravel()
    position = np.repeat(np.arange(length), width)
    known = ids >= 0
    token_ids = ids[known].tolist()
    table = trace.vocabulary.known_bytes
    logprobs = trace.candidate_logprobs.ravel()[known]
    kept = trace.candidate_kept.ravel()[known]
    return with_units(
        pd.DataFrame(
            {
                "position": position[known],
                "candidate": np.tile(np.arange(1, width + 1), length)[known],
                "token_id": ids[known],
                "token": pd.Series(map(trace.vocabulary.label, token_ids), dtype="str"),
                "token_bytes": pd.Series([table.get(i) for i in token_ids], dtype="object"),
                "special": np.isin(
                    ids[known], list(trace.vocabulary.special_ids - trace.vocabulary.unknown_ids)
                ),
                "logprob": logprobs,
                "prob": np.exp(logprobs),
                "taken": ids[known] == trace.token_ids[position[known]],
                "kept": pd.arrays.BooleanArray(kept == KEPT, mask=kept == NOT_DRAWN),
            }
        )
    )
