"""An answer with log-probabilities, whichever engine gave it: what every reader makes."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tokenscope_core.failures import MalformedError
from tokenscope_core.record.arrays import Floats, Ints
from tokenscope_core.record.steps import FinishReason

MAX_TOKENS = 200_000
MAX_ALTERNATIVES = 2_000_000

# Where a reader listed a token, and with which log-probability.
Alternative = tuple[int, float]


class AnsweredToken(NamedTuple):
    """A token as an answer names it.

    `token_id` is None where the engine gives none. `spelled` are the exact bytes, of a special
    token its name; None where the answer does not tell the bytes. `joint` says that it stands for
    several tokens of which only the bytes together are known.
    """

    token_id: int | None
    spelled: bytes | None
    special: bool = False
    joint: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """The T tokens of an answer, prompt first where it has figures, and their alternatives.

    `tokens` lists every token once; `taken` (int64 [T]) and `alternatives` (int64 [N]) are places
    in that list. `row_start` (int64 [T + 1]) says which of the alternatives belong to which
    position. `logprob`, `rank`, `sampled_logprob` (float64 [T]) and `alternative_logprobs`
    (float64 [N], nats) are NaN where the answer does not say. `exact` lists hold the likeliest
    tokens and nothing else; others may hold the token taken in addition.

    `text` is what the answer itself says that the tokens from `text_start` on spell, None where it
    says nothing; where `text_is_part` it may leave out some of them (reasoning, calls of tools).
    `notes` are sentences about what could not be read as it stands.
    """

    model: str
    tokens: tuple[AnsweredToken, ...]
    taken: Ints
    logprob: Floats
    rank: Floats
    sampled_logprob: Floats
    row_start: Ints
    alternatives: Ints
    alternative_logprobs: Floats
    exact: bool = False
    finish_reason: FinishReason = "unknown"
    prompt_tokens: int = 0
    text: str | None = None
    text_start: int = 0
    text_is_part: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.taken)


@dataclass(slots=True)
class AnswerBuilder:
    """Collects an answer token by token, in arrays: a long answer takes 12 bytes an alternative."""

    notes: list[str] = field(default_factory=list)
    _places: dict[object, int] = field(default_factory=dict)
    _tokens: list[AnsweredToken] = field(default_factory=list)
    _taken: array[int] = field(default_factory=lambda: array("i"))
    _figures: tuple[array[float], array[float], array[float]] = field(
        default_factory=lambda: (array("d"), array("d"), array("d"))
    )
    _row_start: array[int] = field(default_factory=lambda: array("q", [0]))
    _alternatives: array[int] = field(default_factory=lambda: array("i"))
    _alternative_logprobs: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self._taken)

    def token(
        self,
        token_id: int | None,
        spelled: bytes | None,
        *,
        special: bool = False,
        joint: bool = False,
        logprob: float = math.nan,
    ) -> int:
        """The place of a token in the list.

        Without id and bytes nothing tells it from another such token but the position that comes
        next and its log-probability there.
        """
        key: object = (token_id, spelled, special, joint)
        if token_id is None and spelled is None:
            key = (len(self._taken), logprob)
        place = self._places.setdefault(key, len(self._tokens))
        if place == len(self._tokens):
            self._tokens.append(AnsweredToken(token_id, spelled, special, joint))
        return place

    def add(
        self,
        taken: int,
        logprob: float,
        alternatives: Iterable[Alternative] = (),
        *,
        rank: float = math.nan,
        sampled_logprob: float = math.nan,
    ) -> None:
        """Append a position: places and log-probabilities in nats.

        Raises:
            MalformedError: the answer is longer than is read.
        """
        for place, value in alternatives:
            self._alternatives.append(place)
            self._alternative_logprobs.append(value)
        self._taken.append(taken)
        for column, value in zip(self._figures, (logprob, rank, sampled_logprob), strict=True):
            column.append(value)
        self._row_start.append(len(self._alternatives))
        if len(self) > MAX_TOKENS:
            raise MalformedError(f"it has more than {MAX_TOKENS:,} tokens")
        if len(self._alternatives) > MAX_ALTERNATIVES:
            raise MalformedError(f"it lists more than {MAX_ALTERNATIVES:,} alternatives")

    def answer(
        self,
        model: str,
        *,
        exact: bool = False,
        finish_reason: FinishReason = "unknown",
        prompt_tokens: int = 0,
        text: str | None = None,
        text_start: int | None = None,
        text_is_part: bool = False,
    ) -> Answer:
        """All that was added.

        Args:
            model: its name.
            exact, finish_reason, prompt_tokens, text, text_is_part: as in `Answer`.
            text_start: where the text begins; default: behind the prompt.

        Raises:
            MalformedError: nothing was.
        """
        if not len(self):
            raise MalformedError("it has no log-probabilities")
        logprob, rank, sampled = (np.array(column) for column in self._figures)
        return Answer(
            model=model,
            tokens=tuple(self._tokens),
            taken=np.array(self._taken, dtype=np.int64),
            logprob=logprob,
            rank=rank,
            sampled_logprob=sampled,
            row_start=np.array(self._row_start, dtype=np.int64),
            alternatives=np.array(self._alternatives, dtype=np.int64),
            alternative_logprobs=np.array(self._alternative_logprobs, dtype=np.float64),
            exact=exact,
            finish_reason=finish_reason,
            prompt_tokens=prompt_tokens,
            text=text,
            text_start=prompt_tokens if text_start is None else text_start,
            text_is_part=text_is_part,
            notes=tuple(self.notes),
        )
