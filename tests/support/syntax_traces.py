"""Traces of any text cut into any tokens, with made-up metrics: no model, no torch."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

from tokenscope_core.record.arrays import Floats
from tokenscope_core.record.metric_registry import STORED
from tokenscope_core.record.request import Request, Sampling
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.record.vocabulary import Vocabulary


def words(text: str | bytes) -> list[bytes]:
    """Tokens as a byte-level BPE makes them: words with the space before them, runs of space."""
    blob = text.encode() if isinstance(text, str) else text
    return re.findall(rb" ?[\w\x80-\xff]+|\s+|[^\w\s\x80-\xff]", blob)


def trace_of(
    pieces: Sequence[bytes],
    *,
    prompt: int = 0,
    entropy: Sequence[float] | Floats | None = None,
    special: frozenset[int] = frozenset(),
    candidates: Sequence[Sequence[bytes]] = (),
) -> Trace:
    """A trace of those tokens; `special` are indices whose tokens add no bytes."""
    table: dict[tuple[bytes, bool], int] = {}
    ids = [table.setdefault((piece, i in special), len(table)) for i, piece in enumerate(pieces)]
    width = max([len(row) for row in candidates], default=2)
    candidate_ids = np.full((len(pieces), width), -1, dtype=np.int64)
    for position, row in enumerate(candidates):
        for place, piece in enumerate(row):
            candidate_ids[position, place] = table.setdefault((piece, False), len(table))
    made_of = (list(pieces), prompt, sorted(special), [list(row) for row in candidates], entropy)
    random = np.random.default_rng(len(pieces))
    metrics = {name: random.gamma(1.0, 1.0, len(pieces)) for name in STORED}
    for name in ("logprob", "sampled_logprob"):
        metrics[name] = -metrics[name]
    metrics["rank"] = np.ceil(metrics["rank"])
    if entropy is not None:
        metrics["entropy"] = np.asarray(entropy, dtype=np.float64)
    return Trace(
        # Unlike traces are unlike runs.
        request=Request("prompt", sampling=Sampling(seed=zlib.crc32(repr(made_of).encode()))),
        model=ModelIdentity("none", "hash", 1000),
        vocabulary=Vocabulary(
            {number: piece for (piece, _), number in table.items()},
            frozenset(number for (_, is_special), number in table.items() if is_special),
        ),
        prompt_length=prompt,
        finish_reason="length",
        token_ids=np.array(ids, dtype=np.int64),
        source=np.array(["prompt"] * prompt + ["sampled"] * (len(pieces) - prompt), dtype=str),
        metrics=metrics,
        candidate_ids=candidate_ids,
        candidate_logprobs=np.where(candidate_ids >= 0, -1.0, np.nan),
        candidate_kept=np.full(candidate_ids.shape, -1, dtype=np.int8),
    )
