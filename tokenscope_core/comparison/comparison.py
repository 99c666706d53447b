"""Two traces of one model side by side: where they part, where they meet again, by how much.

How far the model's distributions moved is measured only on request, since it takes another reading
of both texts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tokenscope_core.comparison import tables
from tokenscope_core.comparison.alignment import Alignment, align
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.html_repr import ShownAsHtml
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.trace_columns import ModelIdentity

if TYPE_CHECKING:
    import pandas as pd

    from tokenscope_core.models.language_model import LanguageModel

Relation = Literal["same", "a goes on", "b goes on", "diverge"]
Measured = Literal["none", "some", "all"]

DEFAULT_THRESHOLD = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Comparison(ShownAsHtml):
    """What became of `a` in `b`, row by row of their `alignment`. Immutable.

    `kl_ab` = KL(a||b) = Σ p_a ln(p_a / p_b), `kl_ba` and `jsd` are float64 [R], in nats, over the
    whole vocabulary (Kullback and Leibler 1951; Jensen-Shannon, at most ln 2: Lin 1991). They
    compare what the model expected before the two tokens of a row, after all that precedes each.
    They are given for rows of the kind `same`, and for the first that differs where either has a
    token there, which then stand after the same text. Where the first that differs is an insertion
    (`only a`, `only b`) one side has no token to compare, so they are missing, as they are for all
    others and for a first token, which nothing precedes. Up to the first difference they are 0 by
    definition. `measured` says for how many of these they were
    computed: `none` without a model, `some` when it was stopped.

    `rejoin` is the first pair of positions (in a, in b) of the kind `same` after the divergence
    from which both texts are the same bytes until one of them ends. Where the shorter was not cut
    off (finish reason `length` or `cancelled`) but ended of itself, the other must end there too.

    `rejoin_distribution` is the first pair after the divergence from which `jsd` is at most
    `threshold` nats in every row of the kind `same`, to the last. None unless all were measured.
    """

    a: Trace
    b: Trace
    alignment: Alignment
    kl_ab: Floats
    kl_ba: Floats
    jsd: Floats
    measured: Measured
    threshold: float
    rejoin: tuple[int, int] | None
    rejoin_distribution: tuple[int, int] | None

    def __repr__(self) -> str:
        parted = {
            "same": "the same tokens",
            "a goes on": f"b ends at {self.shared_prefix}",
            "b goes on": f"a ends at {self.shared_prefix}",
            "diverge": f"they part at {self.shared_prefix}",
        }[self.relation]
        met = "" if self.rejoin is None else f", and meet again at {self.rejoin}"
        return f"<Comparison of {self.a.key[:12]} and {self.b.key[:12]}: {parted}{met}>"

    def __len__(self) -> int:
        return len(self.alignment)

    @property
    def shared_prefix(self) -> int:
        """How many tokens both begin with."""
        return self.alignment.shared_prefix

    @property
    def relation(self) -> Relation:
        """Whether they are the same tokens, one goes on where the other ends, or they part."""
        return _relation(self.a, self.b, self.alignment)

    @property
    def divergence(self) -> int | None:
        """The first position at which the tokens differ; None where there is none: see
        `relation`."""
        return self.shared_prefix if self.relation == "diverge" else None

    @property
    def rejoined_tokens(self) -> int:
        """How many tokens with text `a` has from `rejoin` to where the texts are the same; 0
        without a rejoin."""
        if self.rejoin is None:
            return 0
        starts = int(self.a.byte_start[self.rejoin[0]]), int(self.b.byte_start[self.rejoin[1]])
        rests = len(self.a.text_bytes) - starts[0], len(self.b.text_bytes) - starts[1]
        from_there = slice(self.rejoin[0], None)
        begin, end = self.a.byte_start[from_there], self.a.byte_end[from_there]
        return int(((end > begin) & (begin < starts[0] + min(rests))).sum())

    def frame(self) -> pd.DataFrame:
        """One row a pair of tokens or a token alone: see `tables.row_frame`."""
        divergences = {"kl_ab": self.kl_ab, "kl_ba": self.kl_ba, "jsd": self.jsd}
        return tables.row_frame(self.a, self.b, self.alignment, divergences)

    def summary(self) -> pd.DataFrame:
        """The totals of both, a row each: see `tables.summary_frame`."""
        return tables.summary_frame(self.a, self.b, self.alignment)


def compare(
    a: Trace,
    b: Trace,
    lm: LanguageModel | None = None,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Compare two traces of one model, such as a branch with its parent.

    Args:
        a: the one to start from.
        b: the other; differences are b - a.
        lm: the model, to measure how far its distributions moved by reading both texts again.
            Rounding alone moves `jsd` by some 1e-11 nats in float32, in bfloat16 by 1e-4.
        threshold: up to which `jsd` two distributions count as the same, nats.
        progress: is told how many rows have been measured, and of how many.
        cancelled: is asked between chunks; when true, what was measured so far is kept.

    Raises:
        RequestError: the traces, or trace and model, are not of the same model, or the threshold
            is no number from 0 on.
        ModelError: the model's output is not a number.
    """
    tables.require_one_model((a, b))
    if not 0 <= threshold < math.inf:
        raise RequestError(
            asked=f"A threshold of {threshold} nats was given.",
            found="A Jensen-Shannon divergence lies between 0 and ln 2.",
            action="Choose a number in that range.",
        )
    alignment = align(a.token_ids.tolist(), b.token_ids.tolist())
    columns = np.full((len(alignment), 3), np.nan)
    measured: Measured = "none"
    if lm is not None:
        _require_model(lm.identity, a.model)
        columns, complete = _measured(a, b, alignment, lm, progress, cancelled)
        measured = "all" if complete else "some"
    return of_columns(a, b, alignment, columns, measured, threshold)


def of_columns(
    a: Trace,
    b: Trace,
    alignment: Alignment,
    columns: Floats,
    measured: Measured,
    threshold: float,
) -> Comparison:
    """A comparison from its `kl_ab`, `kl_ba` and `jsd` in the alignment's rows, nats, float64
    [R, 3]."""
    columns.flags.writeable = False
    kl_ab, kl_ba, jsd = columns.T
    diverges = _relation(a, b, alignment) == "diverge"
    return Comparison(
        a, b, alignment, kl_ab, kl_ba, jsd, measured, threshold,
        rejoin=_rejoin(a, b, alignment) if diverges else None,
        rejoin_distribution=_rejoin_distribution(alignment, jsd, threshold)
        if diverges and measured == "all"
        else None,
    )  # fmt: skip


def _require_model(given: ModelIdentity, wanted: ModelIdentity) -> None:
    if given.fingerprint != wanted.fingerprint:
        raise RequestError(
            asked=f"Traces of “{wanted.name}” were to be read again by “{given.name}”.",
            found="It is another model, or another precision of it.",
            action=f"Load “{wanted.name}” as it was when they were made, or compare without a "
            "model.",
        )


def _relation(a: Trace, b: Trace, alignment: Alignment) -> Relation:
    prefix = alignment.shared_prefix
    if prefix == len(a):
        return "same" if prefix == len(b) else "b goes on"
    return "a goes on" if prefix == len(b) else "diverge"


def _measured(
    a: Trace,
    b: Trace,
    alignment: Alignment,
    lm: LanguageModel,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> tuple[Floats, bool]:
    """KL(a||b), KL(b||a) and JSD, float64 [R, 3], and whether all that can be are there."""
    from tokenscope_core.comparison.divergence import divergences
    from tokenscope_core.decoding.windowed import require_one_piece

    for trace in (a, b):
        require_one_piece(trace, "The divergence was to be measured along all")
    prefix, positions = (
        alignment.shared_prefix,
        np.stack((alignment.position_a, alignment.position_b), axis=1),
    )
    columns = np.full((len(alignment), 3), np.nan)
    after_the_same = (positions[:, 0] == positions[:, 1]) & (np.arange(len(alignment)) <= prefix)
    columns[after_the_same & (positions[:, 0] > 0)] = 0.0
    wanted = (alignment.kind == "same") & (np.arange(len(alignment)) >= prefix)
    wanted &= (positions > 0).all(axis=1)
    columns[wanted] = divergences(
        lm, (a.token_ids, b.token_ids), positions[wanted], prefix, progress, cancelled
    )
    return columns, not np.isnan(columns[wanted]).any()


def _rejoin(a: Trace, b: Trace, alignment: Alignment) -> tuple[int, int] | None:
    shared = alignment.shared_prefix
    later = [r for r in alignment.runs if r.kind == "same" and r.start_a >= shared]
    for run in later:
        # What follows one pair of a run agrees if what follows the next does, but for the very
        # first word of a text, where SentencePiece leaves out the space.
        for i, j in ((run.start_a, run.start_b), (run.start_a + 1, run.start_b + 1)):
            if i < run.end_a and _ends_alike(a, int(a.byte_start[i]), b, int(b.byte_start[j])):
                return i, j
    return None


def _ends_alike(a: Trace, start_a: int, b: Trace, start_b: int) -> bool:
    """Whether the texts are the same bytes from there until one is cut off, or both end."""
    rest_a, rest_b = a.text_bytes[start_a:], b.text_bytes[start_b:]
    if not rest_a or not rest_b:
        return False
    return (
        rest_a == rest_b
        or (was_cut(a) and rest_b.startswith(rest_a))
        or (was_cut(b) and rest_a.startswith(rest_b))
    )


def was_cut(trace: Trace) -> bool:
    """Whether a run was ended from outside and might have gone on."""
    return trace.finish_reason not in ("eos", "stop")


def _rejoin_distribution(
    alignment: Alignment, jsd: Floats, threshold: float
) -> tuple[int, int] | None:
    rows = _rows_after_divergence(alignment)
    # NaN, where a first token stands, agrees with nothing.
    apart = np.flatnonzero(~(jsd[rows] <= threshold))
    rejoined = rows[int(apart[-1]) + 1 if len(apart) else 0 :]
    return _pair(alignment, rejoined[0]) if len(rejoined) else None


def _pair(alignment: Alignment, row: int) -> tuple[int, int]:
    return int(alignment.position_a[row]), int(alignment.position_b[row])


def _rows_after_divergence(alignment: Alignment) -> Ints:
    """The rows of the kind `same` that follow the first difference."""
    same = np.flatnonzero(alignment.kind == "same")
    return same[same >= alignment.shared_prefix]
