"""The decode loop: choose a token, record it, read it, one step a token.

A branch often goes on as its parent did. What the parent went on with is then read ahead of the
choice, in blocks that grow while it holds: the tokens chosen are those that single steps choose,
and a whole block costs little more than one step (as in speculative decoding, arXiv:2211.17192,
with the parent for a draft).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch

from tokenscope_core.decoding.recording import drawn_rows
from tokenscope_core.decoding.sampling import Choice, Sampler
from tokenscope_core.decoding.stopping import StopMatcher
from tokenscope_core.models.arithmetic import arithmetic_of
from tokenscope_core.models.cache_reader import CacheReader
from tokenscope_core.models.known_tokens import require_known_tokens
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.prompts.healing import Healing, Respelling
from tokenscope_core.prompts.token_ids import end_ids, healing_of
from tokenscope_core.record.metrics import Distributions
from tokenscope_core.record.request import Request
from tokenscope_core.record.steps import FinishReason, Rows

_MOST_AHEAD = 32


class Guess:
    """What a text may go on with, and how far ahead of the choice it is worth reading."""

    def __init__(self, token_ids: Sequence[int]) -> None:
        self._waiting = list(token_ids)
        self._ahead = 2

    def ahead(self, room: int) -> list[int]:
        """The next tokens to read before they are chosen, at most `room` of them."""
        return self._waiting[: min(self._ahead, room)]

    def settle(self, chosen: Sequence[int], read_ahead: int) -> None:
        """Compare with what was chosen, of which `read_ahead` tokens had been read.

        A block twice as long follows one that held, one as long as what held follows one that
        did not, and none follows a block that was wrong at once, until a token agrees again.
        """
        agreed = sum(a == b for a, b in zip(chosen, self._waiting, strict=False))
        held = agreed == len(chosen)
        del self._waiting[: len(chosen)]
        if held:
            self._ahead = max(1, min(_MOST_AHEAD, 2 * max(read_ahead, self._ahead)))
        else:
            self._ahead = len(chosen) - 1


def continue_text(
    lm: LanguageModel,
    reader: CacheReader,
    token_ids: Sequence[int],
    logits: torch.Tensor,
    request: Request,
    *,
    prompt_length: int,
    guess: Sequence[int] = (),
) -> Iterator[Rows]:
    """Generate, yielding what was drawn as soon as it is known; the last rows name the reason.

    Args:
        lm: the model.
        reader: has read the text.
        token_ids: the text.
        logits: [1, V], after its last token; any float dtype.
        request: how to choose, and when to stop.
        prompt_length: how much of the text is its prompt.
        guess: what it may go on with. Of use in single precision only: half precision and
            quantised weights have ties that a block decides otherwise than a step.
    """
    start, count = len(token_ids), request.max_new_tokens
    ids = torch.empty((1, start + count), dtype=torch.long, device=lm.device)
    ids[0, :start] = torch.tensor(token_ids)
    chooser = Chooser(lm, request, ids, prompt_length)
    sure = lm.capabilities.cache == "branches" and arithmetic_of(lm.model).single
    guesses = Guess(guess if sure else ())
    position, end = start, start + count
    read_ahead: list[int] = []
    began = time.perf_counter()
    while True:
        with torch.inference_mode():
            distributions = Distributions(logits, request.candidates)
            choices, finish = chooser.choose(distributions, position, read_ahead)
            taken = ids[0, position : position + len(choices)]
            measures = distributions.measure(taken)
        position += len(choices)
        if finish is None and position == end:
            finish = "length"
        now = time.perf_counter()
        yield drawn_rows(
            choices,
            measures,
            start=position - len(choices),
            elapsed_ms=1000.0 * (now - began) / len(choices),
            finish_reason=finish,
        )
        if finish is not None:
            return
        require_known_tokens(lm, (choices[-1].token_id,), "What was drawn")
        began = time.perf_counter()
        if len(choices) <= len(read_ahead):
            reader.rewind(position - 1)
        guesses.settle([choice.token_id for choice in choices], len(read_ahead))
        read_ahead = guesses.ahead(end - position - 1)
        following = torch.tensor([read_ahead], dtype=torch.long, device=lm.device)
        logits = reader.read(torch.cat((taken[-1:].unsqueeze(0), following), dim=1))


class Ending:
    """Says of each token of a text after its prompt, one after another, whether it ends there."""

    def __init__(self, lm: LanguageModel, request: Request, healing: Healing | None = None) -> None:
        """
        Args:
            lm: the model.
            request: what ends a text.
            healing: of its prompt; what is spelled again is no end.
        """
        self._vocabulary = lm.vocabulary
        self._of_prompt = len(healing.rest) if healing is not None else 0
        self._end_ids = end_ids(lm, request)
        self._stop_token_ids = request.stop_token_ids
        self._matcher = StopMatcher(request.stop)

    def by(self, token_id: int) -> FinishReason | None:
        """Why the text ends with this token; None where it goes on."""
        if token_id in self._end_ids:
            return "eos"
        if token_id in self._stop_token_ids:
            return "stop"
        if token_id in self._vocabulary.special_ids:
            return None
        data = self._vocabulary.token_bytes[token_id]
        written = data[self._of_prompt :]
        self._of_prompt = max(0, self._of_prompt - len(data))
        return "stop" if self._matcher.feed(written) else None


class Chooser:
    """Chooses tokens for one text, writing them into `ids`, and notices its end.

    `ids` are token ids, int64 [1, n], on the model's device: those of the text so far, the first
    `prompt_length` its prompt, and room for the `max_new_tokens` of the request.
    """

    def __init__(
        self, lm: LanguageModel, request: Request, ids: torch.Tensor, prompt_length: int
    ) -> None:
        self._ids = ids
        self._sampler = Sampler(request.sampling, prompt_length)
        healing = healing_of_run(lm, request)
        self._ending = Ending(lm, request, healing)
        self._respelling = None if healing is None else Respelling(healing)
        for token_id in ids[0, prompt_length : ids.shape[1] - request.max_new_tokens].tolist():
            self._goes_on(token_id)

    def choose(
        self, distributions: Distributions, position: int, read_ahead: Sequence[int]
    ) -> tuple[list[Choice], FinishReason | None]:
        """The tokens from a position on, as long as they are those that had been read ahead and
        one more, and why the text ends with the last of them."""
        favourites = distributions.favourites() if self._sampler.takes_favourite else None
        choices: list[Choice] = []
        finish = None
        for i in range(len(read_ahead) + 1):
            allowed = None if self._respelling is None else self._respelling.allowed()
            if favourites is not None and allowed is None:
                choice = Choice(favourites[i])
            else:
                choice = self._sampler.choose(
                    distributions.logits[i : i + 1],
                    self._ids[:, : position + i],
                    position + i,
                    allowed,
                )
            choices.append(choice)
            self._ids[0, position + i] = choice.token_id
            finish = self._goes_on(choice.token_id)
            if finish is not None or [choice.token_id] != read_ahead[i : i + 1]:
                break
        return choices, finish

    def _goes_on(self, token_id: int) -> FinishReason | None:
        """Take note of a token of the text; why it ends there, where it does."""
        if self._respelling is not None:
            self._respelling.feed(token_id)
        return self._ending.by(token_id)


def healing_of_run(lm: LanguageModel, request: Request) -> Healing | None:
    """What a run takes back of its prompt and spells again; None where it does not."""
    if not request.heal:
        return None
    return healing_of(lm.tokenizer, lm.vocabulary, request, lm.identity.name)
