"""A link to what two models made of one text: the request that both ran, and which they are.

Version 2 of the payload holds `models`, `request` and `view`. As in a link to a session there are
no figures in it: whoever opens it has the two traces, or computes them again, to the same keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tokenscope_core.errors import RequestError
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.record.request import Request
from tokenscope_core.record.trace import Trace, recipe_key
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.sessions.recipe_format import model_of
from tokenscope_core.sessions.screen_state import View, view_of, view_values
from tokenscope_core.sharing import payload as share_payload
from tokenscope_core.sharing.format import choice_of, shared_model_values

_VERSION = 2


@dataclass(frozen=True, slots=True)
class ReadingModel:
    """A model that read the text: which, and how it is loaded, by name and precision."""

    model: ModelIdentity
    choice: ModelChoice


@dataclass(frozen=True, slots=True)
class SharedReadings:
    """A text that two models scored: the request that both ran, the two, what else was on screen.

    Raises:
        RequestError: the request generates something.
    """

    request: Request
    readers: tuple[ReadingModel, ReadingModel]
    view: Mapping[str, View]

    def __post_init__(self) -> None:
        if self.request.max_new_tokens:
            raise RequestError(
                asked="What two models made of one text was to be shared.",
                found="One of them generated something, which is no text that both read.",
                action="Score one text with both models.",
            )

    @property
    def keys(self) -> tuple[str, str]:
        """The keys of the traces that the runs of the two have."""
        a, b = (recipe_key(one.model.fingerprint, self.request) for one in self.readers)
        return a, b


def of_traces(
    a: Trace,
    b: Trace,
    view: Mapping[str, View],
    choices: tuple[ModelChoice | None, ModelChoice | None],
) -> SharedReadings:
    """What a link to two traces carries.

    Args:
        a, b: the traces; where one was stopped before the end of the text, the link has the whole.
        view: what else is on screen, as for a session.
        choices: how the models are loaded here; only the precision is taken.

    Raises:
        RequestError: they are not of one text that both scored.
    """
    if a.request != b.request or a.branch is not None or b.branch is not None:
        raise RequestError(
            asked="What two models made of one text was to be shared.",
            found="The two runs were not asked for the same.",
            action="Score one text with both models.",
        )
    first, second = (
        ReadingModel(trace.model, ModelChoice(trace.model.name, choice.dtype if choice else None))
        for trace, choice in zip((a, b), choices, strict=True)
    )
    return SharedReadings(a.request, (first, second), view)


def write(shared: SharedReadings) -> str:
    """The payload, whatever its length.

    Raises:
        ShareError: the view is not as `share.encode` says, or the text is beyond any link.
    """
    return share_payload.write(
        _VERSION,
        {
            "models": [shared_model_values(one.model, one.choice) for one in shared.readers],
            "request": shared.request.to_json(),
            "view": view_values(shared.view, {}),
        },
    )


def is_payload(text: str) -> bool:
    """Whether a text begins as such payloads do; whether it is sound is another thing."""
    return share_payload.version_of(text) == _VERSION


def read(payload: str, *, longest: int | None) -> SharedReadings:
    """What `write` wrote in this or an earlier version. Untrusted.

    Args:
        payload: the text.
        longest: characters it may have, None for any number.

    Raises:
        ShareError: it is damaged, cut short, too large or carries something else.
    """
    return share_payload.read(payload, _READERS, longest=longest)


def _read_2(values: Any) -> SharedReadings:
    a, b = (ReadingModel(model_of(one), choice_of(one)) for one in values["models"])
    return SharedReadings(Request.from_json(values["request"]), (a, b), view_of(values["view"], ()))


_READERS: dict[int, Callable[[Any], SharedReadings]] = {_VERSION: _read_2}
