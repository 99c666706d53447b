"""A trace, and two that are compared, as a notebook shows them."""

from __future__ import annotations

import dataclasses

import numpy as np

from tokenscope_core.comparison.comparison import Comparison
from tokenscope_core.comparison.marks import change_marks
from tokenscope_core.comparison.tables import totals
from tokenscope_core.display.formatting import (
    FINISH_WORDS,
    NOT_AVAILABLE,
    count_text,
    metric_text,
    time_words,
)
from tokenscope_core.display.painting import PaintedToken, painted_tokens
from tokenscope_core.notebook.fragments import (
    MOST_TOKENS,
    code,
    fact,
    keys,
    legend,
    output,
    row,
    table,
    text,
)
from tokenscope_core.record.arrays import Ints
from tokenscope_core.record.metric_registry import NATS_PER_BIT
from tokenscope_core.record.trace import Trace

_ALL = "ts.token_frame(trace)"


def trace_html(trace: Trace) -> str:
    """The strip of a trace tinted by surprisal, with its totals."""
    tokens, scale = painted_tokens(trace)
    figures = totals(trace)
    over = "what was generated" if figures["span"] == "generated" else "the text"
    return output(
        "Trace",
        row(
            "head",
            f"<b>Trace</b> {trace.key[:12]}",
            text(trace.model.name),
            f"{trace.prompt_length:,} prompt + {len(trace) - trace.prompt_length:,} more tokens",
            text(FINISH_WORDS[trace.finish_reason]),
            legend(scale),
        ),
        code(tokens, first_line=trace.first_line, all_of=_ALL),
        row(
            "foot",
            f"Over {over}: {fact('mean surprisal', _bits(figures['mean_surprisal']))}",
            fact("perplexity", _number(figures["perplexity"])),
            fact("mean entropy", _bits(figures["mean_entropy"])),
            fact("time", time_words(trace)) if figures["generated_tokens"] else "",
            *keys(token.flags for token in tokens),
        ),
    )


def comparison_html(comparison: Comparison) -> str:
    """Both strips with what differs marked, beginning shortly before it, and both totals."""
    sides = []
    flags: list[int] = []
    at = comparison.shared_prefix
    positions = comparison.alignment.position_a, comparison.alignment.position_b
    for name, trace, own in zip("ab", (comparison.a, comparison.b), positions, strict=True):
        tokens, scale = painted_tokens(trace)
        tokens = _marked(tokens, own, change_marks(comparison.alignment))
        flags += [token.flags for token in tokens]
        strip = code(
            tokens,
            around=at,
            most=MOST_TOKENS // 2,
            first_line=trace.first_line,
            all_of=f"ts.token_frame(comparison.{name})",
        )
        sides.append(f"<div><h4>{name.upper()} · {trace.key[:12]}</h4>{strip}</div>")
    totals_of = comparison.summary().to_dict("index")
    named = (
        ("tokens", "tokens", _count), ("changed", "changed_tokens", _count),
        ("mean surprisal", "mean_surprisal", _bits), ("perplexity", "perplexity", _number),
        ("mean entropy", "mean_entropy", _bits), ("total log-probability", "total_logprob", _bits),
    )  # fmt: skip
    rows = [
        [side.upper(), *(text(show(totals_of[side][column])) for _, column, show in named)]
        for side in ("a", "b")
    ]
    return output(
        "Comparison",
        row("head", f"<b>Comparison</b> {_relation(comparison)}", legend(scale)),
        f'<div class="sides">{"".join(sides)}</div>',
        row("foot", *keys(flags)),
        table(["", *(label for label, _, _ in named)], rows),
    )


def _marked(tokens: list[PaintedToken], own: Ints, marks: Ints) -> list[PaintedToken]:
    """The tokens of one side with the marks of the rows they stand in."""
    marked = list(tokens)
    for position, mark in zip(own[own >= 0].tolist(), marks[own >= 0].tolist(), strict=True):
        token = marked[position]
        marked[position] = dataclasses.replace(token, flags=token.flags | mark)
    return marked


def _relation(comparison: Comparison) -> str:
    shared = count_text(comparison.shared_prefix, "token")
    if comparison.relation == "same":
        return "the same tokens"
    if comparison.relation != "diverge":
        ends = "B" if comparison.relation == "a goes on" else "A"
        return f"the same up to where {ends} ends, after {shared}"
    met = "they do not meet again"
    if comparison.rejoin is not None:
        a, b = comparison.rejoin
        met = f"they meet again at position {a:,} of A, {b:,} of B"
    return f"they part after {shared}; {met}"


def _count(value: float) -> str:
    return f"{int(value):,}"


def _number(value: float) -> str:
    return NOT_AVAILABLE if np.isnan(value) else f"{value:,.3f}".replace("inf", "∞")


def _bits(nats: float) -> str:
    return metric_text("logprob", nats / NATS_PER_BIT)
