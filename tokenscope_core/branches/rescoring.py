"""Reading the rest of a text again after one token was exchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import torch

from tokenscope_core.branches.exchanges import AT_ONCE, Exchange
from tokenscope_core.branches.growing import require_same_model
from tokenscope_core.decoding.prefill import chunk_length, piece_length, read_up_to
from tokenscope_core.decoding.windowed import text_before
from tokenscope_core.models.cache_reader import CacheReader
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.models.lm_head import LazyLogits
from tokenscope_core.models.packed_reader import PackedReader, packs
from tokenscope_core.record.arrays import Floats
from tokenscope_core.record.metrics import no_numbers
from tokenscope_core.record.trace import Trace

_HEAD_ROWS = 256


GoesOn = Callable[[int, Floats], bool]
"""Asked, with the number of an exchange and what was read after it, whether to read on."""


def always(_number: int, _so_far: Floats) -> bool:
    """Read to the end, whatever was read so far, float64 [tokens read] nats."""
    return True


@dataclass(slots=True, eq=False)
class _Question:
    """An exchange in the text that the model had read there: `rest` are the tokens after it."""

    number: int
    position: int
    token_id: int
    rest: list[int]
    found: Floats = field(default_factory=lambda: np.empty(0))
    alive: bool = True

    def given(self, start: int, end: int) -> list[int]:
        """What is read to know the tokens `start` to `end` of the rest."""
        return [self.token_id, *self.rest][start:end]


class Rescorer:
    """Says how likely the rest of a trace is after other tokens.

    The text is read once; what follows an exchange is read with the keys and values before it
    shared, where the model's cache allows: many exchanges packed into one pass, or those of one
    position as a batch. Of a text in windows the rest ends with the window.

    Raises:
        RequestError: the model is not the one the trace came from.
    """

    def __init__(
        self,
        lm: LanguageModel,
        trace: Trace,
        *,
        horizon: int | None = None,
        stops: Sequence[int] = (),
        goes_on: GoesOn = always,
    ) -> None:
        """
        Args:
            lm, trace: the model, and what it wrote or scored.
            horizon: how many tokens of the rest to read; None reads all.
            stops: after how many tokens of the rest to ask `goes_on`, ascending.
            goes_on: as the type says.
        """
        require_same_model(lm, trace)
        self._lm, self._trace = lm, trace
        self._horizon = len(trace) if horizon is None else horizon
        self._stops = tuple(stop for stop in stops if stop < self._horizon)
        self._goes_on = goes_on

    def read(self, exchanges: Sequence[Exchange]) -> Iterator[tuple[int, Floats]]:
        """What was read after each exchange, by its number, those read together one after another.

        Yields (number, float64 [tokens read] nats: ln p of each token after the position, from the
        next on). Close the iterator to stop early.

        Raises:
            ModelError: the logits are not numbers.
        """
        by_window: dict[int, list[int]] = {}
        for number, exchange in enumerate(exchanges):
            by_window.setdefault(self._trace.unread(exchange.position), []).append(number)
        for numbers in by_window.values():
            yield from self._of_window(exchanges, numbers)

    def rest_end(self, position: int) -> int:
        """Where the rest after a position ends: at the horizon, its window's or the text's end."""
        return min(position + 1 + self._horizon, self._window_end(position))

    def _window_end(self, position: int) -> int:
        seams = self._trace.seams
        return int(min(seams[seams > position], default=len(self._trace)))

    def _of_window(
        self, exchanges: Sequence[Exchange], numbers: Sequence[int]
    ) -> Iterator[tuple[int, Floats]]:
        end = self._window_end(exchanges[numbers[0]].position)
        ids, unread = text_before(self._lm, self._trace, end - 1)
        ids.append(int(self._trace.token_ids[end - 1]))
        questions = []
        for number in numbers:
            place = exchanges[number].position - unread
            rest = ids[place + 1 : place + 1 + self._horizon]
            questions.append(_Question(number, place, exchanges[number].token_id, rest))
        last = max(question.position for question in questions)
        tensor = torch.tensor([ids], device=self._lm.device)
        for group in self._groups(tensor, last, questions):
            yield from ((question.number, question.found) for question in group)

    def _groups(
        self, ids: torch.Tensor, last: int, questions: Sequence[_Question]
    ) -> Iterator[Sequence[_Question]]:
        """The questions of one text, int64 [1, n], answered some at a time."""
        if self._lm.capabilities.cache != "branches":
            for question in questions:
                self._alone(ids, question)
                yield [question]
            return
        known = self._lm.prefixes.branch(ids[0, :last].tolist())
        text = known or self._lm.new_reader()
        read_up_to(self._lm, text, ids, last)
        if packs(self._lm.model, ids.shape[1] + AT_ONCE):
            for pack in self._packs(questions):
                self._packed(text, pack)
                yield pack
            return
        for position, some in groupby(questions, lambda question: question.position):
            batch = list(some)
            self._batched(text, ids, position, batch)
            yield batch

    def _packs(self, questions: Sequence[_Question]) -> Iterator[list[_Question]]:
        """As many questions at a time as are read in one pass up to the first stop."""
        pack: list[_Question] = []
        tokens = 0
        for question in questions:
            due = self._ends(len(question.rest))[0]
            if pack and tokens + due > AT_ONCE:
                yield pack
                pack, tokens = [], 0
            pack.append(question)
            tokens += due
        if pack:
            yield pack

    def _ends(self, whole: int) -> tuple[int, ...]:
        """Up to where so many tokens are read, by and by."""
        return (*(stop for stop in self._stops if stop < whole), whole)

    def _packed(self, text: CacheReader, pack: Sequence[_Question]) -> None:
        reader = PackedReader(text)
        limit = min(AT_ONCE, piece_length(self._lm))
        bounds = self._ends(max(len(question.rest) for question in pack))
        for start, end in zip([0, *bounds], bounds, strict=False):
            due = [
                (given, number, question.position + start + i, question.position, target)
                for number, question in enumerate(pack)
                if question.alive
                for i, (given, target) in enumerate(
                    zip(question.given(start, end), question.rest[start:end], strict=False)
                )
            ]
            found = [np.empty(0)]
            for at in range(0, len(due), limit):
                columns = torch.tensor(due[at : at + limit], device=text.device).T
                given, numbers, places, starts, targets = columns
                found.append(_logprobs(reader.read(given, numbers, places, starts), targets))
            of = np.array([row[1] for row in due], dtype=np.int64)
            values = np.concatenate(found)
            for number, question in enumerate(pack):
                self._take(question, values[of == number], end)

    def _batched(
        self, text: CacheReader, ids: torch.Tensor, position: int, batch: Sequence[_Question]
    ) -> None:
        """Read questions of one position side by side."""
        reader = text.branch(position, texts=len(batch)) if position else self._lm.new_reader()
        rest = ids[0, position + 1 :][: len(batch[0].rest)]
        alive = list(range(len(batch)))
        start = 0
        for end in self._ends(len(rest)):
            step = max(1, chunk_length(self._lm.identity.vocabulary_size) // len(alive))
            for at in range(start, end, step):
                until = min(at + step, end)
                given = torch.tensor(
                    [batch[row].given(at, until) for row in alive], device=text.device
                )
                logits = reader.read_rows(given)
                for row, of_row in zip(alive, logits, strict=True):
                    more = _logprobs(LazyLogits(of_row), rest[at:until])
                    batch[row].found = np.concatenate((batch[row].found, more))
            start = end
            for row in alive:
                self._take(batch[row], np.empty(0), end)
            on = [place for place, row in enumerate(alive) if batch[row].alive]
            if not on:
                return
            if len(on) < len(alive):
                reader.keep_texts(torch.tensor(on, device=text.device))
                alive = [alive[place] for place in on]

    def _alone(self, ids: torch.Tensor, question: _Question) -> None:
        """Read one question after all that comes before it, which no other shares."""
        reader = self._lm.new_reader()
        read_up_to(self._lm, reader, ids, question.position)
        step = chunk_length(self._lm.identity.vocabulary_size)
        # What cannot read on reads everything again: then a stop saves nothing.
        reads_on = self._lm.capabilities.cache == "chunks"
        start = 0
        whole = len(question.rest)
        for end in self._ends(whole) if reads_on else (whole,):
            for at in range(start, end, step):
                given = torch.tensor([question.given(at, min(at + step, end))], device=ids.device)
                targets = torch.tensor(question.rest[at : min(at + step, end)], device=ids.device)
                more = _logprobs(LazyLogits(reader.read(given)), targets)
                question.found = np.concatenate((question.found, more))
            start = end
            self._take(question, np.empty(0), end)
            if not question.alive:
                return

    def _take(self, question: _Question, more: Floats, end: int) -> None:
        """Add what was read up to a place of the rest, and settle whether to read on."""
        question.found = np.concatenate((question.found, more))
        if question.alive and end < len(question.rest) and end in self._stops:
            question.alive = self._goes_on(question.number, question.found)


@torch.inference_mode()
def _logprobs(logits: LazyLogits, targets: torch.Tensor) -> Floats:
    """ln p of tokens, int64 [n], by the logits [n, V] before each; float64 [n], nats.

    Raises:
        ModelError: the logits are not numbers.
    """
    out = [np.empty(0)]
    for at in range(0, len(targets), _HEAD_ROWS):
        some = targets[at : at + _HEAD_ROWS]
        rows = logits.rows(at, at + len(some)).float()
        chosen = rows.gather(1, some[:, None])[:, 0] - rows.logsumexp(dim=1)
        if bool(chosen.isnan().any()):
            raise no_numbers()
        out.append(chosen.cpu().numpy().astype(np.float64))
    return np.concatenate(out)
