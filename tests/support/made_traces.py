"""Traces made by hand, token by token: no model runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import tokenscope_core as ts
from tokenscope_core.record.metric_registry import STORED
from tokenscope_core.record.steps import FinishReason
from tokenscope_core.record.vocabulary import Vocabulary

END = "<end>"
_IDS: dict[str, int] = {END: 0}
MODEL = ts.ModelIdentity("made by hand", "fingerprint", 1000)


def token_id(word: str) -> int:
    """The id of a token, the same wherever it occurs."""
    return _IDS.setdefault(word, len(_IDS))


def made(
    words: Sequence[str],
    *,
    prompt_length: int = 1,
    finish_reason: FinishReason = "length",
    branch: tuple[str, ts.Edit] | None = None,
    model: ts.ModelIdentity = MODEL,
    request: ts.Request | None = None,
    surprisal: float = 1.0,
) -> ts.Trace:
    """A trace of these tokens, each of the same surprisal but for the first, which has none."""
    ids, length = [token_id(word) for word in words], len(words)
    logprob = np.full(length, -surprisal)
    logprob[0] = np.nan
    forced = range(branch[1].position, branch[1].next_position) if branch else ()
    after = ["forced" if i in forced else "sampled" for i in range(prompt_length, length)]
    return ts.Trace(
        request=request or ts.Request(" ".join(words[:prompt_length]), length - prompt_length),
        model=model,
        vocabulary=Vocabulary({i: w.encode() for w, i in _IDS.items()}, frozenset({0})),
        prompt_length=prompt_length,
        finish_reason=finish_reason,
        token_ids=np.array(ids, dtype=np.int64),
        source=np.array(["prompt"] * prompt_length + after, dtype=np.str_),
        metrics={n: logprob.copy() if n.endswith("logprob") else -logprob for n in STORED}
        | {"context_length": np.arange(length, dtype=np.float64)},
        candidate_ids=np.where(np.isnan(logprob), -1, 0)[:, None],
        candidate_logprobs=logprob[:, None].copy(),
        candidate_kept=np.full((length, 1), -1, dtype=np.int8),
        branch=branch,
    )


def forked(
    parent: ts.Trace,
    position: int,
    words: Sequence[str],
    rest: Sequence[str] = (),
    removed: int = 1,
) -> ts.Trace:
    """A branch in which words were put at a position, after which the model wrote the rest."""
    before = [parent.vocabulary.label(i) for i in parent.token_ids[:position].tolist()]
    edit = ts.Edit(position, tuple(map(token_id, words)), removed=removed, writes_on=True)
    return made(
        [*before, *words, *rest],
        prompt_length=parent.prompt_length,
        branch=(parent.key, edit),
        model=parent.model,
        request=parent.request,
    )
