"""A comparison in words: what both begin with, where they part, where they meet again."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from tokenscope_core import Comparison, Trace
from tokenscope_core.comparison.comparison import was_cut
from tokenscope_core.display.formatting import (
    FINISH_WORDS,
    NOT_AVAILABLE,
    count_text,
    difference_text,
    metric_text,
)
from tokenscope_core.display.scales import LogUnit
from tokenscope_core.record.metric_registry import NATS_PER_BIT
from tokenscope_ui.trace.sampled_choices import token_code

DIFFERENCE = "B\u00a0−\u00a0A"


def in_words(comparison: Comparison) -> list[str]:
    """Sentences as Markdown, each for a line of its own."""
    sentences = [_beginning(comparison)]
    if comparison.relation == "diverge":
        sentences += [_rejoining(comparison), _changes(comparison)]
        moved = _distributions(comparison)
        if moved:
            sentences.append(moved)
    return sentences


def _beginning(comparison: Comparison) -> str:
    a, b, shared = comparison.a, comparison.b, comparison.shared_prefix
    begin = f"They share the first {count_text(shared, 'token')}"
    match comparison.relation:
        case "same":
            return f"They are the same {count_text(len(a), 'token')}."
        case "a goes on":
            return f"{begin}, all of **B**; **A** goes on {_onward(a, shared)}."
        case "b goes on":
            return f"{begin}, all of **A**; **B** goes on {_onward(b, shared)}."
    against = f"{token_code(a, shared)} in **A** against {token_code(b, shared)} in **B**"
    if not shared:
        return f"They differ from the first token on: {against}."
    return f"{begin} and part at **position {shared:,}**: {against}."


def _onward(trace: Trace, start: int) -> str:
    more = count_text(len(trace) - start, "token")
    return f"for {more}, from position {start:,} on with {token_code(trace, start)}"


def _rejoining(comparison: Comparison) -> str:
    if comparison.rejoin is None:
        return "They do not meet again in text."
    i, j = comparison.rejoin
    where = f"position {i:,}" if i == j else f"position {i:,} of **A** and {j:,} of **B**"
    shared = count_text(comparison.rejoined_tokens, "token")
    return (
        f"They meet again in text at **{where}**, {token_code(comparison.a, i)}, and share "
        f"{shared} from there, {_rejoined_until(comparison, i, j)}."
    )


def _rejoined_until(comparison: Comparison, i: int, j: int) -> str:
    """How far they are the same, and whether that is where a run ended that might have gone on."""
    a, b = comparison.a, comparison.b
    rest_a = len(a.text_bytes) - int(a.byte_start[i])
    rest_b = len(b.text_bytes) - int(b.byte_start[j])
    if rest_a != rest_b:
        name, shorter = ("A", a) if rest_a < rest_b else ("B", b)
        words = FINISH_WORDS[shorter.finish_reason] if _might_go_on(shorter) else "only read"
        return f"until **{name}** ended ({words})"
    cut = [name for name, trace in (("A", a), ("B", b)) if _might_go_on(trace)]
    if not cut:
        return "to the end of both"
    if len(cut) == 2:
        return "to where both runs ended; what would have followed may differ"
    words = FINISH_WORDS[(a if cut == ["A"] else b).finish_reason]
    return f"to the end of both; the run of **{cut[0]}** ended there ({words})"


def _might_go_on(trace: Trace) -> bool:
    """Whether more was to be generated when the run ended."""
    return was_cut(trace) and trace.request.max_new_tokens > 0


def _changes(comparison: Comparison) -> str:
    kinds = comparison.alignment.kind[comparison.shared_prefix :]
    counts = {kind: int((kinds == kind).sum()) for kind in ("same", "changed", "only a", "only b")}
    return (
        f"From where they part on, {count_text(counts['changed'], 'token')} "
        f"{_verb(counts['changed'], 'is', 'are')} changed, {counts['only a']:,} "
        f"{_verb(counts['only a'], 'stands', 'stand')} only in **A**, {counts['only b']:,} only in "
        f"**B**, and {counts['same']:,} {_verb(counts['same'], 'is', 'are')} the same."
    )


def _verb(count: int, of_one: str, of_more: str) -> str:
    return of_one if count == 1 else of_more


def _distributions(comparison: Comparison) -> str:
    threshold = f"{comparison.threshold:g} nats"
    if comparison.measured == "some":
        return (
            "The measurement was stopped, so it is not known where they meet again in distribution."
        )
    if comparison.measured == "none" or not comparable_rows(comparison):
        return ""
    if comparison.rejoin_distribution is None:
        return (
            "They do not meet again in distribution: at the last token both have, the model’s "
            f"expectations still differ by more than {threshold} (Jensen-Shannon)."
        )
    i, j = comparison.rejoin_distribution
    where = f"position {i:,}" if i == j else f"position {i:,} of **A** and {j:,} of **B**"
    return (
        f"They meet again in distribution at **{where}**, {token_code(comparison.a, i)}: from "
        f"there on, before {_every_token(comparison, i)}, the model’s expectations differ by at "
        f"most {threshold} (Jensen-Shannon)."
    )


def _every_token(comparison: Comparison, i: int) -> str:
    alignment = comparison.alignment
    count = int(((alignment.kind == "same") & (alignment.position_a >= i)).sum())
    return "the last token both have" if count == 1 else f"all {count:,} tokens both have"


def comparable_rows(comparison: Comparison) -> int:
    """Before how many tokens after the parting the model's distributions can be compared."""
    return int((comparison.alignment.kind[comparison.shared_prefix :] == "same").sum())


def measured_rows(comparison: Comparison) -> int:
    """Before how many of those tokens they were compared."""
    rest = slice(comparison.shared_prefix, None)
    same = comparison.alignment.kind[rest] == "same"
    return int((same & ~np.isnan(comparison.jsd[rest])).sum())


def summary_table(comparison: Comparison, unit: LogUnit) -> pd.DataFrame:
    """The totals of A, of B, and their difference, as texts: one row each."""
    summary = comparison.summary()
    a, b = summary.to_dict("records")
    table = pd.DataFrame([_row("A", a, unit), _row("B", b, unit), _difference(a, b, unit)])
    span = set(summary["span"])
    of = "generated tokens" if span == {"generated"} else "the text"
    if len(span) > 1:
        of = "what was generated, else the text"
    return table.rename(columns={"mean surprisal": f"mean surprisal of {of}"})


def _row(name: str, row: dict[Hashable, Any], unit: LogUnit) -> dict[str, str]:
    return {
        "text": name,
        "tokens": f"{row['tokens']:,}",
        "generated": f"{row['generated_tokens']:,}",
        "mean surprisal": metric_text("surprisal", _log(row["mean_surprisal"], unit), unit),
        "perplexity": NOT_AVAILABLE
        if math.isnan(row["perplexity"])
        else f"{row['perplexity']:,.2f}",
        "log-probability": metric_text("logprob", _log(row["total_logprob"], unit), unit),
        "mean entropy": metric_text("entropy", _log(row["mean_entropy"], unit), unit),
        "not in the other": f"{row['changed_tokens']:,}",
        "ended": FINISH_WORDS[row["finish_reason"]] if row["generated_tokens"] else "only read",
    }


def _difference(a: dict[Hashable, Any], b: dict[Hashable, Any], unit: LogUnit) -> dict[str, str]:
    def of(name: str, metric: str) -> str:
        return difference_text(metric, _log(b[name] - a[name], unit), unit)

    def counted(name: str) -> str:
        return difference_text("rank", float(b[name] - a[name]))

    perplexity = b["perplexity"] - a["perplexity"]
    return {
        "text": DIFFERENCE,
        "tokens": counted("tokens"),
        "generated": counted("generated_tokens"),
        "mean surprisal": of("mean_surprisal", "surprisal"),
        "perplexity": NOT_AVAILABLE
        if math.isnan(perplexity)
        else f"{perplexity:+,.2f}".replace("-", "−"),
        "log-probability": of("total_logprob", "logprob"),
        "mean entropy": of("mean_entropy", "entropy"),
        "not in the other": "",
        "ended": "",
    }


def _log(nats: float, unit: LogUnit) -> float:
    return float(nats / NATS_PER_BIT if unit == "bits" else nats)
