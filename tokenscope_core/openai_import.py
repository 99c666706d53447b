"""Traces out of the log-probabilities that OpenAI's API, and servers that speak it, answer with.

Such an answer has no prompt, no token ids and no entropy: what it lacks is missing in the trace.
Tokens are numbered as they are mentioned. Whether the figures are those of the raw distribution is
up to the server that gave them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenscope_core.errors import RecordError
from tokenscope_core.failures import MalformedError, reason_of
from tokenscope_core.metric_registry import STORED
from tokenscope_core.openai_answers import Answer, Answered, answer_of
from tokenscope_core.recipe_format import require_flat
from tokenscope_core.request import MAX_CANDIDATES, Request
from tokenscope_core.steps import NOT_DRAWN, FinishReason, Vocabulary
from tokenscope_core.trace import ModelIdentity, Trace

MAX_BYTES = 64 * 1024**2
# One long list of alternatives widens the table for every token: the most tokens with the API's 20.
_MAX_CELLS = 4_000_000

_FINISHED: dict[str, FinishReason] = {
    "stop": "stop", "length": "length", "tool_calls": "stop", "function_call": "stop",
}  # fmt: skip


def import_openai_logprobs(source: str | bytes | Mapping[str, Any], *, choice: int = 0) -> Trace:
    """The trace of an answer with log-probabilities.

    Read are chat completions (`choices[].logprobs.content`), legacy completions (`tokens`,
    `token_logprobs`, `top_logprobs`), the Responses API (`output[].content[].logprobs`), and either
    of the first two `logprobs` objects alone. -9999, by which OpenAI says that a token is beyond
    the likeliest, is a missing value. Rank and margin are set where the listed alternatives decide
    them: many servers list the token taken though it is not among the likeliest, so that one listed
    last says nothing about its rank.

    The model's identity says that it is imported; its fingerprint is that of the answer itself and
    its vocabulary size the number of tokens mentioned. `prompt_length` is 0, or for an echoed
    prompt what `usage` says.

    Args:
        source: JSON, or what it parses to.
        choice: which of several choices.

    Raises:
        RecordError: it is no such answer, or has no log-probabilities.
    """
    try:
        if isinstance(source, (str, bytes)):
            if len(source) > MAX_BYTES:
                raise MalformedError(f"it has {len(source):,} bytes, and {MAX_BYTES:,} are read")
            written = source.encode("utf-8") if isinstance(source, str) else source
            require_flat(written)
            source = json.loads(written)
        return _trace_of(answer_of(source, choice))
    except (
        LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError,
    ) as error:  # fmt: skip
        raise RecordError(
            asked="Log-probabilities in OpenAI's format were to be imported.",
            found=f"The file cannot be used: {reason_of(error)}.",
            action="Ask the API for them with logprobs=true and top_logprobs, and save the whole "
            "response.",
        ) from error


@dataclass(slots=True)
class _Numbering:
    """Ids for tokens in the order in which they are mentioned."""

    ids: dict[tuple[bytes, bool], int]

    def __call__(self, token: Answered) -> int:
        return self.ids.setdefault((token.spelled, token.special), len(self.ids))

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(
            {token_id: spelled for (spelled, _), token_id in self.ids.items()},
            frozenset(token_id for (_, special), token_id in self.ids.items() if special),
        )


def _trace_of(answer: Answer) -> Trace:
    number = _Numbering({})
    length = len(answer.tokens)
    token_ids = np.array([number(token) for token in answer.tokens], dtype=np.int64)
    rows = [_ordered([(number(t), t.logprob) for t in row]) for row in answer.alternatives]
    width = max(1, *map(len, rows))
    if width > MAX_CANDIDATES:
        raise MalformedError(f"{width} alternatives a token are listed, over {MAX_CANDIDATES}")
    if length * width > _MAX_CELLS:
        raise MalformedError(f"{length:,} tokens with {width} alternatives each are too many")
    candidate_ids = np.full((length, width), -1, dtype=np.int64)
    candidate_logprobs = np.full((length, width), np.nan)
    metrics = {name: np.full(length, np.nan) for name in STORED}
    metrics["logprob"] = np.array([token.logprob for token in answer.tokens])
    for position, row in enumerate(rows):
        candidate_ids[position, : len(row)] = [token_id for token_id, _ in row]
        candidate_logprobs[position, : len(row)] = [logprob for _, logprob in row]
        taken = int(token_ids[position])
        metrics["rank"][position], metrics["margin"][position] = _decided(taken, row)
    prompt = answer.prompt_tokens
    return Trace(
        request=Request("", max_new_tokens=length - prompt, candidates=width),
        model=ModelIdentity(f"{answer.model} (imported)", _fingerprint(answer), len(number.ids)),
        vocabulary=number.vocabulary(),
        prompt_length=prompt,
        finish_reason=_FINISHED.get(str(answer.finish_reason), "cancelled"),
        token_ids=token_ids,
        source=np.array(["prompt"] * prompt + ["sampled"] * (length - prompt), dtype=np.str_),
        metrics=metrics,
        candidate_ids=candidate_ids,
        candidate_logprobs=candidate_logprobs,
        candidate_kept=np.full((length, width), NOT_DRAWN, dtype=np.int8),
    )


def _ordered(row: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The alternatives that have a value, most probable first, each once."""
    best: dict[int, float] = {}
    for token_id, logprob in sorted(row, key=lambda one: -one[1]):
        if not math.isnan(logprob):
            best.setdefault(token_id, logprob)
    return list(best.items())


def _decided(taken: int, row: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Rank and margin, as far as a list decides them that may hold the taken token in addition to
    the likeliest."""
    own = dict(row).get(taken)
    sure = [p for i, p in row if i != taken or p > row[-1][1]]
    among = own is not None and own > row[-1][1]
    rank = 1.0 + sum(p > own for _, p in row) if among and own is not None else math.nan
    known = len(sure) > 1 and [p for _, p in row[:2]] == sure[:2]
    return rank, math.exp(sure[0]) - math.exp(sure[1]) if known else math.nan


def _fingerprint(answer: Answer) -> str:
    """Of all that was read: equal answers are one trace, different ones never."""
    tokens = [
        [[t.spelled.hex(), t.special, None if math.isnan(t.logprob) else t.logprob] for t in row]
        for row in (answer.tokens, *answer.alternatives)
    ]
    content = ["imported logprobs", answer.model, answer.prompt_tokens, tokens]
    return hashlib.sha256(json.dumps(content).encode("utf-8")).hexdigest()
