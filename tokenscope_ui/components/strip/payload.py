"""What the strip draws, as one block of bytes: the contract between its callers and its script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict


class Scale(TypedDict):
    """How a value becomes a tint: absolute bounds, outside of which the tint saturates."""

    label: str
    unit: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    kind: Literal["sequential", "diverging"]
    """Diverging is neutral at 0 and equally strong at equal distances from it."""
    reverse: bool
    """Whether low values take the strong tint (for a probability)."""
    root: int
    """The tint grows with this root of the distance from where there is none."""
    note: str
    """What the bounds are relative to: "absolute", "relative to this trace, by cube root"."""


class HoverField(TypedDict):
    """A line of the tooltip: one formatted value a token, None where there is none."""

    label: str
    values: Sequence[str | None]


class Payload(TypedDict):
    """Tokens, their values, and how to show them. Every sequence has one entry a token."""

    key: str
    """Names what is shown, such as a trace's key."""
    text: Sequence[str]
    flags: Sequence[int]
    values: Sequence[float | None]
    """In the scale's unit; None is missing. NaN is refused."""
    reasons: NotRequired[Mapping[int, str]]
    """By token index: why a value is missing, or a remark, for the tooltip."""
    scale: Scale
    hover: Sequence[HoverField]
    invisibles: bool
    """Whether spaces, tabs and line ends are drawn; what hides or reorders text always is."""
    first_position: int
    """Position of the first token in the whole sequence."""
    first_line: NotRequired[int]
    """Number of the line that begins with the first token; 1 where it is not given."""
    item: NotRequired[Literal["token", "span"]]
    """What an entry is called: a token with a position (the default), or a numbered span."""
    running: bool
    """Whether more tokens may come: shows a caret and follows the end."""


def encode(payload: Payload) -> bytes:
    """The bytes that `mount` takes. Build them once per trace and metric, and cache them.

    Raises:
        ValueError: a sequence's length differs from the number of tokens, or a value is NaN or
            infinite.

    """
    count = len(payload["text"])
    columns: dict[str, int] = {
        "flags": len(payload["flags"]),
        "values": len(payload["values"]),
        **{f"hover {field['label']!r}": len(field["values"]) for field in payload["hover"]},
    }
    for name, length in columns.items():
        if length != count:
            raise ValueError(f"{name} has {length} entries for {count} tokens; give one a token")
    # Escaped to ASCII, so that half a surrogate pair survives the journey.
    return json.dumps(payload, allow_nan=False, separators=(",", ":")).encode("ascii")
