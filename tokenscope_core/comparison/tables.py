"""Comparisons of branches as pandas tables: token by token, and in total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tokenscope_core.comparison.alignment import KINDS, Alignment, align
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.metric_registry import METRICS
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.units import with_units


def row_frame(
    a: Trace, b: Trace, alignment: Alignment, divergences: Mapping[str, Floats]
) -> pd.DataFrame:
    """One row a pair of tokens, or a token that faces none.

    Columns: `kind` (`same`, `changed`, `only a`, `only b`), `position_a`, `position_b` (nullable
    integers), `token_a`, `token_b` (text; U+FFFD where the bytes are no whole character), then for
    every metric of `metric_registry` its value in each and the difference: `entropy_a`,
    `entropy_b`, `entropy_diff` (b - a) and so on (`rank` as nullable integers), then the
    `divergences`, float64 [R] in nats: `kl_ab`, `kl_ba` and `jsd`. What is missing on either side
    is missing here; so are the last three in the first row that differs where it is an insertion.
    """
    sides = {"a": (a, alignment.position_a), "b": (b, alignment.position_b)}
    columns: dict[str, Any] = {"kind": pd.Categorical(alignment.kind, categories=KINDS)}
    for side, (_, positions) in sides.items():
        known = pd.Series(positions, dtype="Int64")
        columns[f"position_{side}"] = known.mask(known < 0)
    for side, (trace, positions) in sides.items():
        columns[f"token_{side}"] = _labels(trace, positions)
    for metric in METRICS:
        values = {
            side: pd.Series(
                _at(trace.column(metric.name), positions),
                dtype="Int64" if metric.whole else "float64",
            )
            for side, (trace, positions) in sides.items()
        }
        columns[f"{metric.name}_a"], columns[f"{metric.name}_b"] = values["a"], values["b"]
        columns[f"{metric.name}_diff"] = values["b"] - values["a"]
    return with_units(pd.DataFrame(columns | dict(divergences)))


def require_one_model(traces: Sequence[Trace]) -> None:
    """Token by token only what one model wrote can be compared.

    Raises:
        RequestError: the traces come from several models.
    """
    names = {trace.model.fingerprint: trace.model.name for trace in traces}
    if len(names) > 1:
        listed = " and ".join(f"“{name}”" for name in names.values())
        raise RequestError(
            asked="Traces were to be compared token by token.",
            found=f"They come from different models, {listed}, or from different precisions of "
            "one, so their distributions do not compare.",
            action="Score one text with both and use the comparison of two models "
            "(compare_models).",
        )


def overview(traces: Sequence[Trace]) -> pd.DataFrame:
    """One row a trace, each compared with the first.

    Columns: `key`; `tokens`; `generated_tokens` (after the prompt, forced ones included); `span`:
    what the next four are over, `generated`, or `text` where nothing was generated;
    `mean_surprisal` (nats), `perplexity`, `total_logprob` (nats), `mean_entropy` (nats), over the
    positions of the span that have a distribution, NaN where none has; `timed_tokens` (those that
    have a step time), `decode_ms` (these steps together: reading the prompt is none of them) and
    `mean_step_ms`, NaN where none was recorded; `finish_reason`;
    `shared_prefix` (tokens that both it and the first begin with) and `changed_tokens` (those of
    its tokens that are not the same in the first).

    Raises:
        RequestError: no trace was given, or they come from different models.
    """
    if not traces:
        raise RequestError(
            asked="An overview of traces was to be made.",
            found="None was given.",
            action="Choose at least one branch.",
        )
    require_one_model(traces)
    first = traces[0].token_ids.tolist()
    alignments = [align(first, trace.token_ids.tolist()) for trace in traces]
    return with_units(
        pd.DataFrame(
            [_row(trace, alignment) for trace, alignment in zip(traces, alignments, strict=True)]
        )
    )


def summary_frame(a: Trace, b: Trace, alignment: Alignment) -> pd.DataFrame:
    """Two rows, indexed `a` and `b`, with the columns of `overview`, each against the other."""
    rows = [_row(trace, alignment) for trace in (a, b)]
    return with_units(pd.DataFrame(rows, index=["a", "b"]))


def totals(trace: Trace) -> dict[str, Any]:
    """The figures of one trace, as in `overview`."""
    generated = len(trace) - trace.prompt_length
    start = trace.prompt_length if generated else 0
    surprisal, entropy = trace.surprisal[start:], trace.entropy[start:]
    surprisal, entropy = surprisal[~np.isnan(surprisal)], entropy[~np.isnan(entropy)]
    known = len(surprisal) > 0
    steps = trace.elapsed_ms[~np.isnan(trace.elapsed_ms)]
    return {
        "key": trace.key,
        "tokens": len(trace),
        "generated_tokens": generated,
        "span": "generated" if generated else "text",
        "mean_surprisal": float(surprisal.mean()) if known else np.nan,
        "perplexity": trace.perplexity(start),
        "total_logprob": 0.0 - float(surprisal.sum()) if known else np.nan,
        "mean_entropy": float(entropy.mean()) if len(entropy) else np.nan,
        "timed_tokens": len(steps),
        "decode_ms": float(steps.sum()) if len(steps) else np.nan,
        "mean_step_ms": float(steps.mean()) if len(steps) else np.nan,
        "finish_reason": trace.finish_reason,
    }


def _row(trace: Trace, alignment: Alignment) -> dict[str, Any]:
    return totals(trace) | {
        "shared_prefix": alignment.shared_prefix,
        "changed_tokens": len(trace) - int((alignment.kind == "same").sum()),
    }


def _labels(trace: Trace, positions: Ints) -> pd.Series:
    label, ids = trace.vocabulary.label, trace.token_ids
    return pd.Series([label(int(ids[p])) if p >= 0 else None for p in positions], dtype="str")


def _at(column: Floats, positions: Ints) -> Floats:
    return np.where(positions >= 0, column[positions], np.nan)
