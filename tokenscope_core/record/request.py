"""What a person asks for: a prompt, how to sample, how much to record. Values only."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tokenscope_core.errors import RequestError
from tokenscope_core.failures import quoted
from tokenscope_core.record.conversation import (
    Message,
    TemplateOptions,
    moment_of,
    moment_text,
    require,
    require_unicode,
)

MAX_CANDIDATES = 200
# Dividing logits by less overflows float32.
MIN_TEMPERATURE = 1e-6
_WHOLE_NUMBERS = ("top_k", "no_repeat_ngram_size", "seed")


def _set_number(owner: Any, name: str, convert: Callable[[Any], float]) -> None:
    """Store a field as exactly int or float: equal requests must have equal JSON."""
    value = getattr(owner, name)
    try:
        if isinstance(value, (bool, str)):
            raise TypeError
        object.__setattr__(owner, name, convert(value) + 0)  # -0.0 becomes 0.0
    except (TypeError, ValueError, OverflowError):
        kind = "a whole number" if convert is operator.index else "a number"
        raise RequestError(
            asked=f"{name} was set to {quoted(value)}.",
            found=f"It must be {kind}.",
            action="Choose another value.",
        ) from None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is drawn from the model's distribution.

    `temperature` 0 is greedy: the favourite after the penalties, no randomness. Everything means
    what it means in transformers and is applied in its order: logit bias, repetition penalty,
    no-repeat n-gram, suppressed tokens, frequency and presence penalty, temperature, top-k, top-p,
    min-p, typical-p. The frequency and the presence penalty are those of the OpenAI API: from the
    logit of a token generated before they subtract, in turn, a multiple of how often it was and a
    constant. No n-gram of `no_repeat_ngram_size` tokens, prompt included, comes up twice. The
    defaults of all but the seed switch the thing off. Equal seeds give equal draws.

    `logit_bias` adds to the logits of tokens, pairs of an id and a number or a mapping; what is in
    `suppress_tokens` is never drawn. Neither changes a metric of the model's own distribution:
    they show in `sampled_logprob` and in which candidates could be drawn.

    Raises:
        RequestError: a value is not a number or out of range.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0
    typical_p: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    no_repeat_ngram_size: int = 0
    logit_bias: tuple[tuple[int, float], ...] = ()
    suppress_tokens: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in _WHOLE_NUMBERS:
            _set_number(self, name, operator.index)
        for name in NUMBERS:
            if name not in _WHOLE_NUMBERS:
                _set_number(self, name, float)
        object.__setattr__(self, "logit_bias", _bias(self.logit_bias))
        suppressed = _token_ids(self.suppress_tokens, "Tokens were to be ruled out")
        object.__setattr__(self, "suppress_tokens", suppressed)
        warm = MIN_TEMPERATURE <= self.temperature < math.inf
        for name, holds, range_ in (
            ("temperature", self.greedy or warm, f"0 (greedy), or {MIN_TEMPERATURE:f} or more"),
            ("top_k", self.top_k >= 0, "0 (off) or more"),
            ("top_p", 0.0 < self.top_p <= 1.0, "above 0, up to 1 (off)"),
            ("min_p", 0.0 <= self.min_p <= 1.0, "0 (off) to 1"),
            ("repetition_penalty", 0.0 < self.repetition_penalty < math.inf, "above 0; 1 is off"),
            ("typical_p", 0.0 < self.typical_p <= 1.0, "above 0, up to 1 (off)"),
            ("frequency_penalty", -2.0 <= self.frequency_penalty <= 2.0, "-2 to 2; 0 is off"),
            ("presence_penalty", -2.0 <= self.presence_penalty <= 2.0, "-2 to 2; 0 is off"),
            ("no_repeat_ngram_size", self.no_repeat_ngram_size >= 0, "0 (off) or more"),
            ("seed", 0 <= self.seed < 2**63, "0 or more, below 2**63"),
        ):
            require(
                holds,
                f"{name} was set to {getattr(self, name)}.",
                f"It must be {range_}.",
                "Choose a value in that range.",
            )

    @property
    def greedy(self) -> bool:
        """Whether the favourite is always taken."""
        return self.temperature == 0.0


# The settings that are one number each.
NUMBERS = tuple(f.name for f in fields(Sampling) if f.name not in ("logit_bias", "suppress_tokens"))


@dataclass(frozen=True, slots=True)
class Request:
    """One run: everything that decides its result, apart from the model.

    `candidates` is how many of the most probable tokens are recorded at each position.
    Generation ends early at an end-of-sequence token, at one of the `stop_token_ids`, or when the
    generated text contains one of the `stop` strings. With `max_new_tokens` 0 the prompt is only
    scored.

    With a `suffix` the gap between prompt and suffix is filled; the text then reads prompt, suffix,
    middle, as the model did. With `messages` the model's chat template is filled in and the prompt
    is how its answer begins, which may be empty. A template that writes today's date is told
    `moment`: a date, or a date and a time, as ISO 8601 without a time zone (`moments`); None where
    it writes none.

    With `overlap` a text that is only scored may be longer than the model's context: it is then
    read in windows, each of which begins so many tokens before the first one that it scores.

    `first_line` is the number, from 1, that the first line of the text has in the file it is part
    of: figures do not depend on it, but every line is called by its number in the file.

    With `heal` the last tokens of the prompt are taken back where a longer token could stand in
    their place, and the first that are generated spell them again (`prompts.healing`); they count
    among the new ones. `template` is what the chat template is told beside the messages.

    Raises:
        RequestError: a value is out of range, or a text is not Unicode.
    """

    prompt: str
    max_new_tokens: int = 64
    sampling: Sampling = field(default_factory=Sampling)
    candidates: int = 20
    stop: tuple[str, ...] = ()
    suffix: str | None = None
    messages: tuple[Message, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    moment: str | None = None
    overlap: int | None = None
    first_line: int = 1
    heal: bool = False
    template: TemplateOptions | None = None

    def __post_init__(self) -> None:
        for name in ("max_new_tokens", "candidates", "first_line"):
            _set_number(self, name, operator.index)
        require(
            1 <= self.first_line < 2**31,
            f"The text was to begin at line {self.first_line:,} of its file.",
            "Lines are counted from 1.",
            "Give the number of its first line there.",
        )
        require(
            not isinstance(self.stop, str),
            f"The stop strings were given as one text, {quoted(self.stop)}.",
            "They must be a sequence of texts.",
            "Put it in brackets.",
        )
        object.__setattr__(self, "stop", tuple(self.stop))
        require(
            self.max_new_tokens >= 0,
            f"{self.max_new_tokens} new tokens were asked for.",
            "The number must be 0 (score only) or more.",
            "Choose how many tokens to generate.",
        )
        require(
            1 <= self.candidates <= MAX_CANDIDATES,
            f"{self.candidates} candidates a position were asked for.",
            f"Between 1 and {MAX_CANDIDATES} can be recorded.",
            "Choose a number in that range.",
        )
        require(
            all(self.stop),
            "An empty stop string was given.",
            "Every text contains it, so nothing could be generated.",
            "Remove it.",
        )
        for text in (self.prompt, *self.stop):
            require_unicode(text)
        require(
            isinstance(self.heal, bool) and not (self.heal and self.suffix is not None),
            f"heal was set to {quoted(self.heal)}"
            + (" for a gap to be filled." if self.suffix is not None else "."),
            "It is True or False, and the end of a prompt can be healed only where the model goes "
            "on from it.",
            "Leave it out, or leave out the suffix.",
        )
        if self.suffix is not None:
            require_unicode(self.suffix)
        object.__setattr__(self, "messages", tuple(self.messages))
        require(
            not self.messages or self.suffix is None,
            "A gap was to be filled in a conversation.",
            "A prompt is laid out as one or as the other.",
            "Leave out the messages or the suffix.",
        )
        stopping = _token_ids(self.stop_token_ids, "Generation was to stop at tokens")
        object.__setattr__(self, "stop_token_ids", stopping)
        if self.moment is not None:
            require(
                bool(self.messages),
                f"The moment {str(self.moment)[:40]!r} was given for a prompt that is no "
                "conversation.",
                "Only a chat template writes one.",
                "Leave it out.",
            )
            object.__setattr__(self, "moment", _canonical_moment(self.moment))
        if self.template == TemplateOptions():
            object.__setattr__(self, "template", None)
        require(
            self.template is None or bool(self.messages),
            "Options of a chat template were given for a prompt that is no conversation.",
            "Only a chat template reads them.",
            "Leave them out.",
        )
        if self.overlap is not None:
            self._require_windows()

    def _require_windows(self) -> None:
        _set_number(self, "overlap", operator.index)
        asked = f"Windows that overlap by {self.overlap:,} tokens were asked for."
        require(
            self.overlap is not None and self.overlap >= 0,
            asked,
            "The overlap must be 0 or more.",
            "Choose how many tokens each window reads before those that it scores.",
        )
        require(
            not self.max_new_tokens and self.suffix is None and not self.messages,
            asked,
            "A plain text that is only scored can be read in windows. What generates, fills a gap "
            "or answers needs all that is before.",
            "Leave out the overlap, or score the text alone.",
        )

    def to_json(self) -> dict[str, Any]:
        """The request as plain JSON values; `from_json` is its inverse.

        What has its default value is left out, so that a field added later changes no key. The
        defaults are therefore part of the format.
        """
        values = _set_values(self)
        if "sampling" in values:
            values["sampling"] = _set_values(self.sampling)
        if "messages" in values:
            values["messages"] = [_set_values(message) for message in self.messages]
        if self.template is not None:
            values["template"] = _set_values(self.template)
        return {name: _plain(value) for name, value in values.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Request:
        """Build a request from `to_json`'s output, validating it like any other."""
        return cls(
            **{
                **values,
                "sampling": Sampling(**values.get("sampling", {})),
                "stop": tuple(values.get("stop", ())),
                "messages": tuple(Message(**message) for message in values.get("messages", ())),
                "stop_token_ids": tuple(values.get("stop_token_ids", ())),
                "template": TemplateOptions(**values["template"]) if "template" in values else None,
            }
        )


def _canonical_moment(value: Any) -> str:
    """Equal moments are equal texts."""
    try:
        return moment_text(moment_of(value))
    except (TypeError, ValueError):
        raise RequestError(
            asked=f"The moment of a conversation was given as {str(value)[:40]!r}.",
            found="It must be a date, or a date and a time, as ISO 8601 and without a time zone.",
            action="Write it like 2026-11-30 or 2026-11-30T14:05.",
        ) from None


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _bias(values: Any) -> tuple[tuple[int, float], ...]:
    """Pairs by ascending id; those that add nothing are left out."""
    pairs = values.items() if isinstance(values, Mapping) else values
    try:
        bias = {operator.index(token_id): float(number) for token_id, number in pairs}
        if not all(map(_is_token_id, bias)) or not all(map(math.isfinite, bias.values())):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise RequestError(
            asked=f"logit_bias was set to {quoted(values)}.",
            found="It must say a number, which is finite, for each of some token ids.",
            action="Give pairs such as (13, -5.0); what is never to be drawn goes into "
            "suppress_tokens.",
        ) from None
    return tuple((token_id, bias[token_id]) for token_id in sorted(bias) if bias[token_id])


def _token_ids(values: Iterable[Any], asked: str) -> tuple[int, ...]:
    """Ascending, each once: neither order nor repetition decides anything."""
    require(
        isinstance(values, Iterable) and all(map(_is_token_id, values := tuple(values))),
        f"{asked}: {quoted(values)}.",
        "Token ids are whole numbers, 0 or more.",
        "Give a sequence of them.",
    )
    return tuple(sorted({int(value) for value in values}))


def _is_token_id(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and operator.index(value) >= 0
    except TypeError:
        return False


def _set_values(record: Any) -> dict[str, Any]:
    """The fields of a dataclass that do not have their default value."""
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    defaults = {
        f.name: f.default_factory() if callable(f.default_factory) else f.default
        for f in fields(record)
    }
    return {name: value for name, value in values.items() if value != defaults[name]}
