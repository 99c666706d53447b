"""Files that hold answers: one JSON object, a list of chunks, lines of JSON, server-sent events.

Parsing keeps memory small: lists of bytes become bytes, and objects of nothing but
log-probabilities two arrays.
"""

from __future__ import annotations

import contextlib
import json
import re
from array import array
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from typing import Any, cast

from tokenscope_core.failures import MalformedError
from tokenscope_core.sessions.recipe_format import require_flat

MAX_BYTES = 64 * 1024**2
# A member of an object takes up to twenty times its own size once it is parsed.
MAX_MEMBERS = 3_000_000
_SPACE = " \t\r\n"
# With which a line of server-sent events begins; the last is a comment.
_EVENT_FIELDS = ("data:", "event:", "id:", "retry:", ":")
# What ends a line of them; other line ends, such as U+2028, may stand in a JSON text as they are.
_LINE_END = re.compile(r"\r\n|\n|\r")


class Figures(Mapping[str, float]):
    """An object whose members are all numbers, in two arrays. Looked through, not looked up."""

    __slots__ = ("_names", "_values")

    def __init__(self, pairs: Sequence[tuple[str, float]]) -> None:
        self._names = tuple(name for name, _ in pairs)
        self._values = array("d", [value for _, value in pairs])

    def __getitem__(self, name: str) -> float:
        try:
            return self._values[self._names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def items(self) -> ItemsView[str, float]:
        """Names and values in turn."""
        return cast("ItemsView[str, float]", zip(self._names, self._values, strict=True))


def is_text_of_an_answer(blob: bytes) -> bool:
    """Whether a file begins as JSON or as a stream of events does."""
    begin = blob[:100].removeprefix(b"\xef\xbb\xbf").lstrip()
    return begin.startswith((b"{", b"[", *(mark.encode() for mark in _EVENT_FIELDS)))


def parsed(blob: bytes) -> Mapping[str, Any] | list[Any]:
    """What a file holds: one object, or the chunks of a stream.

    Raises:
        MalformedError, RecursionError: it is too large, or no JSON in any of these forms.
    """
    if len(blob) > MAX_BYTES:
        raise MalformedError(f"it has {len(blob):,} bytes, and {MAX_BYTES:,} are read")
    require_flat(blob)
    members = blob.count(b":")
    if members > MAX_MEMBERS:
        raise MalformedError(f"it has {members:,} colons, and {MAX_MEMBERS:,} are read")
    text = blob.decode("utf-8-sig")
    decoder = json.JSONDecoder(object_pairs_hook=_compact)
    events = _events(text)
    if events is not None:
        return [decoder.decode(event) for event in events]
    values: list[Any] = []
    place = _skipped(text, 0)
    while place < len(text):
        value, place = decoder.raw_decode(text, place)
        values.append(value)
        place = _skipped(text, place)
    if not values:
        raise MalformedError("it is empty")
    return values[0] if len(values) == 1 else values


def _events(text: str) -> list[str] | None:
    """The data of server-sent events; None where the text is none."""
    begin = text.lstrip(_SPACE)[:10]
    if not begin.startswith(_EVENT_FIELDS):
        return None
    found: list[str] = []
    lines: list[str] = []
    for line in (*_LINE_END.split(text), ""):
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            event = "\n".join(lines)
            lines = []
            if event.strip() not in ("", "[DONE]"):
                found.append(event)
    return found


def _skipped(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place


def _compact(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    if pairs and all(type(value) is float for _, value in pairs):
        return Figures(pairs)
    values = dict(pairs)
    if len(values) < len(pairs) and all(type(value) in (int, float) for _, value in pairs):
        # Several tokens that are no whole characters, by one name.
        return Figures(pairs)
    given = values.get("bytes")
    if type(given) is list and set(map(type, given)) <= {int}:
        # What is out of range is left for the reader to complain of.
        with contextlib.suppress(ValueError):
            values["bytes"] = bytes(given)
    return values
