"""What a chat template is given: turns, its options, and the moment that it writes.

The moment is a date, or a date and a time, as ISO 8601: the local time of the server that was
asked. It names no zone, as a template knows none either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from typing import Any, Literal, get_args

from tokenscope_core.errors import RequestError
from tokenscope_core.failures import MalformedError, quoted, reason_of

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)
# What every template is given, so that no option can be called so.
GIVEN = ("messages", "tools", "documents", "add_generation_prompt")
_MAX_JSON = 200_000

# Platforms pad the year of an earlier one differently.
_FIRST_YEAR = 1000


def local_time() -> datetime:
    """Now, without a zone."""
    return datetime.now()


def moment_text(moment: datetime) -> str:
    """The shortest form that names a moment to the microsecond: the date alone at midnight."""
    date, _, time = moment.isoformat(timespec="microseconds").partition("T")
    for ending in (".000000", ":00"):
        time = time.removesuffix(ending)
    return date if time == "00:00" else f"{date}T{time}"


def moment_of(text: str) -> datetime:
    """The inverse of `moment_text`; reads other forms of ISO 8601, too.

    Raises:
        ValueError: it is none, names a zone, or a year that is not of four digits.
        TypeError: it is no text.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError("it names a time zone")
    if moment.year < _FIRST_YEAR:
        raise ValueError(f"its year is not from {_FIRST_YEAR} to {MAXYEAR}")
    return moment


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Raises:
        RequestError: nobody has that role, or the content is not Unicode.
    """

    role: Role
    content: str

    def __post_init__(self) -> None:
        require(
            self.role in ROLES,
            f"A message was to be from “{self.role}”.",
            f"Messages are from {', '.join(ROLES[:-1])} or {ROLES[-1]}.",
            "Choose one of these.",
        )
        require_unicode(self.content)


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """What a chat template is told beside the turns.

    `name` chooses one of several templates of a model; `variables` are those that it reads by
    itself, such as `enable_thinking`, pairs of a name and a plain value, or a mapping; `tools` is a
    JSON list of objects, as the template expects them, or such a list.

    Raises:
        RequestError: a name is no identifier or that of what every template is given, or a value
            or the tools are not plain JSON.
    """

    name: str | None = None
    variables: tuple[tuple[str, Any], ...] = ()
    tools: str = ""

    def __post_init__(self) -> None:
        require(
            self.name is None or (isinstance(self.name, str) and bool(self.name)),
            f"A chat template called {quoted(self.name)} was asked for.",
            "The name of a template is a text.",
            "Leave it out for the default one.",
        )
        given = self.variables
        try:
            pairs = dict(given.items() if isinstance(given, Mapping) else given)
        except (TypeError, ValueError):
            pairs = {"": None}
        for name, value in pairs.items():
            require(
                isinstance(name, str) and name.isidentifier() and name not in GIVEN,
                f"A variable of the chat template was called {quoted(name)}.",
                f"It must be a name, and none of {', '.join(GIVEN)}.",
                "Give pairs such as ('enable_thinking', False).",
            )
            require(
                isinstance(value, bool | int | float | str) and value == value,
                f"The variable {name} of the chat template was set to {quoted(value)}.",
                "It must be true or false, a number or a text.",
                "Choose another value.",
            )
            if isinstance(value, str):
                require_unicode(value)
        object.__setattr__(self, "variables", tuple(sorted(pairs.items())))
        object.__setattr__(self, "tools", _canonical_tools(self.tools))

    @property
    def listed_tools(self) -> list[dict[str, Any]] | None:
        """The tools as JSON values; None where there are none."""
        tools: list[dict[str, Any]] | None = json.loads(self.tools) if self.tools else None
        return tools


def _canonical_tools(tools: Any) -> str:
    """Equal lists are equal texts; the order of their keys is kept, as templates write them so."""
    try:
        values = json.loads(tools) if isinstance(tools, str) and tools.strip() else tools or []
        if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
            raise MalformedError("it is another JSON value")
        text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode("utf-8")
        if len(text) > _MAX_JSON:
            raise MalformedError("it is too long")
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestError(
            asked="The tools of a conversation were to be read.",
            found=f"They are no JSON list of objects ({reason_of(error)}).",
            action='Write them like [{"type": "function", "function": {"name": "add"}}].',
        ) from None
    return text if values else ""


def require(holds: bool, asked: str, found: str, action: str) -> None:
    """Refuse a value that does not hold.

    Raises:
        RequestError: it does not.
    """
    if not holds:
        raise RequestError(asked=asked, found=found, action=action)


def require_unicode(text: str) -> None:
    """Refuse what is no text that UTF-8 can hold.

    Raises:
        RequestError: it is none.
    """
    require(
        isinstance(text, str),
        f"{quoted(text)} was given as a text.",
        f"It is of type {type(text).__name__}.",
        "Give a str.",
    )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RequestError(
            asked="The text was to be read as Unicode.",
            found=f"Character {error.start + 1:,} is half of a surrogate pair "
            f"(U+{ord(text[error.start]):04X}), which no UTF-8 text can hold.",
            action="Remove that character or paste the text again.",
        ) from None
