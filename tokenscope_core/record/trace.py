"""The trace: one immutable, columnar record of what the model knew at every token."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tokenscope_core.record import trace_format
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.edits import Edit
from tokenscope_core.record.html_repr import ShownAsHtml
from tokenscope_core.record.metric_registry import BY_NAME, STORED, missing_reason
from tokenscope_core.record.request import Request
from tokenscope_core.record.steps import FinishReason, Rows, latest
from tokenscope_core.record.trace_columns import ModelIdentity, TraceColumns
from tokenscope_core.record.vocabulary import Vocabulary

# Part of every key: raise it when the meaning of a stored column changes.
KEY_VERSION = 2
# Measured: a short bytes object, its place in a dictionary and its number.
_BYTES_PER_MENTIONED_TOKEN = 100


@dataclass(frozen=True, eq=False)
class Trace(TraceColumns, ShownAsHtml):
    """Everything the model knew at each of T positions, prompt included. Immutable.

    Columns are read-only arrays of length T, named as in `metric_registry`; all log quantities
    are in nats, all metrics raw unless named `sampled_`, missing values NaN. `byte_start` and
    `byte_end` are UTF-8 offsets into `text_bytes`; a special token is zero bytes wide.
    `candidate_ids` and `candidate_logprobs` are [T, K], most probable first, -1 and NaN where
    nothing precedes the token; `candidate_kept`, int8 [T, K], says which of them the token could
    have been drawn from: 1, or 0 where a penalty or filter had removed it, or -1 where the token
    was not drawn. A branch names, as `branch`, the key of the trace it forked from and
    the edit that was made to that; `request` then says how it went on. Where a prompt was edited,
    the tokens put there are part of the prompt.
    """

    @classmethod
    def from_rows(
        cls,
        request: Request,
        model: ModelIdentity,
        vocabulary: Vocabulary,
        rows: Iterable[Rows],
        finish_reason: FinishReason,
        *,
        branch: tuple[str, Edit] | None = None,
        prompt_length: int | None = None,
    ) -> Trace:
        """Join what a run produced to a trace.

        `prompt_length` is that of a branch; otherwise the prompt is what has that source.
        """
        parts = latest(rows)
        token_ids = np.concatenate([part.token_ids for part in parts])
        candidate_ids = np.concatenate([part.candidate_ids for part in parts])
        prompt_tokens = sum(len(part) for part in parts if part.source == "prompt")
        mentioned = set(token_ids.tolist()) | set(np.unique(candidate_ids).tolist()) - {-1}
        return cls(
            request=request,
            model=model,
            vocabulary=vocabulary.restricted_to(mentioned),
            prompt_length=prompt_tokens if prompt_length is None else prompt_length,
            finish_reason=finish_reason,
            token_ids=token_ids,
            source=np.repeat([part.source for part in parts], [len(part) for part in parts]),
            metrics={
                name: np.concatenate([part.metrics[name] for part in parts]) for name in STORED
            },
            candidate_ids=candidate_ids,
            candidate_logprobs=np.concatenate([part.candidate_logprobs for part in parts]),
            candidate_kept=np.concatenate([part.candidate_kept for part in parts]),
            branch=branch,
        )

    @property
    def nbytes(self) -> int:
        """About the memory it takes: its arrays, and the bytes of the tokens that it mentions."""
        mentioned = len(self.vocabulary.token_bytes) * _BYTES_PER_MENTIONED_TOKEN
        return sum(array.nbytes for array in self._arrays()) + mentioned

    def __repr__(self) -> str:
        # Escaped: a name may hold what a terminal obeys.
        model = repr(self.model.name)[1:-1]
        return (
            f"<Trace {self.key[:12]} of {model}: {self.prompt_length} prompt + "
            f"{len(self) - self.prompt_length} generated tokens, {self.finish_reason}>"
        )

    @cached_property
    def key(self) -> str:
        """Content address: a hash of the recipe, and of the tokens where the recipe was not
        followed to its end. The same for the cache, a link and an export."""
        stopped_after = self.token_ids.tolist() if self.finish_reason == "cancelled" else None
        return recipe_key(
            self.model.fingerprint, self.request, branch=self.branch, stopped_after=stopped_after
        )

    @cached_property
    def content(self) -> bytes:
        """SHA-256 of all that the trace holds, 32 bytes. `key` names a recipe, which a file from
        elsewhere, or a run still being measured, may give other figures for; this differs then."""
        digest = hashlib.sha256(self.key.encode("ascii"))
        about = (self.model, self.prompt_length, self.finish_reason, self.vocabulary.dummy_prefix)
        digest.update(repr(about).encode("utf-8", "surrogateescape"))
        for name, column in self.metrics.items():
            digest.update(name.encode("utf-8"))
            digest.update(column.tobytes())
        for array in self._arrays():
            digest.update(array.tobytes())
        for token_id, data in sorted(self.vocabulary.token_bytes.items()):
            digest.update(f"{token_id} {len(data)} ".encode("ascii"))
            digest.update(data)
        return digest.digest()

    @property
    def parent(self) -> tuple[str, int] | None:
        """(Key of the trace this one forked from, position of the fork), or None."""
        return None if self.branch is None else (self.branch[0], self.branch[1].position)

    @cached_property
    def text_bytes(self) -> bytes:
        """The exact bytes of all tokens; the last may end inside a character."""
        return b"".join(self.vocabulary.pieces(self.token_ids.tolist()))

    @property
    def text(self) -> str:
        """`text_bytes` as text, with incomplete characters replaced by U+FFFD."""
        return self.text_bytes.decode("utf-8", errors="replace")

    def column(self, name: str) -> Floats:
        """Any metric of `metric_registry`, float64 [T], stored or derived.

        Raises:
            KeyError: no metric has that name.
        """
        column: Floats = getattr(self, BY_NAME[name].name)
        return column

    def missing_reason(self, name: str, position: int) -> str:
        """Why a metric has no value at a position: a clause that a screen can show as it is."""
        return missing_reason(
            name,
            position=position,
            source=str(self.source[position]),
            measured=not np.isnan(self.logprob[position]),
            begins_window=bool(self.context_length[position] == 0),
        )

    @property
    def logprob(self) -> Floats:
        """ln p(y), nats, float64 [T]: log-softmax of the logits."""
        return self.metrics["logprob"]

    @property
    def entropy(self) -> Floats:
        """-sum p ln p over the whole vocabulary, nats, float64 [T] (Shannon 1948)."""
        return self.metrics["entropy"]

    @property
    def varentropy(self) -> Floats:
        """sum p (ln p + entropy)^2, the variance of surprisal, nats squared, float64 [T]."""
        return self.metrics["varentropy"]

    @property
    def margin(self) -> Floats:
        """Difference of the two largest probabilities, float64 [T] (Scheffer et al. 2001)."""
        return self.metrics["margin"]

    @property
    def rank(self) -> Floats:
        """1 + number of tokens more probable than the one taken, float64 [T]; GLTR's counts from 0
        (arXiv:1906.04043)."""
        return self.metrics["rank"]

    @property
    def sampled_logprob(self) -> Floats:
        """Log-probability under the processed distribution, nats, float64 [T]; sampled tokens
        only."""
        return self.metrics["sampled_logprob"]

    @property
    def elapsed_ms(self) -> Floats:
        """Wall time of the decode step, milliseconds, float64 [T]; generated tokens only."""
        return self.metrics["elapsed_ms"]

    @property
    def context_length(self) -> Floats:
        """How many tokens the model had read before this one, whole numbers, float64 [T]: its
        position, and less in the later windows of a text that is longer than the context. Missing
        in an import, and in a record made before there was this column."""
        return self.metrics["context_length"]

    @property
    def seams(self) -> Ints:
        """The positions at which another window begins to score, int64 [n], ascending; none where
        the text was read in one piece."""
        return np.flatnonzero(np.diff(self.context_length) <= 0) + 1

    @property
    def first_line(self) -> int:
        """The number of the text's first line in its file, from 1."""
        return self.request.first_line

    def unread(self, position: int) -> int:
        """How many tokens before a position, or the end, the model had not read there, as they lie
        before its window."""
        here = min(position, len(self) - 1)
        read = self.context_length[here]
        return 0 if np.isnan(read) else here - int(read)

    @property
    def prob(self) -> Floats:
        """p(y), 0 to 1, float64 [T]."""
        return np.exp(self.logprob)

    @property
    def surprisal(self) -> Floats:
        """-ln p(y), nats, float64 [T] (Hale 2001; Levy 2008)."""
        return 0.0 - self.logprob  # a certain token has surprisal 0.0, not -0.0

    @property
    def entropy_norm(self) -> Floats:
        """Entropy divided by ln of the vocabulary size, 0 to 1, float64 [T]; NaN for a vocabulary
        of one token, or of unknown size."""
        return np.asarray(self.entropy / (np.log(self.model.vocabulary_size or np.nan) or np.nan))

    @property
    def top_mass(self) -> Floats:
        """Sum of the candidates' probabilities, float64 [T], at most 1 in spite of rounding."""
        return np.asarray(np.exp(self.candidate_logprobs).sum(axis=1).clip(max=1.0))

    @property
    def top_entropy(self) -> Floats:
        """Entropy of the renormalised candidates, nats, float64 [T]."""
        shares = np.exp(self.candidate_logprobs)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = shares / shares.sum(axis=1, keepdims=True)
            terms = np.where(shares > 0, shares * np.log(shares), 0.0)
        return np.where(np.isnan(self.top_mass), np.nan, 0.0 - terms.sum(axis=1))

    @property
    def min_p_ratio(self) -> Floats:
        """p(y) divided by the largest probability, 0 to 1, float64 [T] (arXiv:2407.01082)."""
        return np.exp(self.logprob - self.candidate_logprobs[:, 0])

    @property
    def typicality(self) -> Floats:
        """Surprisal minus entropy, nats, signed, float64 [T] (arXiv:2202.00666)."""
        return self.surprisal - self.entropy

    @property
    def running_perplexity(self) -> Floats:
        """exp(mean surprisal) over the tokens up to each, without unit, float64 [T]: of those that
        have a surprisal from the first generated one on, or in all of a text of which none was
        generated. NaN before them and where a token has no surprisal. The last is the `perplexity`
        of that span."""
        start = self.prompt_length if self.prompt_length < len(self) else 0
        surprisal = self.surprisal[start:]
        known = ~np.isnan(surprisal)
        total, count = np.cumsum(np.where(known, surprisal, 0.0)), np.cumsum(known)
        running = np.full(len(self), np.nan)
        with np.errstate(over="ignore"):  # certain never to come: infinite, as its surprisal is
            running[start:][known] = np.exp(total[known] / count[known])
        return running

    def perplexity(self, start: int = 0, end: int | None = None) -> float:
        """exp(mean surprisal) over positions start to end (exclusive) that have a surprisal.

        NaN when none has.
        """
        values = self.surprisal[start:end]
        values = values[~np.isnan(values)]
        return float(np.exp(values.mean())) if len(values) else float("nan")

    def to_bytes(self) -> bytes:
        """An Arrow IPC file holding the whole trace; `from_bytes` is its inverse.

        Raises:
            RecordError: it is too large to be read back.
        """
        return trace_format.encode(self)

    @classmethod
    def from_bytes(cls, blob: bytes) -> Trace:
        """Read `to_bytes`'s output, treating it as untrusted.

        Raises:
            RecordError: the bytes are damaged or of an unknown version.
        """
        return trace_format.decode(blob, cls)


def recipe_key(
    fingerprint: str,
    request: Request,
    *,
    branch: tuple[str, Edit] | None = None,
    stopped_after: Sequence[int] | None = None,
) -> str:
    """The key a run will have, known before it runs (SHA-256, hex).

    Args:
        fingerprint: of the model.
        request: how it runs.
        branch: the key of the parent and the edit, where it branches off one.
        stopped_after: the tokens of a run that was stopped before its end.
    """
    recipe = {
        "version": KEY_VERSION,
        "model": fingerprint,
        "request": request.to_json(),
        "branch": [branch[0], branch[1].to_json()] if branch else None,
        "stopped_after": None if stopped_after is None else list(stopped_after),
    }
    canonical = json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
