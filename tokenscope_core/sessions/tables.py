"""A session as a pandas table, for drawing its tree."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from tokenscope_core.comparison.tables import totals
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.units import with_units
from tokenscope_core.sessions.session import Session


def tree_frame(session: Session, traces: Mapping[str, Trace]) -> pd.DataFrame:
    """One row a branch, as in `Session.walk`: a branch, then each of its children with all below.

    Columns: `key`, `parent` (key), `name`, `note`, `colour`, `selected`, `depth` (0 for the root),
    `fork_position` (where it leaves its parent), `shared_prefix` (tokens that both it and its
    parent begin with; more than `fork_position` where it takes the same tokens for a while),
    `forced` (the text that was put there; U+FFFD where the bytes are no whole character), then
    `tokens`, `generated_tokens`, `span`, `mean_surprisal`, `perplexity`, `total_logprob`,
    `mean_entropy` and `finish_reason` as in `comparison.tables.overview`.

    Args:
        session: the tree.
        traces: those at hand, by key; what takes the trace of another branch is missing.
    """
    depth: dict[str | None, int] = {None: -1}
    rows = []
    for key in session.walk():
        branch, trace = session.branch(key), traces.get(key)
        depth[key] = depth[branch.parent] + 1
        parent = traces.get(branch.parent) if branch.parent else None
        rows.append(
            {
                "key": key,
                "parent": branch.parent,
                "name": branch.name,
                "note": branch.note,
                "colour": branch.colour,
                "selected": key == session.current,
                "depth": depth[key],
                "fork_position": branch.edit.position if branch.edit else None,
                "shared_prefix": _shared(trace, parent)
                if trace is not None and parent is not None
                else None,
                "forced": _forced(trace) if trace is not None else None,
                **({} if trace is None else totals(trace)),
            }
        )
    columns = [
        "key", "parent", "name", "note", "colour", "selected", "depth", "fork_position",
        "shared_prefix", "forced", "tokens", "generated_tokens", "span", "mean_surprisal",
        "perplexity", "total_logprob", "mean_entropy", "finish_reason",
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    counts = ["fork_position", "shared_prefix", "tokens", "generated_tokens"]
    texts = ["key", "parent", "name", "note", "forced", "span", "finish_reason"]
    figures = ["mean_surprisal", "perplexity", "total_logprob", "mean_entropy"]
    return with_units(
        frame.astype(
            dict.fromkeys(counts, "Int64")
            | dict.fromkeys(texts, "str")
            | dict.fromkeys(figures, float)
        )
    )


def _shared(trace: Trace, parent: Trace) -> int:
    length = min(len(trace), len(parent))
    differs = trace.token_ids[:length] != parent.token_ids[:length]
    return int(differs.argmax()) if differs.any() else length


def _forced(trace: Trace) -> str:
    if trace.branch is None:
        return ""
    edit = trace.branch[1]
    table = trace.vocabulary.token_bytes
    ids = trace.token_ids[edit.position : edit.next_position].tolist()
    return b"".join(table[i] for i in ids).decode("utf-8", errors="replace")
