"""The one place where an answer becomes a trace, whichever engine gave it.

What an answer lacks is missing in the trace. Ids that the engine gave are kept; what has none is
numbered in the order in which it is mentioned, from `FIRST_LOCAL_ID` on where others have ids.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from tokenscope_core.failures import MalformedError
from tokenscope_core.interchange.answer import Answer, AnsweredToken
from tokenscope_core.interchange.answer_text import begins_with_dummy_space, contradiction
from tokenscope_core.interchange.fields import FIRST_LOCAL_ID
from tokenscope_core.record.arrays import NOT_DRAWN, Floats, Ints
from tokenscope_core.record.metric_registry import STORED
from tokenscope_core.record.request import MAX_CANDIDATES, Request
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.record.vocabulary import Vocabulary

MAX_CELLS = 4_000_000
_UNKNOWN = b"<bytes unknown>"


@dataclass(frozen=True, slots=True)
class Imported:
    """A trace of an engine's answer.

    `format` is what the answer was recognised as; `notes` are sentences about what could not be
    read as it stands. `needs_tokenizer` says that naming the model's tokenizer would tell bytes
    that are unknown.
    """

    trace: Trace
    format: str
    notes: tuple[str, ...] = ()
    needs_tokenizer: bool = False


def imported(answer: Answer, name: str, tokenizer: Vocabulary | None = None) -> Imported:
    """The trace of an answer.

    The model's identity says that it is imported; its fingerprint is that of all that was read. Its
    vocabulary size is the tokenizer's, or else 0: not known.

    Args:
        answer: what a reader made.
        name: of its format.
        tokenizer: all tokens of the model's tokenizer, which tell the bytes of ids.

    Raises:
        MalformedError: it is too large, or of another tokenizer.
    """
    naming = _Naming(tokenizer)
    ids = naming.ids_of(answer)
    length, token_ids = len(answer), ids[answer.taken]
    prompt = min(answer.prompt_tokens, length)
    candidate_ids, candidate_logprobs = _candidates(answer, ids)
    metrics = {metric: np.full(length, np.nan) for metric in STORED}
    metrics["logprob"], metrics["sampled_logprob"] = answer.logprob, answer.sampled_logprob
    metrics["rank"], metrics["margin"] = _decided(
        token_ids, candidate_ids, candidate_logprobs, exact=answer.exact
    )
    given = ~np.isnan(answer.rank)
    metrics["rank"][given] = answer.rank[given]
    said = answer.text
    pieces = [
        None if token.spelled is None else b"" if token.special else token.spelled
        for token in (naming.named[i] for i in token_ids[answer.text_start :].tolist())
    ]
    dummy = answer.text_start == 0 and said is not None and begins_with_dummy_space(said, pieces)
    notes = [*answer.notes, *naming.notes(token_ids)]
    if said is not None and not dummy:
        notes += contradiction(
            said, pieces, cut=answer.finish_reason == "stop", part=answer.text_is_part
        )
    mentioned = set(np.unique(candidate_ids).tolist()) | set(token_ids.tolist())
    vocabulary = naming.vocabulary(mentioned - {-1}, dummy_prefix=dummy)
    size = len(tokenizer.token_bytes) if tokenizer else 0
    trace = Trace(
        request=Request("", max_new_tokens=length - prompt, candidates=candidate_ids.shape[1]),
        model=ModelIdentity(f"{answer.model} (imported)", "0" * 64, size),
        vocabulary=vocabulary,
        prompt_length=prompt,
        finish_reason=answer.finish_reason,
        token_ids=token_ids,
        source=np.array(["prompt"] * prompt + ["sampled"] * (length - prompt), dtype=np.str_),
        metrics=metrics,
        candidate_ids=candidate_ids,
        candidate_logprobs=candidate_logprobs,
        candidate_kept=np.full(candidate_ids.shape, NOT_DRAWN, dtype=np.int8),
    )
    trace = replace(trace, model=replace(trace.model, fingerprint=_fingerprint(trace)))
    has_id = any(naming.named[i].token_id is not None for i in vocabulary.unknown_ids)
    return Imported(trace, name, tuple(notes), has_id)


@dataclass(slots=True)
class _Naming:
    """An id and bytes for each token that an answer mentions."""

    tokenizer: Vocabulary | None
    named: dict[int, AnsweredToken] = field(default_factory=dict)
    strangers: int = 0
    conflicts: int = 0

    def ids_of(self, answer: Answer) -> Ints:
        """The ids, int64, of the places in `answer.tokens`."""
        tokens = answer.tokens
        ids = np.full(len(tokens), -1, dtype=np.int64)
        # Those taken name their ids: alternatives are often spelled out of their context.
        first = np.unique(answer.taken).tolist()
        taken = set(first)
        order = [*first, *(i for i in range(len(tokens)) if i not in taken)]
        for place in order:
            token = tokens[place]
            if token.token_id is not None:
                ids[place] = self._known(token, is_taken=place in taken)
        by_bytes = self._by_bytes()
        number = FIRST_LOCAL_ID if self.named or self.tokenizer else 0
        local: dict[AnsweredToken, int] = {}
        for place in range(len(tokens)):
            if ids[place] >= 0:
                continue
            token = tokens[place]._replace(token_id=None)
            found = None
            if token.spelled is not None and not token.joint:
                found = by_bytes.get((token.spelled, token.special), local.get(token))
            if found is None:
                found, number = number, number + 1
                local[token] = found
                self.named[found] = token
            elif found not in self.named:
                self.named[found] = token
            ids[place] = found
        return ids

    def _known(self, token: AnsweredToken, *, is_taken: bool) -> int:
        """The id that the engine gave, or -1 where that stands for another token already."""
        assert token.token_id is not None
        token_id = token.token_id
        if token_id >= FIRST_LOCAL_ID:
            raise MalformedError(f"it has the token id {token_id:,}, and no vocabulary is so large")
        if self.tokenizer is not None:
            return self._in_tokenizer(token, token_id)
        held = self.named.setdefault(token_id, token)
        if held.spelled is None:
            self.named[token_id] = token
        elif is_taken and token.spelled is not None and held[1:] != token[1:]:
            self.conflicts += 1
            return -1
        return token_id

    def _in_tokenizer(self, token: AnsweredToken, token_id: int) -> int:
        assert self.tokenizer is not None
        spelled = self.tokenizer.token_bytes.get(token_id)
        if spelled is None:
            raise MalformedError(
                f"it has the token id {token_id:,}, and the tokenizer named has "
                f"{len(self.tokenizer.token_bytes):,} tokens: it is another model's"
            )
        special = token_id in self.tokenizer.special_ids
        if not special and not token.joint and token.spelled not in (None, spelled):
            self.strangers += 1
        self.named[token_id] = AnsweredToken(token_id, spelled, special)
        return token_id

    def _by_bytes(self) -> dict[tuple[bytes, bool], int]:
        """The one id that has those bytes."""
        if self.tokenizer is not None:
            special = self.tokenizer.special_ids
            pairs = [((b, i in special), i) for i, b in self.tokenizer.token_bytes.items()]
        else:
            pairs = [
                ((token.spelled, token.special), i)
                for i, token in self.named.items()
                if token.spelled is not None and not token.joint
            ]
        count = Counter(key for key, _ in pairs)
        return {key: token_id for key, token_id in pairs if count[key] == 1}

    def notes(self, token_ids: Ints) -> list[str]:
        """What is to be said of them."""
        unknown = sum(self.named[i].spelled is None for i in token_ids.tolist())
        found = []
        if unknown:
            found.append(
                f"Tokens whose bytes the answer does not tell: {unknown:,} of {len(token_ids):,}. "
                "They are not in the text. Where it gives ids, the model's tokenizer tells them."
            )
        if self.strangers:
            found.append(
                "Tokens that the tokenizer named spells otherwise than the answer does: "
                f"{self.strangers:,}. It may be another model's. Shown is what the tokenizer says."
            )
        if self.conflicts:
            found.append(
                "Tokens whose id stands for another text elsewhere in the answer: "
                f"{self.conflicts:,}. They are numbered apart."
            )
        return found

    def vocabulary(self, mentioned: set[int], *, dummy_prefix: bool) -> Vocabulary:
        """The bytes of the ids mentioned."""
        table: dict[int, bytes] = {}
        special, unknown = set(), set()
        for token_id in mentioned:
            token = self.named[token_id]
            if token.spelled is None:
                unknown.add(token_id)
                own = token.token_id is not None
                table[token_id] = f"<token {token_id}>".encode() if own else _UNKNOWN
            else:
                table[token_id] = token.spelled
                if token.special:
                    special.add(token_id)
        return Vocabulary(table, frozenset(special | unknown), dummy_prefix, frozenset(unknown))


def _candidates(answer: Answer, ids: Ints) -> tuple[Ints, Floats]:
    """Ids int64 [T, K] and log-probabilities float64 [T, K], the most probable first, each once."""
    rows = np.repeat(np.arange(len(answer)), np.diff(answer.row_start))
    known = ~np.isnan(answer.alternative_logprobs)
    rows, values = rows[known], answer.alternative_logprobs[known]
    listed = ids[answer.alternatives[known]]
    order = np.lexsort((-values, rows))
    rows, values, listed = rows[order], values[order], listed[order]
    pairs = rows * (int(listed.max(initial=0)) + 1) + listed
    once = np.sort(np.unique(pairs, return_index=True)[1])
    rows, values, listed = rows[once], values[once], listed[once]
    counts = np.bincount(rows, minlength=len(answer))
    width = max(1, int(counts.max(initial=0)))
    if width > MAX_CANDIDATES:
        raise MalformedError(f"{width} alternatives a token are listed, over {MAX_CANDIDATES}")
    if len(answer) * width > MAX_CELLS:
        raise MalformedError(f"{len(answer):,} tokens with {width} alternatives each are too many")
    columns = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    candidate_ids = np.full((len(answer), width), -1, dtype=np.int64)
    logprobs = np.full((len(answer), width), np.nan)
    candidate_ids[rows, columns], logprobs[rows, columns] = listed, values
    return candidate_ids, logprobs


def _decided(
    token_ids: Ints, candidate_ids: Ints, logprobs: Floats, *, exact: bool
) -> tuple[Floats, Floats]:
    """Rank and margin, as far as the lists decide them.

    Lists that are not `exact` may hold the token taken in addition to the likeliest: then one
    listed last says nothing about its rank.
    """
    length, width = candidate_ids.shape
    rank, margin = np.full(length, np.nan), np.full(length, np.nan)
    counts = (candidate_ids >= 0).sum(axis=1)
    own = (candidate_ids == token_ids[:, None]) & (candidate_ids >= 0)
    listed = own.any(axis=1)
    place = own.argmax(axis=1)
    here = np.arange(length)
    value = logprobs[here, place]
    last = logprobs[here, np.maximum(counts - 1, 0)]
    sure = listed & (exact | (value > last))
    with np.errstate(invalid="ignore"):
        rank[sure] = 1.0 + (logprobs > value[:, None]).sum(axis=1)[sure]
    if width > 1:
        doubtful = listed & (place < 2) & ~sure
        known = (counts > 1) & ~doubtful
        largest = np.exp(logprobs[known, :2])
        margin[known] = largest[:, 0] - largest[:, 1]
    return rank, margin


def _fingerprint(trace: Trace) -> str:
    """Of all that was read: equal answers are one trace, different ones never."""
    table = trace.vocabulary
    about = [
        "imported answer", trace.model.name, trace.model.vocabulary_size, trace.prompt_length,
        trace.finish_reason, trace.candidate_ids.shape, sorted(table.special_ids),
        sorted(table.unknown_ids), table.dummy_prefix,
        sorted((i, spelled.hex()) for i, spelled in table.token_bytes.items()),
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(about).encode("utf-8"))
    for array in (
        trace.token_ids, trace.candidate_ids, trace.candidate_logprobs, *trace.metrics.values()
    ):  # fmt: skip
        # NaN has many forms in bytes; missing is one thing.
        digest.update(np.where(np.isnan(array), np.nan, array).tobytes())
    return digest.hexdigest()
