"""A comparison of two models as pandas tables: by span, by line, in total, and by token.

Log quantities are in nats, bits per byte in bits; a value that is missing on one side is NaN and
its bytes are left out of the sums of both.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tokenscope_core.comparison.model_comparison import ModelComparison, ModelReading
from tokenscope_core.errors import RequestError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.metric_registry import NATS_PER_BIT, STORED
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.units import with_units


def span_frame(comparison: ModelComparison) -> pd.DataFrame:
    """One row a span: the bytes between two places where both models have a token boundary.

    Columns: `span`, `byte_start`, `byte_end`, `text` (U+FFFD where the bytes are no whole
    character), `text_bytes`, `line` (1-based, where it begins), `tokens_a`, `tokens_b`,
    `surprisal_a`, `surprisal_b` (sums over its tokens), `difference` (a - b),
    `bits_per_byte_a`, `bits_per_byte_b`.
    """
    text = comparison.text_bytes
    pieces = [
        text[start:end]
        for start, end in zip(
            comparison.byte_start.tolist(), comparison.byte_end.tolist(), strict=True
        )
    ]
    width = comparison.byte_end - comparison.byte_start
    return with_units(
        pd.DataFrame(
            {
                "span": np.arange(len(comparison)),
                "byte_start": comparison.byte_start,
                "byte_end": comparison.byte_end,
                "text": pd.Series([_decoded(piece) for piece in pieces], dtype="str"),
                "text_bytes": pd.Series(pieces, dtype="object"),
                "line": comparison.first_line
                + np.searchsorted(_line_ends(text), comparison.byte_start, side="right"),
                "tokens_a": comparison.a.tokens,
                "tokens_b": comparison.b.tokens,
                "surprisal_a": comparison.a.surprisal,
                "surprisal_b": comparison.b.surprisal,
                "difference": comparison.difference,
                "bits_per_byte_a": _bits_per_byte(comparison.a.surprisal, width),
                "bits_per_byte_b": _bits_per_byte(comparison.b.surprisal, width),
            }
        )
    )


def line_weights(comparison: ModelComparison) -> pd.DataFrame:
    """How a span's figures are shared out between the lines it touches: by bytes.

    One row a span and line. Columns: `span`, `line` (1-based), `bytes` (of the span in the line),
    `weight` (`bytes` by the bytes of the span; the weights of a span sum to 1). Within a span a
    model says nothing about single bytes, so this is a convention, not a measurement.
    """
    line_ends = _line_ends(comparison.text_bytes)
    edges = np.union1d(comparison.byte_end, line_ends)
    start = np.concatenate([np.zeros(1, np.int64), edges[:-1]])[: len(edges)]
    span = np.searchsorted(comparison.byte_end, start, side="right")
    width = (comparison.byte_end - comparison.byte_start)[span]
    return with_units(
        pd.DataFrame(
            {
                "span": span,
                "line": comparison.first_line + np.searchsorted(line_ends, start, side="right"),
                "bytes": edges - start,
                "weight": (edges - start) / width,
            }
        )
    )


def line_frame(comparison: ModelComparison) -> pd.DataFrame:
    """One row a line of the compared bytes; a line ends after its line feed.

    Columns: `line` (1-based), `byte_start`, `byte_end`, `text` (without its line end), `bytes`
    (those for which both models have a value), `tokens_a`, `tokens_b`, `surprisal_a`,
    `surprisal_b`, `difference` (a - b), `bits_per_byte_a`, `bits_per_byte_b`, `shared_bytes` (of
    spans that reach into another line, whose figures are shared out by `line_weights`). Where a
    line has no value of both, its figures are NaN and its `bytes` 0.
    """
    text = comparison.text_bytes
    ends = _line_ends(text)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: len(ends)]
    weights = line_weights(comparison)
    weights = weights[comparison.known[weights["span"]]]
    span, line = weights["span"].to_numpy(), weights["line"].to_numpy() - comparison.first_line

    def total(values: Floats | Ints) -> Floats:
        return np.bincount(line, weights=values, minlength=len(ends)).astype(np.float64)

    width = total(weights["bytes"].to_numpy())
    straddles = weights["weight"].to_numpy() < 1
    frame = pd.DataFrame(
        {
            "line": comparison.first_line + np.arange(len(ends)),
            "byte_start": starts,
            "byte_end": ends,
            "text": pd.Series(
                [
                    _decoded(text[start:end].removesuffix(b"\r\n").removesuffix(b"\n"))
                    for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
                ],
                dtype="str",
            ),
            "bytes": width.astype(np.int64),
        }
    )
    share = weights["weight"].to_numpy()
    known = np.where(width > 0, 1.0, np.nan)
    for name, reading in _sides(comparison):
        frame[f"tokens_{name}"] = total(share * reading.tokens[span]) * known
    for name, reading in _sides(comparison):
        frame[f"surprisal_{name}"] = total(share * reading.surprisal[span]) * known
    frame["difference"] = frame["surprisal_a"] - frame["surprisal_b"]
    for name, _ in _sides(comparison):
        frame[f"bits_per_byte_{name}"] = _bits_per_byte(
            frame[f"surprisal_{name}"].to_numpy(), width
        )
    frame["shared_bytes"] = total(weights["bytes"].to_numpy() * straddles).astype(np.int64)
    return with_units(frame)


def summary_frame(comparison: ModelComparison) -> pd.DataFrame:
    """Two rows, indexed `a` and `b`: the totals over the spans that both have a value for.

    Columns: `model`, `bytes` (the same for both), `tokens`, `surprisal` (total),
    `bits_per_byte`, `tokens_per_byte`; the figures are NaN for no bytes.
    """
    known = comparison.known
    width = (comparison.byte_end - comparison.byte_start)[known].sum()
    rows = {}
    for name, reading in _sides(comparison):
        surprisal = float(reading.surprisal[known].sum()) if width else np.nan
        tokens = int(reading.tokens[known].sum())
        rows[name] = {
            "model": reading.trace.model.name,
            "bytes": int(width),
            "tokens": tokens,
            "surprisal": surprisal,
            "bits_per_byte": surprisal / NATS_PER_BIT / width if width else np.nan,
            "tokens_per_byte": tokens / width if width else np.nan,
        }
    return with_units(pd.DataFrame.from_dict(rows, orient="index"), surprisal="nats")


def token_difference_frame(a: Trace, b: Trace) -> pd.DataFrame:
    """One row a token, for two models with the same tokenizer.

    Columns: `position`, `token_id`, `token`, `token_bytes`, `byte_start`, `byte_end`, and for every
    stored metric of `metric_registry` its value of each and the difference: `entropy_a`,
    `entropy_b`, `entropy_difference` (a - b) and so on.

    Raises:
        RequestError: the models did not read the same tokens; `span_frame` compares them then.
    """
    ids = a.token_ids.tolist()
    spelled = [a.vocabulary.token_bytes[token_id] for token_id in ids]
    same = ids == b.token_ids.tolist() and all(
        b.vocabulary.token_bytes[token_id] == data
        for token_id, data in zip(ids, spelled, strict=True)
    )
    if not same:
        raise RequestError(
            asked="Two models were to be compared token by token.",
            found="They did not read the same tokens, so neither has a figure for the other’s.",
            action="Compare them by span or by line.",
        )
    frame = pd.DataFrame(
        {
            "position": np.arange(len(a)),
            "token_id": a.token_ids,
            "token": pd.Series([_decoded(data) for data in spelled], dtype="str"),
            "token_bytes": pd.Series(spelled, dtype="object"),
            "byte_start": a.byte_start,
            "byte_end": a.byte_end,
        }
    )
    for metric in STORED:
        frame[f"{metric}_a"] = a.metrics[metric]
        frame[f"{metric}_b"] = b.metrics[metric]
        # Two certain misses (inf) have no difference, which is no error.
        with np.errstate(invalid="ignore"):
            frame[f"{metric}_difference"] = a.metrics[metric] - b.metrics[metric]
    return with_units(frame)


def _sides(comparison: ModelComparison) -> tuple[tuple[str, ModelReading], ...]:
    return ("a", comparison.a), ("b", comparison.b)


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def _line_ends(text: bytes) -> Ints:
    """Offsets after every line feed, and the end of a last line without one."""
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")).astype(np.int64) + 1
    unfinished = len(text) > 0 and not text.endswith(b"\n")
    return np.append(ends, len(text)) if unfinished else ends


def _bits_per_byte(surprisal: Floats, width: Floats | Ints) -> Floats:
    per_byte = np.divide(
        surprisal, width, out=np.full(len(surprisal), np.nan), where=np.asarray(width) > 0
    )
    return np.asarray(per_byte / NATS_PER_BIT)
